// Events that the members of a group share (docs/semantics.md, "Events"; promises 2, 3, 6, 7).

import { describe, expect, it } from "vitest"
import { actor, ask, batch, type EventHandler, events, protocol, tell, type } from "../../src/index.ts"
import { replay } from "../../src/wire/dead-letter.ts"
import { sourceKey } from "../../src/wire/event-key.ts"
import { type Bench, domain } from "./bench.ts"
import { bodies, collect, sales, Till, take, till } from "./event-fixture.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"
import { reasonOf } from "./rejection.ts"

const soon = { backoff: { initial: 1, max: 2 } }
const source = { domain, type: "till", id: undefined, major: 1, event: "sold" }

export const eventGroups = (bench: Bench): void => {
  /** The name of a group of this test alone, and its queue. */
  const claim = (id?: string) => {
    const group = `group-${bench.id()}`
    const queue = bench.claimQueue(bench.names.group(domain, group, sourceKey({ ...source, id })))
    return { group, queue }
  }

  const letters = async (queue: string) => {
    await bench.deadLetters("")
    return (await bench.deadLetters("")).filter(({ origin }) => origin.routingKey === queue)
  }

  const Ear = protocol("group-ear", "1.0.0", { ping: ask({}), log: tell(type<unknown>()) })
  /** An actor of the group. */
  const ear = (
    group: string,
    handler: EventHandler<number>,
    more: { readonly id?: string; readonly maxDeliveries?: number } = {},
  ) =>
    actor(Ear, (self) => {
      self.on(events(Till).sold({ group, ...more }), handler)
      return { ping: () => {}, log: () => {} }
    })

  describe("a group", () => {
    it("shares its events: each goes to one of its members, in whatever process; others get all (3)", async () => {
      const ref = await bench.spawn(till)
      const { group } = claim()
      const others = [await bench.start(), await bench.start()]
      const members = await Promise.all(others.map((system) => collect(system.events(Till).sold({ group }))))
      const another = await collect((await bench.system).events(Till).sold({ group: claim().group }))
      const all = await collect(ref.sold())
      const numbers = Array.from({ length: 100 }, (_, n) => n)
      for (const n of numbers) await ref.sell(sales([n]))
      await eventually("each has its part", () => members.flatMap(({ events }) => events).length >= 100)
      await all.count(100)
      await another.count(100)
      const parts = members.map(({ events }) => bodies(events))
      expect(parts.flat().sort((a, b) => a - b)).toStrictEqual(numbers)
      for (const part of parts) expect(part.length).toBeGreaterThan(10)
      expect(bodies(another.events)).toStrictEqual(numbers)
    })

    it("keeps what is emitted while none of it is there, and goes on where it stopped (3)", async () => {
      const ref = await bench.spawn(till)
      const { group } = claim(ref.$id)
      const loop = await ref.sold({ group }).open()
      await ref.sell(sales([1]))
      expect(await take(loop, 1)).toMatchObject([{ body: 1, attempt: 1 }])
      await ref.sell(sales([2, 3]))
      const other = await bench.start()
      const later = await collect(other.ref(Till, ref.$id).sold({ group }))
      await later.count(3)
      // The loop was left at the first: it may have been handled in part. RabbitMQ 4.3 does not count that it was given back,
      // older ones do, so its `attempt` is 1 or 2.
      expect(bodies(later.events)).toStrictEqual([1, 2, 3])
      expect(later.events.slice(1).map(({ attempt }) => attempt)).toStrictEqual([1, 1])
    })

    it("is done with an event when the loop asks for the next one (2)", async () => {
      const ref = await bench.spawn(till)
      const { group, queue } = claim(ref.$id)
      const loop = await ref.sold({ group }).open()
      await ref.sell(sales([1]))
      await ref.sell(sales([2]))
      expect((await loop.next()).value?.body).toBe(1)
      expect((await loop.next()).value?.body).toBe(2)
      await loop.close()
      const next = await ref.sold({ group }).open()
      expect((await next.next()).value?.body, "the first was done").toBe(2)
      void next.next()
      await eventually("the second is done", async () => (await bench.ready(queue)) === 0)
      await next.close()
      await ref.sell(sales([3]))
      expect(bodies(await take(ref.sold({ group }), 1))).toStrictEqual([3])
    })

    it("handles again what crashed its member, and buries what does so every time; its neighbours are handled (6)", async () => {
      const ref = await bench.spawn(till)
      const { group, queue } = claim(ref.$id)
      const log: Array<readonly [number, number]> = []
      await bench.spawn(
        ear(
          group,
          (body, { attempt }) => {
            log.push([body, attempt])
            if (body === 2 || (body === 4 && attempt === 1)) throw new RangeError(`${body} is too much`)
          },
          { id: ref.$id },
        ),
        soon,
      )
      await ref.sell(sales([1, 2, 3, 4, 5]))
      await eventually("all are handled", () => log.some(([body]) => body === 5))
      expect(log).toStrictEqual([
        [1, 1],
        [2, 1],
        [2, 2],
        [2, 3],
        [3, 1],
        [4, 1],
        [4, 2],
        [5, 1],
      ])
      await eventually("it is buried", async () => (await letters(queue)).length === 1)
      expect((await letters(queue))[0]).toMatchObject({
        reason: "crashed",
        attempts: 3,
        error: { name: "RangeError", message: "2 is too much" },
        origin: { exchange: "", routingKey: queue, sender: ref.$address },
        remains: { kind: "item", item: { kind: "event", name: "sold", payload: 2 } },
      })
    })

    it("gets an event again that is replayed from the dead letters, and nobody else does (6)", async () => {
      const ref = await bench.spawn(till)
      const { group, queue } = claim(ref.$id)
      let good = false
      const handled: Array<number> = []
      await bench.spawn(
        ear(
          group,
          (body) => {
            if (!good) throw new Error("not yet")
            handled.push(body)
          },
          { id: ref.$id, maxDeliveries: 1 },
        ),
        soon,
      )
      const all = await collect(ref.sold())
      await ref.sell([{ body: 7, topic: "eu" }])
      await eventually("it is buried", async () => (await letters(queue)).length === 1)
      good = true
      const [letter] = await letters(queue)
      const again = replay(letter!, { messageId: bench.id(), deadline: 0 })
      await bench.publish({ ...again, ...letter!.origin, mandatory: true, persistent: true })
      await eventually("it is handled", () => handled.length === 1)
      expect([handled, bodies(all.events)]).toStrictEqual([[7], [7]])
    })

    it("has one filter: who comes with another one is told what differs (9)", async () => {
      const ref = await bench.spawn(till)
      const { group } = claim(ref.$id)
      const filter = { topic: "eu.#", headers: { big: true, op: "buy" } }
      const loop = await collect(ref.sold({ group, ...filter }))
      const same = await collect(ref.sold({ group, topic: "eu.#", headers: { op: "buy", big: true } }))
      const failure = await reasonOf(ref.sold({ group, topic: "us.#" }).open())
      expect(failure).toMatchObject({ _tag: "Rejected" })
      // RabbitMQ cuts what it says.
      for (const words of [group, "here it is topic=us.#, there topic=eu.#&a", "choose another name"]) {
        expect((failure as Error).message).toContain(words)
      }
      await ref.sell([
        { body: 1, topic: "us", headers: { big: true, op: "buy" } },
        { body: 2, topic: "eu", headers: { big: true } },
        { body: 3, topic: "eu.west", headers: { big: true, op: "buy" } },
      ])
      await eventually("one of them has it", () => loop.events.length + same.events.length === 1)
      expect(bodies([...loop.events, ...same.events])).toStrictEqual([3])
    })

    it("lets the oldest become dead letters when too many wait, and holds up nobody (10)", async () => {
      const ref = await bench.spawn(till)
      const { group, queue } = claim(ref.$id)
      await (await ref.sold({ group, capacity: 2 }).open()).close()
      for (const n of [1, 2, 3, 4]) await ref.sell(sales([n]))
      await eventually("the oldest are dead", async () => (await letters(queue)).length === 2)
      const [oldest] = await letters(queue)
      expect(oldest).toMatchObject({ reason: "mailbox full", origin: { exchange: "", routingKey: queue } })
      const loop = await collect(ref.sold({ group, capacity: 2 }))
      await loop.count(2)
      // What the broker took out of the queue can be replayed as well.
      const again = replay(oldest!, { messageId: bench.id(), deadline: 0 })
      await bench.publish({ ...again, ...oldest!.origin, mandatory: true, persistent: true })
      await loop.count(3)
      expect(bodies(loop.events)).toStrictEqual([3, 4, 1])
    })

    it("takes several at once, and is done with them together (2)", async () => {
      const ref = await bench.spawn(till)
      const { group, queue } = claim(ref.$id)
      const stay = latch()
      bench.after(stay.open)
      const lots: Array<ReadonlyArray<number>> = []
      await bench.spawn(
        ear(
          group,
          batch({ max: 3, within: "5 seconds" }, async (items, { length }) => {
            lots.push(items)
            expect(length).toBe(items.length)
            await stay.opened
          }),
          { id: ref.$id },
        ),
      )
      for (const n of [1, 2, 3]) await ref.sell(sales([n]))
      await eventually("they are at work", () => lots.length === 1)
      expect(lots).toStrictEqual([[1, 2, 3]])
      expect(bench.venue.embedded?.queue(queue)?.unacked ?? 3).toBe(3)
      stay.open()
      await ref.sell(sales([4, 5, 6]))
      await eventually("the others are handled", () => lots.length === 2)
      expect(lots[1]).toStrictEqual([4, 5, 6])
    })

    it("takes each alone again when several crashed together, so that the poison costs itself (6)", async () => {
      const ref = await bench.spawn(till)
      const { group, queue } = claim(ref.$id)
      const lots: Array<ReadonlyArray<number>> = []
      await bench.spawn(
        ear(
          group,
          batch({ max: 3, within: "5 seconds" }, (items) => {
            lots.push(items)
            if (items.includes(2)) throw new Error("no two")
          }),
          { id: ref.$id },
        ),
        soon,
      )
      await ref.sell(sales([1, 2, 3]))
      await eventually("it is buried", async () => (await letters(queue)).length === 1)
      await eventually("the others are handled", () => lots.some((lot) => lot.length === 1 && lot[0] === 3))
      expect(lots).toStrictEqual([[1, 2, 3], [1], [2], [2], [3]])
    })

    it("acks an event when what its handler sent is confirmed: a chain of events loses nothing (2)", async () => {
      const ref = await bench.spawn(till)
      const { group, queue } = claim(ref.$id)
      const Next = protocol("relay-till", "1.0.0", { ping: ask({}), sold: Till.messages.sold })
      const relay = await bench.spawn(
        actor(Next, (self) => {
          self.on(ref.sold({ group }), (body) => {
            if (body === 1) bench.venue.embedded?.faults.loseConfirms(1)
            void self.emit("sold", body * 10) // nobody waits for it, but the ack does
          })
          return { ping: () => {} }
        }),
      )
      const loop = await collect(relay.sold())
      await ref.sell(sales([1]))
      await loop.count(1)
      if (bench.venue.embedded !== undefined) expect(bench.venue.embedded.queue(queue)?.unacked).toBe(1)
      await eventually("it is acked", async () => {
        const view = bench.venue.embedded?.queue(queue)
        return view === undefined ? (await bench.ready(queue)) === 0 : view.ready + view.unacked === 0
      })
      expect(loop.events[0]!.body).toBe(10)
    })
  })
}
