// Events that everybody gets who listens (docs/semantics.md, "Events").

import { Effect, Fiber, Schema, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { emit } from "../../src/effect.ts"
import { actor, ask, event, events, protocol, tell, type } from "../../src/index.ts"
import { Actors } from "../../src/system/actors.ts"
import type { Bench } from "./bench.ts"
import { bodies, collect, sales, Till, take, till } from "./event-fixture.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"
import { reasonOf, rejection } from "./rejection.ts"

const soon = { backoff: { initial: 1, max: 2 } }

export const eventsForAll = (bench: Bench): void => {
  describe("an event", () => {
    it("gets to all who listen, in whatever process, in the order in which its source emitted it (5)", async () => {
      const ref = await bench.spawn(till)
      const other = await bench.start()
      const loops = [
        await collect(ref.sold()),
        await collect(ref.sold()),
        await collect(other.ref(Till, ref.$id).sold()),
        await collect(other.events(Till).sold({ id: ref.$id })),
      ]
      const numbers = Array.from({ length: 200 }, (_, n) => n)
      await Promise.all([0, 50, 100, 150].map((from) => ref.sell(sales(numbers.slice(from, from + 50)))))
      for (const loop of loops) {
        await loop.count(200)
        expect(bodies(loop.events)).toStrictEqual(numbers)
      }
    })

    it("says where it comes from, when, and what was passed along", async () => {
      const ref = await bench.spawn(till)
      const loops = [await collect(ref.sold()), await collect(ref.sold())]
      const before = Date.now()
      await ref.sell([{ body: 7, topic: "eu.west", headers: { big: true, n: 1.5, text: "ü" } }])
      for (const loop of loops) await loop.count(1)
      const [one] = loops[0]!.events
      expect(one).toStrictEqual({
        body: 7,
        source: ref.$address,
        topic: "eu.west",
        headers: { big: true, n: 1.5, text: "ü" },
        messageId: expect.stringContaining((await bench.system).node),
        at: expect.any(Number),
        epoch: undefined,
        attempt: 1,
        offset: undefined,
        dropped: 0,
        gap: false,
      })
      expect(one!.at).toBeGreaterThanOrEqual(before)
      expect(one!.at).toBeLessThanOrEqual(Date.now())
      expect(loops[1]!.events).toStrictEqual(loops[0]!.events)
    })

    it.for([0, "", false, null, "0"])("may be %j (3)", async (body) => {
      const ref = await bench.spawn(till)
      const plain = await collect(ref.opened())
      const P = protocol("said", "1.0.0", { say: ask({}), said: event(type<unknown>()) })
      const sayer = await bench.spawn(actor(P, (self) => ({ say: () => self.emit("said", body) })))
      const batched = await collect(sayer.said())
      await ref.open({ body })
      await sayer.say()
      await plain.count(1)
      await batched.count(1)
      expect([plain.events[0]!.body, batched.events[0]!.body]).toStrictEqual([body, body])
    })

    it("may have no body", async () => {
      const P = protocol("bell", "1.0.0", { ring: tell(), rang: event(Schema.Void) })
      const bell = await bench.spawn(actor(P, (self) => ({ ring: () => self.emit("rang", undefined) })))
      const loop = await collect(bell.rang())
      await bell.ring()
      await loop.count(1)
      expect(loop.events[0]!.body).toBeUndefined()
    })

    it("reaches those who have subscribed by then: a subscription that is open misses nothing", async () => {
      const ref = await bench.spawn(till)
      for (let n = 0; n < 10; n++) {
        const loop = await ref.sold().open()
        await ref.sell(sales([n]))
        expect((await take(loop, 1))[0]!.body).toBe(n)
      }
    })

    it("is no failure when nobody listens, and is one when it is not what the protocol says (7)", async () => {
      const ref = await bench.spawn(till)
      await ref.sell(sales([1]))
      const P = protocol("loose", "1.0.0", { say: ask({ payload: type<unknown>() }), said: event(Schema.Number) })
      const failures: Array<unknown> = []
      const loose = await bench.spawn(
        actor(P, (self) => ({
          say: async (body) => {
            failures.push(await reasonOf(self.emit("said", body as number)))
            failures.push(await reasonOf(self.emit("said", 1, { topic: "a..b" })))
            failures.push(await reasonOf(self.emit("said", 1, { topic: "x".repeat(250) })))
            failures.push(await reasonOf(self.emit("shouted" as never, 1 as never)))
          },
        })),
      )
      await loose.say("no number")
      expect(failures).toMatchObject(failures.map(() => ({ _tag: "Rejected" })))
      expect(failures.map((failure) => (failure as Error).message)).toStrictEqual([
        expect.stringContaining("number"),
        expect.stringContaining('topic "a..b"'),
        expect.stringContaining("bytes"),
        expect.stringContaining('no event "shouted"'),
      ])
    })

    it("of another major version of the protocol is another event", async () => {
      const Next = protocol("till", "2.0.0", { sell: ask({}), sold: event(Schema.String) })
      const ref = await bench.spawn(till)
      const next = await bench.spawn(
        actor(Next, (self) => ({ sell: () => self.emit("sold", "two") })),
        { id: ref.$id },
      )
      const [old, young] = [await collect(ref.sold()), await collect(next.sold())]
      await next.sell()
      await ref.sell(sales([1]))
      await old.count(1)
      await young.count(1)
      expect([bodies(old.events), bodies(young.events)]).toStrictEqual([[1], ["two"]])
    })

    it("carries the epoch of a leader (8)", async () => {
      const P = protocol("chief", "1.0.0", { speak: ask({ reply: Schema.Number }), spoke: event(Schema.Void) })
      const id = bench.id()
      bench.claimClique(P, id)
      const chief = await bench.spawn(
        actor(
          P,
          (self) => ({
            speak: async () => {
              await self.emit("spoke", undefined)
              return self.epoch
            },
          }),
          { clique: "single" },
        ),
        { id },
      )
      const loop = await collect(chief.spoke())
      const epoch = await chief.speak()
      await loop.count(1)
      expect(epoch).toBeGreaterThan(0)
      expect(loop.events[0]!.epoch).toBe(epoch)
    })
  })

  describe("a subscriber", () => {
    it("chooses by topic, with one publish for all of them", async () => {
      const ref = await bench.spawn(till)
      const patterns = ["#", "eu", "eu.*", "eu.#", "*.west", "#.west", "*", "", "*.*.*", "eu.*.x", "eu.#.x", "#.#"]
      const loops = await Promise.all(patterns.map((topic) => collect(ref.sold({ topic }))))
      const topics = [undefined, "eu", "eu.west", "eu.east.x", "us.west", "eu.west.berlin.x", "us", "eu.x"]
      await ref.sell(topics.map((topic, body) => (topic === undefined ? { body } : { body, topic })))
      await loops[0]!.count(topics.length)
      const chosen = Object.fromEntries(patterns.map((pattern, n) => [pattern, bodies(loops[n]!.events)]))
      expect(chosen).toStrictEqual({
        "#": [0, 1, 2, 3, 4, 5, 6, 7],
        eu: [1],
        "eu.*": [2, 7],
        "eu.#": [1, 2, 3, 5, 7],
        "*.west": [2, 4],
        "#.west": [2, 4],
        "*": [1, 6],
        "": [0],
        "*.*.*": [3],
        "eu.*.x": [3],
        "eu.#.x": [3, 5, 7],
        "#.#": [0, 1, 2, 3, 4, 5, 6, 7],
      })
    })

    it("chooses by headers, all of them or any, and exactly", async () => {
      const ref = await bench.spawn(till)
      const filters = [
        { headers: {} },
        { headers: { op: "buy" } },
        { headers: { op: "buy", n: 1 } },
        { headers: { op: "buy", n: 1 }, match: "any" },
        { headers: { n: "1" } },
        { headers: { big: false } },
        { headers: { op: "BUY" } },
        { headers: { toString: "buy" } },
        { topic: "eu", headers: { op: "buy" } },
      ] as const
      const loops = await Promise.all(filters.map((filter) => collect(ref.sold(filter))))
      await ref.sell([
        { body: 0 },
        { body: 1, headers: { op: "buy" } },
        { body: 2, headers: { op: "buy", n: 1, more: "x" } },
        { body: 3, headers: { op: "sell", n: 1 } },
        { body: 4, headers: { n: "1" } },
        { body: 5, headers: { big: false } },
        { body: 6, headers: { op: "buy" }, topic: "eu" },
      ])
      await loops[0]!.count(7)
      const chosen = loops.map(({ events }) => bodies(events))
      expect(chosen).toStrictEqual([[0, 1, 2, 3, 4, 5, 6], [1, 2, 6], [2], [1, 2, 3, 6], [4], [5], [], [], [6]])
    })

    it("of a protocol gets the events of all its actors, and of one actor its own", async () => {
      const [one, two] = [await bench.spawn(till), await bench.spawn(till)]
      const system = await bench.system
      const all = await collect(system.events(Till).sold())
      const mine = await collect(two.sold())
      const elsewhere = await collect(system.events(Till, { domain: "elsewhere" }).sold())
      await one.sell(sales([1]))
      await two.sell(sales([2]))
      await all.count(2)
      expect(all.events.map(({ source, body }) => [source, body])).toStrictEqual([
        [one.$address, 1],
        [two.$address, 2],
      ])
      expect(bodies(mine.events)).toStrictEqual([2])
      expect(elsewhere.events).toStrictEqual([])
    })

    it("that cannot be meant is told so at once", async () => {
      const ref = await bench.spawn(till)
      const any = (options: object) => () => ref.sold(options as never)
      expect(any({ topic: "a..b" })).toThrow(/topic "a..b"/)
      expect(any({ topic: "a*" })).toThrow(/"\*" is any one word/)
      expect(any({ group: "a b" })).toThrow(/group "a b"/)
      expect(any({ buffer: 0 })).toThrow(/buffer/)
      expect(any({ from: "first" })).toThrow(/retain/)
      expect(any({ resume: "x" })).toThrow(/retain/)
      expect(() => ref.sold().batches({ max: 0 })).toThrow(RangeError)
    })

    it("that is too slow loses the oldest and is told how many; it holds up nobody (10)", async () => {
      const ref = await bench.spawn(till)
      const slow = await ref.sold({ buffer: 3 }).open()
      const quick = await collect(ref.sold())
      await ref.sell(sales([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
      await quick.count(10)
      expect((await take(slow, 3)).map(({ body, dropped }) => [body, dropped])).toStrictEqual([
        [7, 7],
        [8, 0],
        [9, 0],
      ])
      expect(quick.events.every(({ dropped }) => dropped === 0)).toBe(true)
    })

    it("that would rather fail than lose anything fails (10)", async () => {
      const ref = await bench.spawn(till)
      const strict = await ref.sold({ buffer: 3, overflow: "fail" }).open()
      const quick = await collect(ref.sold())
      await ref.sell(sales([0, 1, 2, 3, 4]))
      await quick.count(5)
      expect(await reasonOf(strict.next())).toMatchObject({ _tag: "MailboxFull" })
      expect(await strict.next(), "and it is over").toStrictEqual({ done: true, value: undefined })
    })

    it("leaves by leaving its loop: nothing is kept for it", async () => {
      const ref = await bench.spawn(till)
      const loop = await ref.sold().open()
      await ref.sell(sales([1]))
      expect(bodies(await take(loop, 1))).toStrictEqual([1])
      await ref.sell(sales([2]))
      const next = await ref.sold().open()
      await ref.sell(sales([3]))
      expect(bodies(await take(next, 1))).toStrictEqual([3])
      expect(await loop.next()).toStrictEqual({ done: true, value: undefined })
    })

    it("that waits ends when its system stops, and one that comes later fails (11)", async () => {
      const ref = await bench.spawn(till)
      const other = await bench.start()
      const loop = await collect(other.ref(Till, ref.$id).sold())
      await other.stop()
      await loop.over
      expect(await reasonOf(other.ref(Till, ref.$id).sold().open())).toMatchObject({
        _tag: "Disconnected",
        sent: false,
      })
    })

    it("may take several at once", async () => {
      const ref = await bench.spawn(till)
      const batches = await ref.sold().batches({ max: 4, within: "1 minute" }).open()
      const rest = await ref.sold().batches({ max: 100, within: 30 }).open()
      await ref.sell(sales([0, 1, 2, 3, 4, 5, 6, 7]))
      expect((await take(batches, 2)).map(bodies)).toStrictEqual([
        [0, 1, 2, 3],
        [4, 5, 6, 7],
      ])
      const got: Array<number> = []
      for await (const several of rest) {
        got.push(...bodies(several))
        if (got.length === 8) break
      }
      expect(got).toStrictEqual([0, 1, 2, 3, 4, 5, 6, 7])
    })

    it("may be a Stream, and an Effect may emit", async () => {
      const P = protocol("fx-till", "1.0.0", { sell: ask({ payload: Schema.Number }), sold: event(Schema.Number) })
      const id = bench.id()
      bench.claim(P, id)
      const def = actor(P, (self) => Effect.succeed({ sell: (n: number) => Effect.orDie(emit(self, "sold", n)) }))
      const program = Effect.gen(function* () {
        const ref = yield* Actors.spawn(def, { id })
        const all = yield* (yield* Actors.events(P)).sold.open()
        const listening = yield* Effect.forkChild(Stream.runCollect(Stream.take(all, 3)))
        const fours = yield* ref.sold.open({ headers: { four: true } })
        yield* Effect.forEach([1, 2, 3], (n) => ref.sell(n))
        const idle = yield* Effect.forkChild(Stream.runDrain(fours))
        yield* Fiber.interrupt(idle)
        return (yield* Fiber.join(listening)).map(({ body, source }) => [body, source])
      })
      expect(await bench.effects().runPromise(Effect.scoped(program))).toStrictEqual(
        [1, 2, 3].map((n) => [n, `test/fx-till/${id}`]),
      )
    })
  })

  describe("an actor that listens", () => {
    const Ear = protocol("ear", "1.0.0", {
      heard: ask({ reply: type<ReadonlyArray<unknown>>() }),
      wait: ask({}),
      crash: ask({}),
    })
    const ear = (id: string, log: Array<unknown>, stay?: Promise<void>) =>
      actor(Ear, (self) => {
        self.on(events(Till).sold({ id }), async (body, { attempt, source }) => {
          log.push(["begin", body, attempt, source.endsWith(id)])
          await new Promise((resolve) => setImmediate(resolve))
          if (body === 13 && attempt < 3) throw new Error("bad luck")
          log.push(["end", body])
        })
        return {
          heard: () => log,
          wait: async () => {
            log.push("waiting")
            await stay
            log.push("waited")
          },
          crash: () => {
            throw new Error("down")
          },
        }
      })

    it("takes an event in a turn among its messages (1)", async () => {
      const ref = await bench.spawn(till)
      const log: Array<unknown> = []
      const stay = latch()
      bench.after(stay.open)
      const listener = await bench.spawn(ear(ref.$id, log, stay.opened))
      const waiting = listener.wait()
      await eventually("it is at work", () => log.length === 1)
      await ref.sell(sales([1, 2]))
      const probe = await collect(ref.sold())
      await ref.sell(sales([3]))
      await probe.count(1) // so the first two are here
      expect(log, "nothing runs beside the message").toStrictEqual(["waiting"])
      stay.open()
      await waiting
      await eventually("all are heard", () => log.length === 8)
      expect(log).toStrictEqual([
        "waiting",
        "waited",
        ...[1, 2, 3].flatMap((n) => [
          ["begin", n, 1, true],
          ["end", n],
        ]),
      ])
    })

    it("is subscribed before its first mail, and crashes by what its handler throws; nothing is lost meanwhile (6)", async () => {
      const ref = await bench.spawn(till)
      const log: Array<unknown> = []
      const listener = await bench.spawn(ear(ref.$id, log), soon)
      await ref.sell(sales([12, 13, 14]))
      await rejection(listener.crash())
      await ref.sell(sales([15]))
      await eventually("all are heard", () => log.filter((line) => String(line).startsWith("end")).length === 4)
      expect(log.filter((line) => String(line).startsWith("begin"))).toStrictEqual([
        ["begin", 12, 1, true],
        ["begin", 13, 1, true],
        ["begin", 13, 2, true],
        ["begin", 13, 3, true],
        ["begin", 14, 1, true],
        ["begin", 15, 1, true],
      ])
    })

    it("leaves out an event that crashes it every time, and goes on (6)", async () => {
      const ref = await bench.spawn(till)
      const heard: Array<number> = []
      const P = protocol("touchy", "1.0.0", { heard: ask({ reply: Schema.Array(Schema.Number) }) })
      await bench.spawn(
        actor(P, (self) => {
          self.on(ref.sold(), (body) => {
            heard.push(body)
            if (body === 1) throw new Error("never")
          })
          return { heard: () => heard }
        }),
        soon,
      )
      await ref.sell(sales([0, 1, 2]))
      await eventually("it goes on", () => heard.includes(2))
      expect(heard).toStrictEqual([0, 1, 1, 1, 2])
    })

    it("crashes when it would rather fail than lose an event, and subscribes anew (6, 10)", async () => {
      const ref = await bench.spawn(till)
      const heard: Array<number> = []
      const stay = latch()
      bench.after(stay.open)
      const P = protocol("strict", "1.0.0", { incarnation: ask({ reply: Schema.Number }) })
      const strict = await bench.spawn(
        actor(
          P,
          (self) => {
            self.on(ref.sold({ buffer: 2, overflow: "fail" }), async (body) => {
              heard.push(body)
              if (body === 0) await stay.opened
            })
            return { incarnation: () => self.incarnation }
          },
          { hooks: { onCrash: stay.open } },
        ),
        soon,
      )
      await ref.sell(sales([0]))
      await eventually("it is busy", () => heard.length === 1)
      await ref.sell(sales([1, 2, 3])) // two of them may wait
      await eventually("it has crashed", async () => (await strict.incarnation()) === 2)
      await ref.sell(sales([5]))
      await eventually("it listens again", () => heard.includes(5))
      expect(heard).toStrictEqual([0, 5])
    })

    it("may listen later, stop listening, and use an Effect", async () => {
      const ref = await bench.spawn(till)
      const P = protocol("fickle", "1.0.0", {
        start: ask({}),
        stop: ask({}),
        heard: ask({ reply: Schema.Array(Schema.Number) }),
      })
      const heard: Array<number> = []
      const listener = await bench.spawn(
        actor(P, (self) => {
          let stop = () => {}
          return {
            start: () => {
              stop = self.on(ref.sold(), (body) => Effect.sync(() => void heard.push(body)))
            },
            stop: () => stop(),
            heard: () => heard,
          }
        }),
      )
      await ref.sell(sales([1]))
      await listener.start()
      await eventually("it listens", async () => {
        await ref.sell(sales([2]))
        return heard.length > 0
      })
      expect(new Set(heard)).toStrictEqual(new Set([2]))
      await listener.stop()
      const probe = await collect(ref.sold())
      await ref.sell(sales([3]))
      await probe.count(1)
      expect(await listener.heard()).not.toContain(3)
    })

    it("ends the loops that it has opened when it ends", async () => {
      const ref = await bench.spawn(till)
      const P = protocol("looper", "1.0.0", { count: ask({ reply: Schema.Number }) })
      const over = latch()
      let count = 0
      const looper = actor(P, (self) => {
        const loop = async () => {
          for await (const _ of self.ref(Till, ref.$id).sold()) count++
          over.open()
        }
        void loop()
        return { count: () => count }
      })
      const listener = await bench.spawn(looper)
      await eventually("it listens", async () => {
        await ref.sell(sales([1]))
        return (await listener.count()) > 0
      })
      await (await bench.system).stopActor(looper, listener.$id)
      await over.opened
    })
  })
}
