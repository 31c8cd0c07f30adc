// Events over the loss of a link, on a broker that fails to order (promise 9).

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { actor, ask, event, events, protocol } from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { bodies, collect, sales, Till, till } from "./event-fixture.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"
import { reasonOf } from "./rejection.ts"

export const eventLosses = (bench: Bench): void => {
  describe("a subscriber whose link is lost", () => {
    const open = async () => {
      const broker = bench.venue.embedded!
      const ref = await bench.spawn(till)
      const system = await bench.start({ broker: broker.as("cut") })
      const lose = () => expect(broker.faults.cut({ name: "cut" })).toBeGreaterThan(0)
      const back = () => eventually("it is back", () => broker.links().some((id) => id.startsWith("cut#")))
      return { broker, ref, system, lose, back }
    }

    it("goes on, and is told that something may be missing; the others are not (9)", async () => {
      const { ref, system, lose } = await open()
      const loops = [await collect(system.ref(Till, ref.$id).sold()), await collect(ref.sold())]
      await ref.sell(sales([1]))
      for (const loop of loops) await loop.count(1)
      lose()
      await eventually("it hears again", async () => {
        await ref.sell(sales([2]))
        return loops[0]!.events.length > 1
      })
      await ref.sell(sales([3]))
      await eventually("both have the last", () => loops.every(({ events }) => events.at(-1)?.body === 3))
      const gaps = loops.map(({ events }) => events.filter(({ gap }) => gap).length)
      expect(gaps).toStrictEqual([1, 0])
      expect(loops[0]!.events[0]!.gap).toBe(false)
      expect(loops[0]!.events[1]!.gap).toBe(true)
    })

    it("may subscribe while the link is away: it listens as soon as there is one (9)", async () => {
      const { broker, ref, system, lose } = await open()
      await collect(system.ref(Till, ref.$id).sold({ topic: "x" }))
      broker.faults.refuse()
      lose()
      const opening = collect(system.ref(Till, ref.$id).sold())
      broker.faults.allow()
      const loop = await opening
      await ref.sell(sales([1]))
      await loop.count(1)
      expect(bodies(loop.events)).toStrictEqual([1])
    })

    it("fails to subscribe in time when no link comes, and leaves nothing behind (9)", async () => {
      const broker = bench.venue.embedded!
      const system = await bench.start({ broker: broker.as("cut"), askTimeout: 200 })
      broker.faults.refuse()
      broker.faults.cut({ name: "cut" })
      const outcome = await system
        .events(Till)
        .sold()
        .open()
        .then(() => "open", String)
      expect(outcome).toContain("Disconnected")
      broker.faults.allow()
      await eventually("it is back", () => broker.links().some((id) => id.startsWith("cut#")))
      const ref = await bench.spawn(till)
      const loop = await collect(system.ref(Till, ref.$id).sold())
      await ref.sell(sales([1]))
      await loop.count(1)
    })

    it("reads on where it was, when what it reads is retained: nothing is missing, nothing comes twice (9)", async () => {
      const { system, lose, back } = await open()
      const P = protocol("diary", "1.0.0", {
        write: ask({ payload: Schema.Number }),
        written: event(Schema.Number, { retain: { bytes: 1_000_000 } }),
      })
      const diary = await bench.spawn(actor(P, (self) => ({ write: (n) => self.emit("written", n) })))
      const loop = await collect(system.ref(P, diary.$id).written({ from: "next" }))
      for (let n = 0; n < 30; n++) {
        await diary.write(n)
        if (n % 10 !== 5) continue
        await back()
        lose()
      }
      await loop.count(30)
      expect(bodies(loop.events)).toStrictEqual(Array.from({ length: 30 }, (_, n) => n))
    })

    it("goes on with what it has in hand for its group, and handles nothing twice (9)", async () => {
      const { ref, system, lose, back } = await open()
      const P = protocol("ear", "1.0.0", { ping: ask({}) })
      const id = bench.id()
      bench.claim(P, id)
      const stay = latch()
      bench.after(stay.open)
      const begun: Array<number> = []
      await system.spawn(
        actor(P, (self) => {
          self.on(events(Till).sold({ id: ref.$id, group: `g-${id}` }), async (body) => {
            begun.push(body)
            if (body === 1) await stay.opened
          })
          return { ping: () => {} }
        }),
        { id },
      )
      await ref.sell(sales([1]))
      await ref.sell(sales([2]))
      await eventually("it is at work", () => begun.length === 1)
      lose()
      await back()
      stay.open()
      await ref.sell(sales([3]))
      await eventually("all are handled", () => begun.includes(3))
      expect(begun).toStrictEqual([1, 2, 3])
    })

    it("waits to emit, and emits when the link is back (9, 10)", async () => {
      const { broker, system, lose } = await open()
      const id = bench.id()
      bench.claim(Till, id)
      const mine = await system.spawn(till, { id })
      const loop = await collect((await bench.system).ref(Till, id).sold())
      broker.faults.block("low on disk")
      const selling = mine.sell(sales([1])).catch(() => {})
      broker.faults.unblock()
      await selling
      lose()
      await eventually("it sells again", () => mine.sell(sales([2])).then(() => true))
      await loop.count(1)
      expect(loop.events.at(-1)!.body).toBe(2)
    })
  })

  describe("an event that a queue does not take", () => {
    const P = protocol("shaky", "1.0.0", {
      say: ask({ payload: Schema.Struct({ n: Schema.Number, nacks: Schema.Number }) }),
      keep: ask({ payload: Schema.Struct({ n: Schema.Number, nacks: Schema.Number }) }),
      said: event(Schema.Number),
      kept: event(Schema.Number, { retain: { bytes: 1_000_000 } }),
    })
    const shaky = () => {
      const { faults } = bench.venue.embedded!
      const nacked = async (nacks: number, emit: () => Promise<void>) => {
        faults.nack(nacks)
        await emit().finally(faults.calm)
      }
      return actor(P, (self) => ({
        say: ({ n, nacks }) => nacked(nacks, () => self.emit("said", n)),
        keep: ({ n, nacks }) => nacked(nacks, () => self.emit("kept", n)),
      }))
    }
    /** Whatever else is published meanwhile. */
    const always = 1_000

    it.for([1, 2])("is sent again, and gets there (%i nacks) (9)", async (nacks) => {
      const ref = await bench.spawn(shaky())
      const loop = await collect(ref.said())
      await ref.say({ n: 1, nacks })
      await loop.count(1)
      expect(bodies(loop.events)).toStrictEqual([1])
    })

    it("counts as sent when it never does: its source goes on (9)", async () => {
      const ref = await bench.spawn(shaky())
      const loop = await collect(ref.said())
      await ref.say({ n: 1, nacks: always })
      await ref.say({ n: 2, nacks: 0 })
      await loop.count(1)
      expect(bodies(loop.events)).toStrictEqual([2])
    })

    it("fails when it is to be retained (9)", async () => {
      const ref = await bench.spawn(shaky())
      expect(await reasonOf(ref.keep({ n: 1, nacks: always }))).toMatchObject({ _tag: "Crashed" })
    })
  })
}
