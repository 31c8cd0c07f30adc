// What is said on the market: the prices, which every stall needs, and what is sold, for whoever wants to know.

import { Schema } from "effect"
import { ask, event, events, protocol } from "warren"

export const Prices = protocol("prices", "1.0.0", {
  set: ask({ payload: Schema.Record(Schema.String, Schema.Number) }),
  /** A state rather than a happening: the newest is kept, for those who come later. */
  today: event(Schema.Record(Schema.String, Schema.Number), { retain: "last" }),
})

export const Stall = protocol("stall", "1.0.0", {
  price: ask({ payload: Schema.String, reply: Schema.Number }),
  sell: ask({
    payload: Schema.Struct({ goods: Schema.String, pieces: Schema.Number, by: Schema.Literals(["cash", "card"]) }),
    reply: Schema.Number,
  }),
  /** Topic: the goods, like `fruit.apple`; header `by`: how they were paid. Kept for an hour. */
  sold: event(Schema.Struct({ goods: Schema.String, paid: Schema.Number }), { retain: { age: "1 hour" } }),
  cry: ask({ payload: Schema.Number }),
  /** For those who are there, and kept nowhere. */
  cried: event(Schema.Number),
})

export const Books = protocol("books", "1.0.0", {})

/** The prices of this market. */
export const prices = events(Prices).today({ id: "main" })
