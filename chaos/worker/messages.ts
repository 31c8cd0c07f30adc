// The protocols of the actors that are put to the test.

import { Schema } from "effect"
import { ask, protocol, tell } from "warren"

/** A clique with one leader that writes what it is told into the fenced store. */
export const Ledger = protocol("ledger", "1.0.0", {
  enter: tell(Schema.Number),
  whoLeads: ask({ payload: Schema.Number, reply: Schema.Struct({ member: Schema.String, epoch: Schema.Number }) }),
})

/** One of many actors; of every other one there is an older version. */
export const Unit = protocol("unit", "1.2.0", { echo: ask({ payload: Schema.Number, reply: Schema.Number }) })
export const OldUnit = protocol("unit", "1.1.3", { echo: ask({ payload: Schema.Number, reply: Schema.Number }) })
