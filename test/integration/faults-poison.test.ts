// What a message that always crashes its actor costs: itself.

import { afterEach, describe, expect, it } from "vitest"
import { brokerOfThisRun } from "../../scripts/broker/index.ts"
import { ActorSystem, actor, child, supervisor } from "../../src/index.ts"
import { names } from "../../src/wire/names.ts"
import { eventually } from "./eventually.ts"
import { Work } from "./fixtures/work.ts"
import { openSideLink } from "./side-link.ts"

const run = brokerOfThisRun()
const prefix = `${run.prefix}-poison`
const upTo = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)

describe("a poison tell", () => {
  afterEach(async () => {
    await using side = await openSideLink(run.url)
    await side.deleteQueue(names(prefix).mailbox({ domain: "acme", type: "work", id: "poisoned", major: 1 }))
    await side.deleteQueue(names(prefix).deadLetters)
  })

  it("(6) in a batch of 50 goes alone to the dead letters, with its reason; its neighbours are handled once", async () => {
    const poison = 20
    const begun: Array<number> = []
    let cells = 0
    const item = (n: number) => {
      begun.push(n)
      if (n === poison) throw new Error("this one is poison")
    }
    const hooks = { onStart: () => void cells++ }
    const worker = actor(Work, { item, echo: (n) => n }, { maxDeliveries: 3, hooks })
    const backoff = { initial: 10, max: 20 }
    const tree = supervisor("app", { backoff, intensity: { maxRestarts: 10, within: "1 minute" } }, [
      child(worker, { id: "poisoned" }),
    ])
    await using system = await ActorSystem.start({ domain: "acme", broker: run.url, prefix, tree, logLevel: "None" })
    const ref = system.ref(Work, "poisoned")
    await Promise.all(upTo(50).map((n) => ref.item(n)))
    await eventually("the neighbours are handled", () => new Set(begun).size === 50)
    await using side = await openSideLink(run.url)
    await eventually("the dead letters have it", async () => (await side.ready(names(prefix).deadLetters)) > 0)
    const letters = await side.takeDeadLetters(prefix)
    expect(letters).toMatchObject([
      {
        reason: "crashed",
        attempts: 3,
        address: "acme/work/poisoned",
        error: { name: "Error", message: "this one is poison" },
        remains: { kind: "item", item: { name: "item", payload: poison } },
      },
    ])
    expect(letters[0]?.error.stack).toContain("faults-poison.test.ts")
    // (5) The retries take the place of the poison; everything else is handled once, in order.
    expect(begun).toEqual([...upTo(poison), poison, poison, poison, ...upTo(50).slice(poison + 1)])
    expect(cells).toBe(4)
  })
})
