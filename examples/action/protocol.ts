// What the factorizer understands: one action, which takes its time.

import { Schema } from "effect"
import { action, protocol } from "warren"

export class TooSmall extends Schema.TaggedError<TooSmall>()("TooSmall", { least: Schema.BigInt }) {}

export const Factorizer = protocol("factorizer", "1.0.0", {
  factor: action({
    goal: Schema.BigInt,
    /** The largest divisor that was tried. */
    feedback: Schema.Number,
    /** Of a goal that was canceled: what was found by then. */
    result: Schema.Array(Schema.BigInt),
    error: TooSmall,
  }),
})
