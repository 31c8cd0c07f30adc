// A queue that actors share, on a broker whose links can be cut, that can lose confirms, and that shows what is in hand.

import { describe, expect, it } from "vitest"
import { actor, type View } from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { Account, Accounts, type Entry } from "./fixtures/accounts.ts"
import { latch } from "./latch.ts"

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const find = (view: View, id: string): View | undefined =>
  view.id === id ? view : view.children.map((each) => find(each, id)).find((found) => found !== undefined)

export const sharedQueueLosses = (bench: Bench): void => {
  describe("a queue that actors share", () => {
    const open = async (concurrency = 1) => {
      const broker = bench.venue.embedded!
      const accounts = new Accounts(bench, { concurrency })
      const [a, b] = [bench.id(), bench.id()]
      const stay = { a: latch(), b: latch() }
      bench.after(() => {
        stay.a.open()
        stay.b.open()
      })
      const begun: Array<Entry> = []
      const system = await bench.start({ broker: broker.as("cut") })
      const work = (id: string, gate: Promise<void>) => async (n: number) => {
        begun.push([id, n])
        await gate
      }
      await system.spawn(accounts.def(a, work(a, stay.a.opened)), { id: a })
      await system.spawn(accounts.def(b, work(b, stay.b.opened)), { id: b })
      return { broker, accounts, system, a, b, stay, begun, unacked: () => broker.queue(accounts.queue)?.unacked }
    }

    it("has a batch acked when each of them has handled its part (2)", async () => {
      const { accounts, a, b, stay, unacked } = await open()
      await accounts.tell([a, 1], [b, 1])
      stay.a.open()
      await eventually("one part is handled", () => accounts.of(a).length === 1)
      for (let n = 0; n < 20; n++) await turn()
      expect(unacked()).toBe(1)
      stay.b.open()
      await eventually("it is acked", () => unacked() === 0)
    })

    it("goes on where it was after a lost link: everything is handled once, in order (5, 9)", async () => {
      const { broker, accounts, a, b, stay, begun, unacked } = await open()
      await accounts.tell([a, 1], [b, 1], [a, 2])
      await accounts.tell([b, 2], [a, 3])
      await accounts.tellOwn(b, 3)
      await eventually("all is in hand", () => unacked() === 3 && begun.length === 2)
      await turn() // what is given out is on its way
      for (let round = 0; round < 2; round++) {
        expect(broker.faults.cut({ name: "cut" })).toBe(1)
        await eventually("it is back", () => unacked() === 3)
        await turn()
      }
      await accounts.tell([a, 4], [b, 4])
      stay.a.open()
      await eventually("one has its part", () => accounts.of(a).length === 4)
      stay.b.open()
      await eventually("all is acked", () => unacked() === 0 && broker.queue(accounts.queue)?.ready === 0)
      expect(accounts.of(a)).toStrictEqual([1, 2, 3, 4])
      expect(accounts.of(b)).toStrictEqual([1, 2, 3, 4])
      expect(begun).toHaveLength(8)
    })

    it("gives what comes back to the one who is there then, if an actor was stopped and started meanwhile (3, 9)", async () => {
      const { broker, accounts, system, a, stay, unacked } = await open()
      await accounts.tell([a, 1])
      await accounts.tell([a, 2])
      await eventually("all is in hand", () => unacked() === 2)
      await turn() // what is given out is on its way
      broker.faults.refuse()
      expect(broker.faults.cut({ name: "cut" })).toBe(1)
      await eventually("the loss is noticed", () => find(system.tree(), "link")?.state !== "running")
      stay.a.open()
      await eventually("the first is handled", () => accounts.of(a).length === 1)
      expect(await system.stopActor(accounts.def(a), a)).toBe(true)
      const spawned = system.spawn(accounts.def(a), { id: a })
      await turn()
      broker.faults.allow()
      await spawned
      await eventually("the second is handled", () => accounts.of(a).length === 2)
      await eventually("all is acked", () => unacked() === 0)
    })

    it.for(["what its handler sent", "the dead letter of its neighbour"])(
      "is not left before all of a batch is settled that was begun: %s (2, 11)",
      async (what) => {
        const broker = bench.venue.embedded!
        const accounts = new Accounts(bench)
        const [a, sink] = [bench.id(), bench.id()]
        await bench.spawn(actor(Account, { put: () => {}, total: (n) => n }), { id: sink })
        const system = await bench.start()
        const work = () => {
          broker.faults.loseConfirms(1)
          if (what === "what its handler sent") void system.ref(Account, sink).put.outcome(1)
        }
        await system.spawn(accounts.def(a, work), { id: a })
        const put = { kind: "tell", node: "n", id: 1, name: "put", payload: 1 } as const
        const unreadable = { ...put, id: 0, name: "" }
        await accounts.publish(accounts.key(a), what === "what its handler sent" ? [put] : [unreadable, put])
        await eventually("it is handled", () => accounts.log.length === 1)
        await system.stop()
        expect(await bench.ready(accounts.queue)).toBe(0)
      },
    )

    it("reaches an actor that was started while there was no link (9)", async () => {
      const { broker, accounts, system, a, stay } = await open()
      stay.a.open()
      broker.faults.refuse()
      expect(broker.faults.cut({ name: "cut" })).toBe(1)
      const c = bench.id()
      const spawned = system.spawn(accounts.def(c), { id: c })
      await turn()
      broker.faults.allow()
      await spawned
      await accounts.tellOwn(c, 1)
      await accounts.tell([c, 2], [a, 2])
      await eventually("all is handled", () => accounts.log.length === 3)
      expect(accounts.of(c)).toStrictEqual([1, 2])
    })

    it("is consumed by nobody when the last of them is stopped, and by one consumer before (11)", async () => {
      const { broker, accounts, system, a, b } = await open()
      const consumers = () => broker.queue(accounts.queue)?.consumers
      expect(consumers()).toBe(1)
      expect(await system.stopActor(accounts.def(a), a)).toBe(true)
      expect(consumers()).toBe(1)
      expect(await system.stopActor(accounts.def(b), b)).toBe(true)
      expect(consumers()).toBe(0)
    })
  })
}
