// What a counter of words understands.

import { Schema } from "effect"
import { ask, protocol } from "warren"

/** Text travels as latin1: one character for each byte of the file, whatever its encoding. */
const Text = Schema.String

/** What is to be known of a part of a line, to add it to the parts before it. */
export const Part = Schema.Struct({
  words: Schema.Number,
  /** It begins, or ends, in the midst of a word that is counted in `words`. */
  begins: Schema.Boolean,
  ends: Schema.Boolean,
  /** Nothing in it separates words. */
  solid: Schema.Boolean,
})
export type Part = typeof Part.Type

/** Both messages are idempotent: who gets no answer may ask again. */
export const Counter = protocol("counter", "1.0.0", {
  /** The words of a whole line. */
  line: ask({ payload: Text, reply: Schema.Number }),
  /** The words of a part of a line that is too long for one message. */
  part: ask({ payload: Text, reply: Part }),
})
