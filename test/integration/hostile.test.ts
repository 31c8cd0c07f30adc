// A hundred thousand envelopes of somebody who means harm, into a mailbox that is in use.

import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Schema } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { brokerOfThisRun } from "../../scripts/broker/index.ts"
import { ActorSystem, actor, ask, child, protocol, supervisor, tell, type View } from "../../src/index.ts"
import { names } from "../../src/wire/names.ts"
import { eventually } from "./eventually.ts"
import { hostileMessages, seeded } from "./hostile-messages.ts"
import { openSideLink, type SideLink } from "./side-link.ts"

const run = brokerOfThisRun()
const prefix = `${run.prefix}-hostile`
const seed = Number(process.env.WARREN_TEST_SEED ?? Date.now() % 2 ** 32)
/** Envelopes. */
const toMailbox = 95_000
const toInbox = 5_000
/** Published and not confirmed yet, at most. */
const inFlight = 500
const MiB = 1024 * 1024

const Target = protocol("target", "1.0.0", {
  add: ask({ payload: Schema.Number, reply: Schema.Number }),
  note: tell(Schema.Struct({ text: Schema.String })),
  incarnation: ask({ reply: Schema.Number }),
})
const handlers = (self: { readonly incarnation: number }) => ({
  add: (n: number) => n + 1,
  note: () => {},
  incarnation: () => self.incarnation,
})
// Each dead letter waits for its confirm: with one at a time the flood would take minutes.
const target = actor(Target, handlers, { concurrency: 256 })

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void
const heapUsed = () => {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

const find = (view: View, id: string): View | undefined =>
  view.id === id ? view : view.children.map((each) => find(each, id)).find((found) => found !== undefined)

describe("hostile mail", () => {
  const queue = names(prefix).mailbox({ domain: "acme", type: "target", id: "live", major: 1 })
  let side: SideLink
  beforeAll(async () => {
    side = await openSideLink(run.url)
  })
  afterAll(async () => {
    for (const name of [queue, names(prefix).deadLetters]) await side.deleteQueue(name)
    await side[Symbol.asyncDispose]()
  })

  it(`(7) 100,000 random and mutated envelopes crash neither actor, node nor connection (WARREN_TEST_SEED=${seed})`, async () => {
    await using system = await ActorSystem.start({
      domain: "acme",
      broker: run.url,
      prefix,
      signals: false,
      logLevel: "None",
      tree: supervisor("app", {}, [child(target, { id: "live" })]),
    })
    const live = system.ref(Target, "live")
    const random = seeded(seed)
    const known = ["add", "note", "incarnation"]
    const mail = { exchange: names(prefix).mail, routingKey: "acme.target.live.v1", names: known }
    const inbox = { exchange: "", routingKey: names(prefix).inbox(system.node, 1), names: known }
    const publish = async (next: ReturnType<typeof hostileMessages>, count: number) => {
      let [sent, taken] = [0, 0]
      const one = async () => {
        while (sent < count) {
          const { message, envelopes } = next()
          sent += envelopes
          if (await side.publish(message)) taken += envelopes
        }
      }
      await Promise.all(Array.from({ length: inFlight }, one))
      expect(taken).toBe(sent)
    }
    // Warm: what is compiled and cached on first use is no leak.
    await publish(hostileMessages(random, mail), 2000)
    expect(await live.add(1)).toBe(2)
    const before = heapUsed()

    // Forged replies and cancels come to the inbox while the mailbox is flooded; honest asks come between.
    const flood = Promise.all([
      publish(hostileMessages(random, mail), toMailbox),
      publish(hostileMessages(random, inbox), toInbox),
    ])
    let flooded = false
    void flood.then(() => {
      flooded = true
    })
    while (!flooded) expect(await live.add(41, { timeout: "1 minute" })).toBe(42)
    await flood

    expect(await live.add(41, { timeout: "1 minute" })).toBe(42)
    expect(await live.incarnation()).toBe(1)
    expect(find(system.tree(), "live")).toMatchObject({ state: "running", restarts: 0 })
    expect(find(system.tree(), "link")).toMatchObject({ state: "running", restarts: 0 })
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    await eventually("all is settled", async () => (await side.ready(queue)) === 0)
    await eventually("memory is back", () => heapUsed() - before < 16 * MiB)
    expect(await side.ready(names(prefix).deadLetters)).toBeGreaterThan(toMailbox / 4)
  }, 120_000)
})
