// What the compiler knows of a handler that takes several messages at once, and what it refuses. Compiled, never run.

import { Effect, Schema } from "effect"
import { type ActorDef, actor, ask, Batch, batch, type MessageContext, protocol, tell } from "warren"
import { Db } from "./protocols.ts"
import { same } from "./same.ts"

const Ledger = protocol("ledger", "1.0.0", {
  save: tell(Schema.Struct({ at: Schema.Date, amount: Schema.Number })),
  total: ask({ reply: Schema.Number }),
})
type NeedsOf<D> = D extends ActorDef<infer _P, infer R> ? R : "not an actor"
const total = () => 0

export const promised = actor(Ledger, () => ({
  save: batch({ max: 100, within: "50 millis" }, async (items, contexts) => {
    same<typeof items, ReadonlyArray<{ readonly at: Date; readonly amount: number }>>(true)
    same<typeof contexts, ReadonlyArray<MessageContext>>(true)
  }),
  total,
}))
same<NeedsOf<typeof promised>, never>(true)

export const needing = actor(Ledger, {
  save: batch({ max: 100 }, (items) => Effect.flatMap(Db, (db) => db.save(items.length))),
  total,
})
same<NeedsOf<typeof needing>, Db>(true)

export const one = actor(Ledger, { save: ({ amount }) => same<typeof amount, number>(true), total })

class Books {
  readonly save = new Batch({ max: 10 }, (items: ReadonlyArray<{ readonly amount: number }>) => void items)
  total() {
    return 1
  }
}
export const instance = actor(Ledger, () => new Books())
export const of = Ledger.of({ save: batch({ max: 2 }, (items) => void items.map(({ at }) => at.getTime())), total })

// What is refused.

actor(Ledger, {
  save: () => {},
  // @ts-expect-error an ask wants a reply for each: it is not handled in batches
  total: batch({ max: 10 }, () => 0),
})
actor(Ledger, {
  // @ts-expect-error a payload that the tell does not have
  save: batch({ max: 10 }, (items: ReadonlyArray<string>) => void items),
  total,
})
actor(Ledger, {
  // @ts-expect-error a tell has no error that it could declare
  save: batch({ max: 10 }, () => Effect.fail("no")),
  total,
})
// @ts-expect-error without a bound
batch({}, () => {})
