// Asks made while another one is handled: their deadline, and asks that would wait for themselves (promise 4).

import { Effect, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { type ActorSystem, actor, ask, type MessageContext, protocol, type Self } from "../../src/index.ts"
import { Actors } from "../../src/system/actors.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { reasonOf } from "./rejection.ts"

/** `[deadline of the outer ask, deadline of the inner ask]`. */
const Deadlines = Schema.Array(Schema.Number)
const Outer = protocol("outer", "1.0.0", {
  bySelf: ask({ reply: Deadlines }),
  bySystem: ask({ reply: Deadlines }),
  later: ask({ reply: Deadlines }),
  impatient: ask({ reply: Deadlines }),
  stuck: ask({}),
})
const Inner = protocol("inner", "1.0.0", { deadline: ask({ reply: Schema.Number }), never: ask({}) })

const inner = actor(Inner, {
  deadline: (_, { deadline }) => deadline ?? 0,
  never: (_, { signal }) => new Promise((_resolve, reject) => signal.addEventListener("abort", reject)),
})

const outer = (system: ActorSystem, id: string, concurrency = 1) =>
  actor(
    Outer,
    (self) => {
      const mine = self.ref(Inner, id)
      const its = system.ref(Inner, id)
      return {
        bySelf: async (_, { deadline }) => [deadline ?? 0, await mine.deadline()],
        bySystem: async (_, { deadline }) => [deadline ?? 0, await its.deadline()],
        later: async (_, { deadline }) => {
          await new Promise((resolve) => setImmediate(resolve))
          await Promise.all([its.deadline(), new Promise((resolve) => setTimeout(resolve, 1))])
          return [deadline ?? 0, await mine.deadline()]
        },
        impatient: async (_, { deadline }) => [deadline ?? 0, await mine.deadline(undefined, { timeout: 100 })],
        stuck: () => mine.never(),
      }
    },
    { concurrency },
  )

const Player = protocol("player", "1.0.0", {
  /** Asks the actors of the path, each the next; the last answers with how many there are. */
  pass: ask({ payload: Schema.Array(Schema.String), reply: Schema.Number }),
})
const pass = (self: Self<(typeof Player)["messages"]>) => ({
  pass: async ([next, ...rest]: ReadonlyArray<string>) =>
    next === undefined ? 1 : 1 + (await self.ref(Player, next).pass(rest)),
})

export const nestedAsks = (bench: Bench): void => {
  describe("a nested ask", () => {
    it.for(["bySelf", "bySystem", "later"] as const)("inherits the smaller deadline (%s) (4)", async (name) => {
      const { $id } = await bench.spawn(inner)
      const ref = await bench.spawn(outer(await bench.system, $id))
      const [above, below] = await ref[name](undefined, { timeout: 3_000 })
      expect(below).toBe(above)
    })

    it("keeps its own deadline when that is the smaller one (4)", async () => {
      const { $id } = await bench.spawn(inner)
      const ref = await bench.spawn(outer(await bench.system, $id))
      const [above, below] = await ref.impatient()
      expect(below).toBeLessThan(above! - 5_000)
    })

    it("ends with the ask above it, and so does that one's actor (4)", async () => {
      const { $id } = await bench.spawn(inner)
      const ref = await bench.spawn(outer(await bench.system, $id))
      expect(await reasonOf(ref.stuck(undefined, { timeout: 100 }))).toMatchObject({ _tag: "TimedOut" })
      const [above, below] = await ref.bySelf(undefined, { timeout: 5_000 })
      expect(below).toBe(above)
    })

    it("does not inherit from another ask that happens to run beside it (4)", async () => {
      const { $id } = await bench.spawn(inner)
      const system = await bench.system
      const ref = await bench.spawn(outer(system, $id, 10))
      const timeouts = [1_000, 2_000, 3_000, 4_000, 5_000]
      const all = await Promise.all(timeouts.map((timeout) => ref.later(undefined, { timeout })))
      for (const [above, below] of all) expect(below).toBe(above)
      expect(new Set(all.map(([above]) => above)).size).toBe(timeouts.length)
    })

    it("inherits the smaller deadline in Effect code as well (4)", async () => {
      const { $id } = await bench.spawn(inner)
      const id = bench.id()
      bench.claim(Outer, id)
      const effectful = actor(Outer, () =>
        Effect.map(Actors.ref(Inner, $id), (client) => {
          const asked = (_: unknown, { deadline }: MessageContext) =>
            Effect.map(client.deadline(), (below) => [deadline ?? 0, below]).pipe(Effect.orDie)
          return {
            bySelf: asked,
            bySystem: asked,
            later: (_: unknown, context: MessageContext) => Effect.andThen(Effect.sleep(5), asked(_, context)),
            impatient: asked,
            stuck: () => Effect.orDie(client.never()),
          }
        }),
      )
      const asking = Effect.gen(function* () {
        const client = yield* Actors.spawn(effectful, { id })
        const options = { timeout: 3_000 }
        return [yield* client.bySelf(undefined, options), yield* client.later(undefined, options)]
      })
      const both = await bench.effects().runPromise(Effect.scoped(asking))
      for (const [above, below] of both) {
        expect(above).toBeGreaterThan(0)
        expect(below).toBe(above)
      }
    })
  })

  describe("an ask that comes back to who waits for it", () => {
    it("fails at once as a cycle, and says which way it went (4)", async () => {
      const a = await bench.spawn(actor(Player, pass))
      const b = await bench.spawn(actor(Player, pass))
      expect(await a.pass([b.$id])).toBe(2)
      const from = performance.now()
      const reason = await reasonOf(a.pass([b.$id, a.$id]))
      expect(performance.now() - from).toBeLessThan(1_000)
      expect(reason).toMatchObject({ _tag: "Crashed" })
      expect(reason.message).toContain(`${a.$address} -> ${b.$address} -> ${a.$address}`)
    })

    it("is refused to the one who closes the cycle, who may deal with it (4)", async () => {
      const P = protocol("selfish", "1.0.0", { start: ask({ reply: Schema.String }), ping: ask({}) })
      const ref = await bench.spawn(
        actor(P, (self) => {
          const me = self.ref(P, self.address.split("/")[2]!)
          return { start: async () => (await reasonOf(me.ping())).message, ping: () => {} }
        }),
      )
      await ref.ping()
      expect(await ref.start()).toContain(`would wait for itself: ${ref.$address} -> ${ref.$address}`)
      expect(await ref.ping()).toBeUndefined()
    })

    it("is answered where somebody is free to do it (1, 4)", async () => {
      const a = await bench.spawn(actor(Player, pass, { concurrency: 2 }))
      const b = await bench.spawn(actor(Player, pass))
      expect(await a.pass([b.$id, a.$id])).toBe(3)
      expect(await reasonOf(a.pass([b.$id, a.$id, b.$id]))).toMatchObject({ _tag: "Crashed" })
      await eventually("both are up again", async () => (await a.pass([b.$id])) === 2)
    })
  })
}
