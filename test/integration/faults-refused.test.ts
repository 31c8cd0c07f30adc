// What the broker refuses for good stops the tree at once, and says what differs.

import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { brokerOfThisRun } from "../../scripts/broker/index.ts"
import { mailboxQueue } from "../../src/actor/declaration.ts"
import { ActorSystem, actor, child, supervisor } from "../../src/index.ts"
import { names } from "../../src/wire/names.ts"
import { eventually } from "./eventually.ts"
import { Work } from "./fixtures/work.ts"
import { openSideLink, type SideLink } from "./side-link.ts"

const run = brokerOfThisRun()
const prefix = `${run.prefix}-refused`
const worker = actor(Work, { item: () => {}, echo: (n) => n })
const mailbox = (id: string) => names(prefix).mailbox({ domain: "acme", type: "work", id, major: 1 })
const settings = { domain: "acme", prefix, signals: false, logLevel: "None" } as const

/** The message that `start` rejects with; within 5 seconds. */
const refusal = async (start: () => Promise<unknown>): Promise<string> => {
  const began = performance.now()
  const error = await start().then(
    () => new Error("it started"),
    (error: unknown) => error,
  )
  expect(performance.now() - began).toBeLessThan(5000)
  return (error as Error).message
}

describe("a refusal that stays", () => {
  let side: SideLink
  beforeAll(async () => {
    side = await openSideLink(run.url)
    const address = { domain: "acme", type: "work", id: "any", major: 1 }
    const spec = mailboxQueue(names(prefix), address, {})
    for (const id of ["clash", "spawned"]) await side.declareQueue({ ...spec, name: mailbox(id), maxLength: 5 })
  })
  afterAll(async () => {
    for (const queue of [mailbox("clash"), mailbox("spawned"), names(prefix).deadLetters]) await side.deleteQueue(queue)
    await side[Symbol.asyncDispose]()
  })
  const startAt = (change: (url: URL) => void) => () => {
    const url = new URL(run.url)
    change(url)
    return ActorSystem.start({
      ...settings,
      broker: url.href,
      tree: supervisor("app", {}, [child(worker, { id: "a" })]),
    })
  }

  it("(9) of a wrong password stops the tree within 5 s and names the password, without showing it", async () => {
    const message = await refusal(startAt((url) => Object.assign(url, { password: "not-the-secret" })))
    expect(message).toMatch(/refused to connect.*user and password/s)
    expect(message).not.toContain("not-the-secret")
  })

  it("(9) of a missing vhost stops the tree within 5 s and names the vhost", async () => {
    const message = await refusal(startAt((url) => Object.assign(url, { pathname: "/no-such-vhost" })))
    expect(message).toMatch(/no-such-vhost.*Check that the vhost exists/s)
  })

  it("(9) of a mailbox that exists with other arguments stops the tree within 5 s and says what differs", async () => {
    const tree = supervisor("app", {}, [child(worker, { id: "clash" })])
    const message = await refusal(() => ActorSystem.start({ ...settings, broker: run.url, tree }))
    expect(message).toContain(mailbox("clash"))
    expect(message).toContain("exists with another x-max-length: declared here is 100000, the broker has 5")
    expect(message).toMatch(/Declare it as the broker has it, or drain and delete/)
  })

  it("(9) of a spawned actor's mailbox rejects that spawn and says what differs; the system goes on", async () => {
    await using system = await ActorSystem.start({ ...settings, broker: run.url })
    const good = await system.spawn(worker, { id: "good" })
    const message = await refusal(() => system.spawn(worker, { id: "spawned" }))
    expect(message).toContain(mailbox("spawned"))
    expect(message).toContain("exists with another x-max-length: declared here is 100000, the broker has 5")
    expect(await good.echo(7)).toBe(7)
    await side.deleteQueue(mailbox("spawned"))
    // Once the operator has put it right, the same spawn works.
    const spawned = await system.spawn(worker, { id: "spawned" })
    expect(await spawned.echo(8)).toBe(8)
    await system.stop()
    await eventually("its mailboxes are left", async () => (await side.ready(mailbox("good"))) === 0)
    await side.deleteQueue(mailbox("good"))
  })
})
