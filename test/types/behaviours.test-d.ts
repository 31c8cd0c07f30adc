// What the compiler knows of a behaviour: its payloads, contexts and needs, and what it refuses. Compiled, never run.

import { Effect, Schema, type Scope, Stream } from "effect"
import { type ActorDef, actor, ask, type MessageContext, protocol, type Self, tell } from "warren"
import { Calculator, Db, Overflow, Ping } from "./protocols.ts"
import { same } from "./same.ts"

/** What a definition needs. */
type NeedsOf<D> = D extends ActorDef<infer _P, infer R> ? R : "not an actor"

// An async factory: payloads and contexts are inferred, and it needs nothing.
export const promised = actor(Calculator, async (self) => {
  same<typeof self, Self<(typeof Calculator)["messages"]>>(true)
  let count = 0
  self.defer(() => self.log("bye", count))
  return {
    multiply: async ({ x, y }, context) => {
      same<typeof x, number>(true)
      same<typeof context, MessageContext>(true)
      same<typeof context.attempt, number>(true)
      if (x * y > 1e6) throw new Overflow({ max: 1e6 })
      count++
      await self.emit("computed", { op: "multiply", value: x * y }, { headers: { op: "multiply" } })
      return x * y
    },
    count: () => count,
    clear: () => {},
    async *primes({ limit }) {
      for (let i = 2; i < limit; i++) yield i
    },
    sum: async (items) => {
      let sum = 0
      for await (const item of items) sum += item
      return sum
    },
    async *running(items) {
      let sum = 0
      for await (const item of items) {
        sum += item
        yield sum
      }
    },
    schedule: ({ at }) => {
      same<typeof at, Date>(true)
      return { ok: at instanceof Date }
    },
    reset: ({ reason }) => {
      same<typeof reason, string>(true)
      count = 0
    },
    tick: (payload) => {
      same<typeof payload, void>(true)
    },
    factor: async ({ goal, feedback, signal }) => {
      same<typeof goal, bigint>(true)
      feedback({ tried: 1 })
      signal.throwIfAborted()
      return [goal]
    },
  }
})
same<typeof promised, ActorDef<typeof Calculator, never>>(true)

// An Effect factory: what it yields, and what its handlers yield, is what the actor needs.
export const effectful = actor(
  Calculator,
  Effect.fnUntraced(function* () {
    const db = yield* Db
    return Calculator.of({
      multiply: Effect.fnUntraced(function* ({ x, y }) {
        if (x * y > 1e6) return yield* new Overflow({ max: 1e6 })
        yield* db.save(x * y)
        return x * y
      }),
      count: () => Effect.succeed(1),
      clear: () => Effect.void,
      primes: ({ limit }) => Stream.range(2, limit),
      sum: (items) =>
        items.stream.pipe(
          Stream.runFold(
            () => 0,
            (a, b) => a + b,
          ),
          Effect.orDie,
        ),
      running: (items) =>
        items.stream.pipe(
          Stream.orDie,
          Stream.scan(
            () => 0,
            (a: number, b) => a + b,
          ),
        ),
      schedule: () => Effect.succeed({ ok: true }),
      reset: () => Effect.void,
      tick: () => Effect.void,
      factor: ({ goal }) => Effect.succeed([goal]),
    })
  }),
)
same<NeedsOf<typeof effectful>, Db>(true)

// An Effect factory that wants `self` takes it as a plain function: the compiler sees its type there.
export const knowing = actor(Ping, (self) =>
  Effect.gen(function* () {
    same<typeof self, Self<(typeof Ping)["messages"]>>(true)
    const db = yield* Db
    return Ping.of({ ping: () => Effect.as(db.save(self.incarnation), "pong") })
  }),
)
same<NeedsOf<typeof knowing>, Db>(true)

// Handlers alone, of every kind.
export const stateless = actor(Ping, { ping: () => "pong" })
same<typeof stateless, ActorDef<typeof Ping, never>>(true)
export const needing = actor(Ping, {
  ping: () =>
    Effect.as(
      Effect.flatMap(Db, (db) => db.save(1)),
      "pong",
    ),
})
same<NeedsOf<typeof needing>, Db>(true)
export const plainOf = actor(Ping, Ping.of({ ping: () => "pong" }))
same<NeedsOf<typeof plainOf>, never>(true)

// A class instance.
class PingImpl {
  #n = 0
  ping() {
    return `pong ${this.#n++}`
  }
}
export const instance = actor(Ping, () => new PingImpl())
same<typeof instance, ActorDef<typeof Ping, never>>(true)

// The scope of an incarnation is there anyway: it is no need.
export const scoped = actor(
  Ping,
  Effect.fnUntraced(function* () {
    yield* Effect.acquireRelease(Effect.void, () => Effect.void)
    return Ping.of({ ping: () => "pong" })
  }),
)
same<NeedsOf<typeof scoped>, Exclude<Scope.Scope, Scope.Scope>>(true)

// What is refused.

// @ts-expect-error a handler is missing
actor(Ping, {})
// @ts-expect-error an unknown handler
actor(Ping, { ping: () => "pong", pong: () => "ping" })
// @ts-expect-error a wrong reply
actor(Ping, { ping: () => 42 })
// @ts-expect-error a wrong reply in a promise
actor(Ping, { ping: async () => 42 })
// @ts-expect-error a wrong reply in an Effect
actor(Ping, { ping: () => Effect.succeed(42) })
// @ts-expect-error a wrong reply in an async factory
actor(Ping, async () => ({ ping: async () => 42 }))
// @ts-expect-error a handler is missing in an async factory
actor(Ping, async () => ({}))
// @ts-expect-error an error that is not declared
actor(Ping, { ping: () => Effect.fail(new Overflow({ max: 1 })) })
actor(Ping, {
  // @ts-expect-error a payload that the ask does not have
  ping: (payload: { readonly x: number }) => String(payload.x),
})
// @ts-expect-error no such clique
actor(Ping, { ping: () => "pong" }, { clique: "many" })

// Names that would break the client: `await ref` calls `then`.
// @ts-expect-error reserved
protocol("bad", "1.0.0", { then: ask({ reply: Schema.String }) })
// @ts-expect-error reserved
protocol("bad", "1.0.0", { toJSON: tell() })
// @ts-expect-error a slot that needs a service to decode cannot be used
protocol("bad", "1.0.0", { go: ask({ payload: {} as Schema.Codec<string, string, Db> }) })

export const emitting = actor(Calculator, async (self) => {
  // @ts-expect-error no such event
  void self.emit("compute", { op: "", value: 1 })
  // @ts-expect-error not an event
  void self.emit("reset", { reason: "" })
  // @ts-expect-error a wrong body
  void self.emit("computed", { op: "", value: "1" })
  // @ts-expect-error an actor with needs has no supervisor here that could meet them
  void self.spawn(needing, { id: "child" })
  const child = await self.spawn(stateless, { id: "child" })
  const text = await child.ping()
  same<typeof text, string>(true)
  throw new Error("never run")
})

// How an actor would like its mail to be written.
actor(Ping, { ping: () => "pong" }, { codec: "msgpack" })
// @ts-expect-error there is no such way to write
actor(Ping, { ping: () => "pong" }, { codec: "xml" })
