// The protocols and services that the type tests share: every shape of slot and message.

import { Context, type Effect, Schema } from "effect"
import { action, ask, event, protocol, stream, tell, type } from "warren"
import { z } from "zod"

export class Overflow extends Schema.TaggedError<Overflow>()("Overflow", { max: Schema.Number }) {}

export class Db extends Context.Service<Db, { readonly save: (n: number) => Effect.Effect<void> }>()("Db") {}

export const Calculator = protocol("calculator", "1.2.0", {
  multiply: ask({
    payload: Schema.Struct({ x: Schema.Number, y: Schema.Number }),
    reply: Schema.Number,
    error: Overflow,
  }),
  count: ask({ reply: Schema.Number }),
  clear: ask({}),
  primes: ask({ payload: Schema.Struct({ limit: Schema.Number }), reply: stream(Schema.Number) }),
  sum: ask({ payload: stream(Schema.Number), reply: Schema.Number }),
  running: ask({ payload: stream(Schema.Number), reply: stream(Schema.Number) }),
  schedule: ask({
    payload: z.object({ at: z.string().transform((text) => new Date(text)) }),
    reply: type<{ ok: boolean }>(),
  }),
  reset: tell(Schema.Struct({ reason: Schema.String })),
  tick: tell(),
  computed: event(Schema.Struct({ op: Schema.String, value: Schema.Number })),
  factor: action({
    goal: Schema.BigInt,
    feedback: Schema.Struct({ tried: Schema.Number }),
    result: Schema.Array(Schema.BigInt),
    error: Overflow,
  }),
})

export const Ping = protocol("ping", "1.0.0", { ping: ask({ reply: Schema.String }) })
