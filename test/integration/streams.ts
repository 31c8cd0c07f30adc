// Streams: their shapes, on both faces; how far a sender may be ahead; and how they fail.

import { Effect, Schema, Stream } from "effect"
import { describe, expect, expectTypeOf, it } from "vitest"
import { z } from "zod"
import { type AskError, actor, ask, protocol, stream, type } from "../../src/index.ts"
import { window } from "../../src/streams/credit.ts"
import { Actors } from "../../src/system/actors.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"
import { reasonOf, rejection } from "./rejection.ts"

class Overflow extends Schema.TaggedError<Overflow>()("Overflow", { at: Schema.Number, since: Schema.Date }) {}

const Numbers = protocol("numbers", "1.0.0", {
  count: ask({ payload: Schema.Struct({ to: Schema.Number }), reply: stream(Schema.Number), error: Overflow }),
  sum: ask({ payload: stream(Schema.Number), reply: Schema.Number, error: Overflow }),
  echo: ask({ payload: stream(Schema.String), reply: stream(Schema.String), error: Overflow }),
  incarnation: ask({ reply: Schema.Number }),
})

/** With promises, generators and iterables. */
const plain = actor(Numbers, (self) => ({
  async *count({ to }) {
    for (let n = 0; n < to; n++) yield n
  },
  sum: async (items) => {
    let sum = 0
    for await (const n of items) sum += n
    return sum
  },
  async *echo(items) {
    for await (const text of items) yield `<${text}>`
  },
  incarnation: () => self.incarnation,
}))

/** With Effects and Streams. */
const effectful = actor(Numbers, (self) => ({
  count: ({ to }) => Stream.range(0, to - 1),
  sum: (items) => Stream.runSum(items.stream).pipe(Effect.orDie),
  echo: (items) =>
    items.stream.pipe(
      Stream.map((text) => `<${text}>`),
      Stream.orDie,
    ),
  incarnation: () => Effect.succeed(self.incarnation),
}))

const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index)

export const all = async <A>(items: AsyncIterable<A>): Promise<ReadonlyArray<A>> => {
  const got: Array<A> = []
  for await (const item of items) got.push(item)
  return got
}

/** What came before the failure, and the failure. */
export const failing = async <A>(items: AsyncIterable<A>) => {
  const got: Array<A> = []
  const error = await rejection(
    (async () => {
      for await (const item of items) got.push(item)
    })(),
  )
  return { got, error }
}

export const streams = (bench: Bench): void => {
  describe.for([
    ["promises", plain],
    ["Effects", effectful],
  ] as const)("a stream to an actor with %s", ([_, def]) => {
    it("brings many replies to one payload, in order", async () => {
      const ref = await bench.spawn(def)
      expect(await all(ref.count({ to: 5000 }))).toStrictEqual(upTo(5000))
      expect(await all(ref.count({ to: 0 }))).toStrictEqual([])
      expectTypeOf(ref.count({ to: 1 })).toEqualTypeOf<AsyncIterable<number>>()
    })

    it("brings one reply to many payloads, from any iterable", async () => {
      const ref = await bench.spawn(def)
      expect(await ref.sum(upTo(100, 1))).toBe(5050)
      const made = async function* () {
        for (const n of upTo(5000)) {
          if (n % 1000 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
          yield n
        }
      }
      expect(await ref.sum(made())).toBe((5000 * 4999) / 2)
      expect(await ref.sum(new Set([1, 2, 3]))).toBe(6)
      expect(await ref.sum([])).toBe(0)
      expect(await ref.sum.outcome([1, 2])).toStrictEqual({ ok: true, value: 3 })
    })

    it("brings many to many, each reply as soon as it is there", async () => {
      const ref = await bench.spawn(def)
      const texts = upTo(3000).map(String)
      expect(await all(ref.echo(texts))).toStrictEqual(texts.map((text) => `<${text}>`))
      const told: Array<string> = []
      const next = latch()
      const oneByOne = async function* () {
        yield "first"
        await next.opened
        yield "second"
      }
      for await (const text of ref.echo(oneByOne())) {
        told.push(text)
        next.open()
      }
      expect(told).toStrictEqual(["<first>", "<second>"])
    })

    it("has the same shapes for Effect programs, which see its errors in their types", async () => {
      const { $id } = await bench.spawn(def)
      const program = Effect.gen(function* () {
        const client = yield* Actors.ref(Numbers, $id)
        const counted = client.count({ to: 3 })
        expectTypeOf(counted).toEqualTypeOf<Stream.Stream<number, Overflow | AskError>>()
        return {
          counted: yield* Stream.runCollect(counted),
          sum: yield* client.sum(Stream.range(1, 100)),
          echo: yield* Stream.runCollect(client.echo(Stream.make("a", "b"))),
        }
      })
      const result = await bench.effects().runPromise(program)
      expect(result).toStrictEqual({ counted: [0, 1, 2], sum: 5050, echo: ["<a>", "<b>"] })
    })
  })

  describe("a stream", () => {
    it("takes what a handler gives to iterate over: a generator, an array, a set, something of one's own", async () => {
      const P = protocol("sources", "1.0.0", {
        array: ask({ reply: stream(Schema.Number) }),
        set: ask({ reply: stream(Schema.Number) }),
        generator: ask({ reply: stream(Schema.Number) }),
        own: ask({ reply: stream(Schema.Number) }),
      })
      const ref = await bench.spawn(
        actor(P, {
          array: () => [1, 2],
          set: () => new Set([1, 2]),
          *generator() {
            yield 1
            yield 2
          },
          own: () => ({
            [Symbol.asyncIterator]: () => {
              let n = 0
              return { next: async () => (++n > 2 ? { done: true, value: undefined } : { done: false, value: n }) }
            },
          }),
        }),
      )
      for (const call of [ref.array, ref.set, ref.generator, ref.own]) expect(await all(call())).toStrictEqual([1, 2])
    })

    it("passes a schema for each item at both ends", async () => {
      const P = protocol("typed-items", "1.0.0", {
        next: ask({ payload: stream(Schema.Date), reply: stream(Schema.BigInt) }),
        trim: ask({
          payload: stream(z.string().transform((text) => text.trim())),
          reply: type<ReadonlyArray<string>>(),
        }),
      })
      const ref = await bench.spawn(
        actor(P, {
          async *next(dates) {
            for await (const date of dates) yield BigInt(date.getTime())
          },
          trim: (items) => all(items),
        }),
      )
      expect(await all(ref.next([new Date(1), new Date(2)]))).toStrictEqual([1n, 2n])
      expect(await ref.trim([" a", "b "])).toStrictEqual(["a", "b"])
    })

    it.for([[0], [""], [null], [false], [[]], [{}], ["ü€😀\n"]])("brings %j as it is", async ([value]) => {
      const P = protocol("anything", "1.0.0", {
        same: ask({ payload: stream(type<unknown>()), reply: stream(type<unknown>()) }),
      })
      const ref = await bench.spawn(actor(P, { same: (items) => items }))
      expect(await all(ref.same([value, value]))).toStrictEqual([value, value])
    })

    it("brings an item that is larger than what may be on its way at once", async () => {
      const P = protocol("large", "1.0.0", { large: ask({ reply: stream(Schema.String) }) })
      const large = "x".repeat(2 * window.bytes)
      const ref = await bench.spawn(actor(P, { large: () => [large, "small", large] }))
      const got = await all(ref.large())
      expect(got.map((text) => text.length)).toStrictEqual([large.length, 5, large.length])
    })

    it("sends each item as it was when it was made", async () => {
      const P = protocol("moods", "1.0.0", { moods: ask({ reply: stream(type<{ n: number }>()) }) })
      const ref = await bench.spawn(
        actor(P, {
          async *moods() {
            const mood = { n: 0 }
            while (mood.n < 3) {
              yield mood
              mood.n++
            }
          },
        }),
      )
      expect(await all(ref.moods())).toStrictEqual([{ n: 0 }, { n: 1 }, { n: 2 }])
    })

    it("runs beside the mailbox: asks are answered meanwhile, though one is handled at a time (1)", async () => {
      const P = protocol("beside", "1.0.0", {
        wait: ask({ reply: stream(Schema.Number) }),
        now: ask({ reply: Schema.String }),
      })
      const stay = latch()
      const ref = await bench.spawn(
        actor(P, {
          async *wait() {
            yield 1
            await stay.opened
            yield 2
          },
          now: () => "at once",
        }),
      )
      const told: Array<number> = []
      for await (const n of ref.wait()) {
        told.push(n)
        if (n === 1) expect(await ref.now()).toBe("at once")
        stay.open()
      }
      expect(told).toStrictEqual([1, 2])
    })

    it("is acked when it is taken on, though it may last for hours (2)", async () => {
      const P = protocol("long", "1.0.0", { wait: ask({ reply: stream(Schema.Number) }) })
      const stay = latch()
      const ref = await bench.spawn(
        actor(P, {
          async *wait() {
            yield 1
            await stay.opened
          },
        }),
      )
      bench.after(stay.open)
      const items = ref.wait()[Symbol.asyncIterator]()
      await items.next()
      const unacked = async () => (await bench.run(bench.link.inspectQueue(bench.claim(P, ref.$id)))).messages
      await eventually("nothing is left of it in the mailbox", async () => (await unacked()) === 0)
      await items.return?.()
    })

    it("tells the handler who opened it, without a deadline, and what was passed along", async () => {
      const P = protocol("contexts", "1.0.0", { context: ask({ reply: stream(type<unknown>()) }) })
      const ref = await bench.spawn(
        actor(P, {
          context: (_, { headers, deadline, attempt, sender }) => [
            { headers, none: deadline === undefined, attempt, sender },
          ],
        }),
      )
      expect(await all(ref.context(undefined, { headers: { tenant: "a" } }))).toStrictEqual([
        { headers: { tenant: "a" }, none: true, attempt: 1 },
      ])
    })

    it("is not opened before somebody wants its first item, and anew by each who does", async () => {
      const P = protocol("lazy", "1.0.0", { once: ask({ reply: stream(Schema.Number) }) })
      let opened = 0
      const ref = await bench.spawn(actor(P, { once: () => [++opened] }))
      const items = ref.once()
      const iterator = ref.once()[Symbol.asyncIterator]()
      await iterator.return?.()
      expect(opened).toBe(0)
      expect(await all(items)).toStrictEqual([1])
      expect(await all(items)).toStrictEqual([2])
    })
  })

  describe("a slow consumer", () => {
    const P = protocol("flood", "1.0.0", {
      down: ask({ payload: Schema.Number, reply: stream(Schema.String) }),
      up: ask({ payload: stream(Schema.String), reply: Schema.Number }),
    })
    const item = "x".repeat(20)
    const count = 20_000
    /** Takes its time now and then, and looks how far ahead the producer is. */
    const slowly = async (items: AsyncIterable<unknown>, made: () => number): Promise<number> => {
      let [taken, ahead] = [0, 0]
      for await (const _ of items) {
        taken++
        if (taken % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
        ahead = Math.max(ahead, made() - taken)
      }
      expect(taken).toBe(count)
      return ahead
    }
    const source = (tell: () => void) =>
      (async function* () {
        for (let n = 0; n < count; n++) {
          tell()
          yield item
        }
      })()

    it("holds the producer of replies within its window (10)", async () => {
      let made = 0
      const ref = await bench.spawn(actor(P, { down: () => source(() => made++), up: () => 0 }))
      const ahead = await slowly(ref.down(0), () => made)
      expect(ahead).toBeLessThanOrEqual(window.items)
      expect(ahead).toBeGreaterThan(window.items / 2)
    })

    it("holds the producer of payloads within its window (10)", async () => {
      let made = 0
      const ref = await bench.spawn(actor(P, { down: () => [], up: (items) => slowly(items, () => made) }))
      const ahead = await ref.up(source(() => made++))
      expect(ahead).toBeLessThanOrEqual(window.items)
      expect(ahead).toBeGreaterThan(window.items / 2)
    })

    it("holds it within so many bytes, if the items are large (10)", async () => {
      const large = "x".repeat(10_000)
      let made = 0
      const ref = await bench.spawn(
        actor(P, {
          async *down() {
            for (let n = 0; n < 500; n++) {
              made++
              yield large
            }
          },
          up: () => 0,
        }),
      )
      let [taken, ahead] = [0, 0]
      for await (const _ of ref.down(0)) {
        taken++
        if (taken % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 10))
        ahead = Math.max(ahead, made - taken)
      }
      expect(taken).toBe(500)
      expect(ahead).toBeLessThanOrEqual(Math.ceil(window.bytes / large.length) + 1)
    })

    it("holds an Effect Stream, too (10)", async () => {
      let made = 0
      const ref = await bench.spawn(
        actor(P, {
          down: () => Stream.fromEffectRepeat(Effect.sync(() => `${made++}`)).pipe(Stream.take(count)),
          up: () => 0,
        }),
      )
      const ahead = await slowly(ref.down(0), () => made)
      expect(ahead).toBeLessThanOrEqual(window.items + 1)
    })

    it("that is an Effect has the array that it works on count as not taken (10)", async () => {
      let made = 0
      const ref = await bench.spawn(actor(P, { down: () => source(() => made++), up: () => 0 }))
      const program = Effect.gen(function* () {
        const client = yield* Actors.ref(P, ref.$id)
        let [taken, ahead] = [0, 0]
        yield* client.down(0).pipe(
          Stream.runForEach(() =>
            Effect.suspend(() => {
              taken++
              ahead = Math.max(ahead, made - taken)
              return taken % 500 === 0 ? Effect.sleep(5) : Effect.void
            }),
          ),
        )
        return { taken, ahead }
      })
      const { taken, ahead } = await bench.effects().runPromise(program)
      expect(taken).toBe(count)
      expect(ahead).toBeLessThanOrEqual(window.items)
    })

    it("does not keep the rest of its process from running while it takes what is there (I3)", async () => {
      const ref = await bench.spawn(actor(P, { down: () => Array.from({ length: 1000 }, () => item), up: () => 0 }))
      let turns = 0
      let running = true
      const turn = () => {
        turns++
        if (running) setImmediate(turn)
      }
      let began: number | undefined
      for await (const _ of ref.down(0)) {
        if (began === undefined) {
          turn()
          began = performance.now()
        }
        const until = performance.now() + 0.2
        while (performance.now() < until);
      }
      running = false
      expect(turns).toBeGreaterThan(10)
    })
  })

  describe("a stream fails", () => {
    const since = new Date(7)

    it.for(["a generator", "a Stream"] as const)(
      "with the declared error that %s ends with, after the items before it (4)",
      async (way) => {
        const ref = await bench.spawn(
          actor(Numbers, {
            count: ({ to }) =>
              way === "a Stream"
                ? Stream.concat(Stream.range(0, to - 1), Stream.fail(new Overflow({ at: to, since })))
                : (async function* () {
                    yield* upTo(to)
                    throw new Overflow({ at: to, since })
                  })(),
            sum: () => 0,
            echo: () => [],
            incarnation: () => 1,
          }),
        )
        const { got, error } = await failing(ref.count({ to: 3000 }))
        expect(got).toStrictEqual(upTo(3000))
        expect(error).toBeInstanceOf(Overflow)
        expect(error).toMatchObject({ at: 3000, since })
        const program = Effect.gen(function* () {
          const client = yield* Actors.ref(Numbers, ref.$id)
          const seen: Array<number> = []
          const tapped = Stream.tap(client.count({ to: 2 }), (n) => Effect.sync(() => seen.push(n)))
          const at = yield* Stream.runDrain(tapped).pipe(Effect.catchTag("Overflow", ({ at }) => Effect.succeed(at)))
          return { seen, at }
        })
        expect(await bench.effects().runPromise(program)).toStrictEqual({ seen: [0, 1], at: 2 })
        expect(await ref.incarnation()).toBe(1)
      },
    )

    it("with the declared error of a reply to many payloads, as a value if one likes (4)", async () => {
      const ref = await bench.spawn(
        actor(Numbers, {
          count: () => [],
          sum: async (items) => {
            let sum = 0
            for await (const n of items) {
              sum += n
              if (sum > 10) throw new Overflow({ at: n, since })
            }
            return sum
          },
          echo: () => [],
          incarnation: () => 1,
        }),
      )
      expect(await rejection(ref.sum(upTo(100_000)))).toMatchObject({ _tag: "Overflow", at: 5 })
      expect(await ref.sum.outcome([11])).toMatchObject({ ok: false, error: { _tag: "Overflow", at: 11 } })
    })

    it.for(["promises", "Effects"] as const)(
      "as Crashed when a handler with %s does, after the items before it; the supervisor starts the next cell (6)",
      async (way) => {
        const ref = await bench.spawn(
          actor(Numbers, (self) => ({
            count: ({ to }) =>
              way === "Effects"
                ? Stream.concat(Stream.range(0, to - 1), Stream.die(new Error("the disk is full")))
                : (async function* () {
                    yield* upTo(to)
                    throw new Error("the disk is full")
                  })(),
            sum: async (items) => {
              for await (const _ of items) throw new Error("no sums today")
              return 0
            },
            echo: () => [],
            incarnation: () => self.incarnation,
          })),
          { backoff: { initial: 1, max: 2 } },
        )
        const { got, error } = await failing(ref.count({ to: 1000 }))
        expect(got).toStrictEqual(upTo(1000))
        expect(error).toMatchObject({ reason: { _tag: "Crashed", why: "the disk is full" }, retrySafe: false })
        expect(await ref.incarnation()).toBe(2)
        expect(await reasonOf(ref.sum([1]))).toMatchObject({ _tag: "Crashed", why: "no sums today" })
        expect(await ref.incarnation()).toBe(3)
      },
    )

    it("as Crashed when an item is not what its protocol says, or when there is nothing to iterate over (6)", async () => {
      const P = protocol("wrong-items", "1.0.0", {
        text: ask({ reply: stream(Schema.Number) }),
        bigint: ask({ reply: stream(type<unknown>()) }),
        nothing: ask({ reply: stream(Schema.Number) }),
      })
      const ref = await bench.spawn(
        actor(P, { text: () => [1, "two" as never], bigint: () => [1n], nothing: () => undefined as never }),
        { backoff: { initial: 1, max: 2 } },
      )
      for (const call of [ref.text, ref.bigint, ref.nothing]) {
        const { error } = await failing<unknown>(call())
        expect(error).toMatchObject({ reason: { _tag: "Crashed" } })
      }
    })

    it("as Rejected when a payload does not fit, one or one of many; and the cell lives (7)", async () => {
      const P = protocol("strict", "1.0.0", {
        down: ask({ payload: z.number(), reply: stream(Schema.Number) }),
        up: ask({ payload: stream(z.number()), reply: Schema.Number }),
        checked: ask({ payload: stream(Schema.Number), reply: Schema.Number }),
        incarnation: ask({ reply: Schema.Number }),
      })
      const heard: Array<unknown> = []
      const sum = async (items: AsyncIterable<number>) => {
        let sum = 0
        try {
          for await (const n of items) sum += n
        } catch (error) {
          heard.push(error)
          throw error
        }
        return sum
      }
      const ref = await bench.spawn(
        actor(P, (self) => ({ down: () => [], up: sum, checked: sum, incarnation: () => self.incarnation })),
      )
      expect((await failing(ref.down("one" as never))).error).toMatchObject({ reason: { _tag: "Rejected" } })
      // The receiver finds out ...
      expect(await reasonOf(ref.up([1, "two" as never]))).toMatchObject({ _tag: "Rejected" })
      expect(heard).toMatchObject([{ _tag: "AskError", call: "up", reason: { _tag: "Rejected" } }])
      // ... or the sender.
      expect(await reasonOf(ref.checked([1, "two" as never]))).toMatchObject({ _tag: "Rejected" })
      expect(await ref.checked.outcome(7 as never)).toMatchObject({
        ok: false,
        error: { reason: { _tag: "Rejected" } },
      })
      expect(await ref.incarnation()).toBe(1)
    })

    it("with what its own payload throws; the far end hears that it is cancelled", async () => {
      const ended: Array<unknown> = []
      const ref = await bench.spawn(
        actor(Numbers, {
          count: () => [],
          sum: async (items, { signal }) => {
            signal.addEventListener("abort", () => ended.push(signal.reason))
            for await (const _ of items);
            return 0
          },
          echo: () => [],
          incarnation: () => 1,
        }),
      )
      const broken = async function* () {
        yield 1
        throw new Error("no more of it")
      }
      expect(await rejection(ref.sum(broken()))).toMatchObject({ message: "no more of it" })
      await eventually("the far end hears of it", () => ended.length === 1)
      expect(ended).toMatchObject([{ _tag: "Cancelled" }])
      const outcome = await ref.sum.outcome(broken())
      expect(outcome).toMatchObject({ ok: false, error: { reason: { _tag: "Rejected" } } })
      expect(await ref.incarnation()).toBe(1)
      const dying = Effect.gen(function* () {
        const client = yield* Actors.ref(Numbers, ref.$id)
        return yield* client.sum(Stream.die(new Error("a defect")))
      })
      expect(await rejection(bench.effects().runPromise(dying))).toMatchObject({ message: "a defect" })
    })

    it("as NoSuchActor where there is none, and as TimedOut where nobody takes it on in time (4)", async () => {
      const system = await bench.system
      const nobody = system.ref(Numbers, bench.id())
      expect((await failing(nobody.count({ to: 1 }))).error).toMatchObject({ reason: { _tag: "NoSuchActor" } })
      expect(await reasonOf(nobody.sum([1]))).toMatchObject({ _tag: "NoSuchActor" })
      const gone = await bench.spawn(plain)
      await system.stopActor(plain, gone.$id)
      const { error } = await failing(gone.count({ to: 1 }, { timeout: 100 }))
      expect(error).toMatchObject({ reason: { _tag: "TimedOut", after: 100 } })
    })

    it("as MailboxFull when the actor has 1,024 of them, and others go on (10)", async () => {
      const P = protocol("crowd", "1.0.0", { wait: ask({ reply: stream(Schema.Number) }) })
      const ref = await bench.spawn(
        actor(P, {
          async *wait(_, { signal }) {
            yield 1
            await new Promise((resolve) => signal.addEventListener("abort", resolve))
          },
        }),
      )
      const open = upTo(1024).map(() => ref.wait()[Symbol.asyncIterator]())
      await Promise.all(open.map((items) => items.next()))
      expect((await failing(ref.wait())).error).toMatchObject({ reason: { _tag: "MailboxFull" }, retrySafe: true })
      await open[0]?.return?.()
      await eventually("there is room again", async () => {
        const items = ref.wait()[Symbol.asyncIterator]()
        const first = await items.next()
        await items.return?.()
        return first.value === 1
      })
      await Promise.all(open.map((items) => items.return?.()))
    })
  })
}
