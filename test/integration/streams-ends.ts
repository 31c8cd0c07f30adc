// How streams end before they are done: by whoever takes, by whoever makes, and with everything that they belong to. Each
// end is shown at both ends of the stream.

import { Deferred, Effect, Exit, Fiber, Schema, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { type ActorSystem, actor, ask, protocol, stream } from "../../src/index.ts"
import { Actors } from "../../src/system/actors.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"
import { rejection } from "./rejection.ts"
import { failing } from "./streams.ts"

const Ticks = protocol("ticks", "1.0.0", {
  /** For ever, as fast as they are taken. */
  fast: ask({ reply: stream(Schema.Number) }),
  /** One, and then none. */
  idle: ask({ reply: stream(Schema.Number) }),
  /** The first of each pair that comes. */
  pick: ask({ payload: stream(Schema.Number), reply: stream(Schema.Number) }),
  sum: ask({ payload: stream(Schema.Number), reply: Schema.Number }),
  /** Takes the first of another one's. */
  relay: ask({ payload: Schema.String, reply: Schema.Number }),
  crash: ask({}),
  incarnation: ask({ reply: Schema.Number }),
})

/** What the far end did, in the order in which it did it. */
type Log = Array<string>

/** ms: long before anything else would end a stream. */
const soon = 1_000

const generators = (log: Log) =>
  actor(Ticks, (self) => {
    const end = (name: string, signal: AbortSignal) => {
      log.push(`${name} ended${signal.aborted ? `: ${(signal.reason as Error).name}` : ""}`)
    }
    return {
      async *fast(_, { signal }) {
        try {
          for (let n = 0; ; n++) yield n
        } finally {
          end("fast", signal)
        }
      },
      async *idle(_, { signal }) {
        try {
          yield 1
          await new Promise((resolve) => signal.addEventListener("abort", resolve))
        } finally {
          end("idle", signal)
        }
      },
      async *pick(items) {
        for await (const n of items) {
          yield n
          break
        }
      },
      sum: async (items, { signal }) => {
        let sum = 0
        try {
          for await (const n of items) sum += n
        } finally {
          end("sum", signal)
        }
        return sum
      },
      relay: async (id) => {
        let last = 0
        for await (const n of self.ref(Ticks, id).idle()) last = n
        return last
      },
      crash: () => {
        throw new Error("down")
      },
      incarnation: () => self.incarnation,
    }
  })

const effects = (log: Log) => {
  const ending =
    (name: string) =>
    <A, E>(exit: Exit.Exit<A, E>) =>
      Effect.sync(() => void log.push(`${name} ended${Exit.hasInterrupts(exit) ? ": interrupted" : ""}`))
  const never = Effect.never
  return actor(Ticks, (self) => ({
    fast: () => Stream.iterate(0, (n) => n + 1).pipe(Stream.onExit(ending("fast"))),
    idle: () => Stream.concat(Stream.make(1), Stream.never).pipe(Stream.onExit(ending("idle"))),
    pick: (items) => items.stream.pipe(Stream.take(1), Stream.orDie),
    sum: (items) => Stream.runSum(items.stream).pipe(Effect.orDie, Effect.onExit(ending("sum"))),
    relay: () => never,
    crash: () => Effect.die(new Error("down")),
    incarnation: () => Effect.succeed(self.incarnation),
  }))
}

const kinds = [
  ["generators", generators],
  ["Effects", effects],
] as const

/** A payload that never ends, and what became of it. */
const endless = () => {
  const state = { made: 0, ended: false }
  const items = async function* () {
    try {
      for (;;) yield state.made++
    } finally {
      state.ended = true
    }
  }
  return { state, items: items() }
}

export const streamsEnds = (bench: Bench): void => {
  describe.for(kinds)("a stream to an actor with %s", ([_, make]) => {
    it("that is left after 3 items ends at the far end within a second; its clean-up runs", async () => {
      const log: Log = []
      const ref = await bench.spawn(make(log))
      const got: Array<number> = []
      for await (const n of ref.fast()) {
        got.push(n)
        if (got.length === 3) break
      }
      expect(got).toStrictEqual([0, 1, 2])
      await eventually("the far end has ended", () => log.length === 1, soon)
      for await (const _ of ref.idle()) break
      await eventually("the far end has ended, though it makes nothing", () => log.length === 2, soon)
      expect(log).toStrictEqual([expect.stringMatching(/^fast ended/), expect.stringMatching(/^idle ended/)])
      expect(await ref.incarnation()).toBe(1)
    })

    it("that an Effect takes no more of ends at the far end, by `take` and by interruption", async () => {
      const log: Log = []
      const ref = await bench.spawn(make(log))
      const program = Effect.gen(function* () {
        const client = yield* Actors.ref(Ticks, ref.$id)
        const taken = yield* Stream.runCollect(Stream.take(client.fast(), 3))
        const first = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(
          Stream.runForEach(client.idle(), () => Deferred.succeed(first, undefined)),
        )
        yield* Deferred.await(first)
        yield* Fiber.interrupt(fiber)
        return taken
      })
      expect(await bench.effects().runPromise(program)).toStrictEqual([0, 1, 2])
      await eventually("the far ends have ended", () => log.length === 2, soon)
    })

    it("ends when the signal of the call aborts: at once here, and soon at the far end", async () => {
      const log: Log = []
      const ref = await bench.spawn(make(log))
      const abort = new AbortController()
      const items = ref.idle(undefined, { signal: abort.signal })[Symbol.asyncIterator]()
      await items.next()
      const next = rejection(items.next())
      abort.abort()
      expect(await next).toMatchObject({ reason: { _tag: "Cancelled" }, retrySafe: false })
      await eventually("the far end has ended", () => log.length === 1, soon)
      expect(await items.next()).toStrictEqual({ done: true, value: undefined })
      expect((await failing(ref.fast(undefined, { signal: abort.signal }))).error).toMatchObject({
        reason: { _tag: "Cancelled" },
      })
      expect(log).toHaveLength(1)
    })

    it("of payloads ends with the call: cancelled, interrupted, or answered early", async () => {
      const log: Log = []
      const ref = await bench.spawn(make(log))
      const cancelled = endless()
      const abort = new AbortController()
      const sum = rejection(ref.sum(cancelled.items, { signal: abort.signal }))
      await eventually("it runs", () => cancelled.state.made > 100)
      abort.abort()
      expect(await sum).toMatchObject({ reason: { _tag: "Cancelled" } })
      await eventually("both ends have ended", () => cancelled.state.ended && log.length === 1, soon)

      const early = endless()
      const got: Array<number> = []
      for await (const n of ref.pick(early.items)) got.push(n)
      expect(got).toStrictEqual([0])
      await eventually("the payload has ended", () => early.state.ended, soon)

      const program = Effect.gen(function* () {
        const client = yield* Actors.ref(Ticks, ref.$id)
        const ended = yield* Deferred.make<void>()
        const made = yield* Deferred.make<void>()
        const items = Stream.iterate(0, (n) => n + 1).pipe(
          Stream.tap((n) => (n === 100 ? Deferred.succeed(made, undefined) : Effect.void)),
          Stream.onExit(() => Deferred.succeed(ended, undefined)),
        )
        const fiber = yield* Effect.forkChild(client.sum(items))
        yield* Deferred.await(made)
        yield* Fiber.interrupt(fiber)
        yield* Deferred.await(ended)
      })
      await bench.effects().runPromise(program)
      await eventually("the far end has ended", () => log.length === 2, soon)
      expect(await ref.incarnation()).toBe(1)
    })

    it("ends when the actor is stopped, for a reason, after its clean-up; and when its system is (11)", async () => {
      const log: Log = []
      const def = make(log)
      const ref = await bench.spawn(def)
      const system = await bench.start()
      const id = bench.id()
      bench.claim(Ticks, id)
      await system.spawn(def, { id, shutdown: 2_000 })
      const caller = await bench.start()
      for (const [which, stop] of [
        [ref.$id, async () => void (await (await bench.system).stopActor(def, ref.$id))],
        [id, system.stop],
      ] as const) {
        const items = caller.ref(Ticks, which).idle()[Symbol.asyncIterator]()
        await items.next()
        const began = performance.now()
        const next = rejection(items.next())
        await stop()
        expect(performance.now() - began, "it does not wait for what never ends").toBeLessThan(1_500)
        expect(await next).toMatchObject({ reason: { _tag: "Disconnected", sent: true } })
      }
      expect(log).toHaveLength(2)
    })

    it("ends when the system of the caller stops (11)", async () => {
      const log: Log = []
      const ref = await bench.spawn(make(log))
      const caller = await bench.start()
      const items = caller.ref(Ticks, ref.$id).idle()[Symbol.asyncIterator]()
      await items.next()
      const next = rejection(items.next())
      await caller.stop()
      expect(await next).toMatchObject({ reason: { _tag: "Cancelled" } })
      await eventually("the far end has ended", () => log.length === 1, soon)
    })

    it("ends as Crashed when its cell crashes over something else (6)", async () => {
      const log: Log = []
      const ref = await bench.spawn(make(log), { backoff: { initial: 1, max: 2 } })
      const items = ref.idle()[Symbol.asyncIterator]()
      await items.next()
      const next = rejection(items.next())
      await rejection(ref.crash())
      expect(await next).toMatchObject({ reason: { _tag: "Crashed", why: "down" } })
      await eventually("the handler has ended", () => log.length === 1, soon)
      expect(await ref.incarnation()).toBe(2)
      for await (const n of ref.fast()) if (n === 3) break
    })
  })

  describe("a stream", () => {
    it("that a handler has opened ends with the deadline of its ask, at the far end, too (4)", async () => {
      const log: Log = []
      const far = await bench.spawn(generators(log))
      const near = await bench.spawn(generators(log))
      const began = performance.now()
      expect(await rejection(near.relay(far.$id, { timeout: 300 }))).toMatchObject({ reason: { _tag: "TimedOut" } })
      expect(performance.now() - began).toBeLessThan(1_000)
      await eventually("the far end has ended", () => log.length === 1, soon)
      // The handler got on: its actor is free again.
      expect(await near.incarnation()).toBe(1)
    })

    it("that a handler has opened ends when its ask is cancelled (4)", async () => {
      const log: Log = []
      const far = await bench.spawn(generators(log))
      const near = await bench.spawn(generators(log))
      const abort = new AbortController()
      const relayed = rejection(near.relay(far.$id, { signal: abort.signal }))
      await eventually("it is open", async () => log.length === 0 && (await far.incarnation()) === 1)
      abort.abort()
      expect(await relayed).toMatchObject({ reason: { _tag: "Cancelled" } })
      expect(await near.incarnation()).toBe(1)
    })

    it("that an actor takes for itself ends with its cell", async () => {
      const log: Log = []
      const far = await bench.spawn(generators(log))
      const P = protocol("listener", "1.0.0", { got: ask({ reply: Schema.Number }), crash: ask({}) })
      const failures: Array<unknown> = []
      const listener = await bench.spawn(
        actor(P, (self) => {
          let got = 0
          const listen = async () => {
            for await (const _ of self.ref(Ticks, far.$id).idle()) got++
          }
          listen().catch((error) => failures.push(error))
          return {
            got: () => got,
            crash: () => {
              throw new Error("down")
            },
          }
        }),
        { backoff: { initial: 1, max: 2 } },
      )
      await eventually("it listens", async () => (await listener.got()) === 1)
      await rejection(listener.crash())
      await eventually("the stream of the dead cell has ended", () => log.length === 1, soon)
      expect(failures).toMatchObject([{ reason: { _tag: "Cancelled" } }])
      await eventually("the next cell listens", async () => (await listener.got()) === 1)
    })

    it("to the leader of a `single` clique ends when it leads no longer (8)", async () => {
      const log: Log = []
      const P = protocol("lead-ticks", "1.0.0", {
        idle: ask({ reply: stream(Schema.String) }),
        yieldTo: ask({ payload: Schema.Number }),
      })
      const def = actor(
        P,
        (self) => ({
          async *idle(_, { signal }) {
            yield self.node
            await new Promise((resolve) => signal.addEventListener("abort", resolve))
            log.push(self.node)
          },
          yieldTo: (more) => self.yieldTo(self.epoch + more),
        }),
        { clique: "single" },
      )
      const id = bench.id()
      bench.claimClique(P, id)
      const systems: ReadonlyArray<ActorSystem> = [await bench.start(), await bench.start()]
      for (const system of systems) await system.spawn(def, { id, backoff: { initial: 1, max: 2 } })
      const ref = (await bench.start()).ref(P, id)
      const items = ref.idle()[Symbol.asyncIterator]()
      const leader = (await items.next()).value as string
      const next = rejection(items.next())
      await ref.yieldTo.outcome(1_000, { timeout: 2_000 })
      expect(await next).toMatchObject({
        reason: { _tag: "Disconnected", why: expect.stringContaining("leads no longer") },
      })
      await eventually("its handler has ended", () => log.includes(leader))
      const again = ref.idle()[Symbol.asyncIterator]()
      expect((await again.next()).done).toBe(false)
      await again.return?.()
    })

    it("whose handler goes on for ever is crashed with its cell (1)", async () => {
      const P = protocol("stubborn", "1.0.0", {
        deaf: ask({ reply: stream(Schema.Number) }),
        incarnation: ask({ reply: Schema.Number }),
      })
      const stay = latch()
      bench.after(stay.open)
      const ref = await bench.spawn(
        actor(
          P,
          (self) => ({
            async *deaf() {
              yield 1
              await stay.opened
            },
            incarnation: () => self.incarnation,
          }),
          { stuckAfter: 100 },
        ),
        { backoff: { initial: 1, max: 2 } },
      )
      for await (const _ of ref.deaf()) break
      await eventually("the next cell runs", async () => (await ref.incarnation()) === 2)
    })

    it("whose clean-up fails has ended all the same; nothing crashes", async () => {
      const P = protocol("clumsy", "1.0.0", {
        ticks: ask({ reply: stream(Schema.Number) }),
        incarnation: ask({ reply: Schema.Number }),
      })
      let cleaned = 0
      const ref = await bench.spawn(
        actor(P, (self) => ({
          async *ticks() {
            try {
              for (let n = 0; ; n++) yield n
            } finally {
              cleaned++
              // biome-ignore lint/correctness/noUnsafeFinally: that is what is tested
              throw new Error("the clean-up failed")
            }
          },
          incarnation: () => self.incarnation,
        })),
      )
      for await (const _ of ref.ticks()) break
      await eventually("it is cleaned up", () => cleaned === 1, soon)
      expect(await ref.incarnation()).toBe(1)
    })
  })
}
