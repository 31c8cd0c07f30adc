// What can be asked of the dead letters.

import { Schema } from "effect"
import { ask, deadReasons, protocol } from "warren/effect"

export const Filter = Schema.Struct({
  reason: Schema.optionalKey(Schema.Literals(deadReasons)),
  /** `domain/type/id` of the actor it was for. */
  address: Schema.optionalKey(Schema.String),
  /** ms since the epoch: dead at that time, or later. */
  since: Schema.optionalKey(Schema.Number),
})
export type Filter = typeof Filter.Type

const atLeastOne = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

/** Letters by their ids, or by what is said of them; `max`: no more than so many, the oldest first. Default: all. */
const choice = <const More extends Schema.Struct.Fields>(more: More) => {
  const both = { max: Schema.optionalKey(atLeastOne), ...more }
  return Schema.Union([
    Schema.Struct({ ids: Schema.Array(Schema.String), ...both }),
    Schema.Struct({ filter: Filter, ...both }),
  ])
}
export type Choice = { readonly ids: ReadonlyArray<string> } | { readonly filter: Filter }

export const Letter = Schema.Struct({
  /** Of this letter for as long as it lies here; letters that are alike to the last byte have the same. */
  id: Schema.String,
  reason: Schema.Literals(deadReasons),
  error: Schema.Struct({ name: Schema.String, message: Schema.String, stack: Schema.optionalKey(Schema.String) }),
  /** How often its handling was begun, as far as is known. */
  attempts: Schema.Number,
  /** `domain/type/id` of the actor it was for; "" when that is not known. */
  address: Schema.String,
  origin: Schema.Struct({
    exchange: Schema.String,
    routingKey: Schema.String,
    /** The node that sent it; "" when that is not known. */
    node: Schema.String,
    /** The address of the actor that sent it. */
    sender: Schema.optionalKey(Schema.String),
  }),
  /** When it died, ms since the epoch; 0 when that is not known. */
  at: Schema.Number,
  /** How often it was sent again from here. */
  replays: Schema.Number,
  /** The name of the message; "" when that is not known. */
  message: Schema.String,
  /** The beginning of the payload, as JSON; of what is no message of ours, as text or base64. */
  preview: Schema.String,
  /** Bytes of the payload. */
  size: Schema.Number,
})
export type Letter = typeof Letter.Type

/** The broker did not let us at the dead letters. Those that were not reached are where they were. */
export class DeadLettersOutOfReach extends Schema.TaggedError<DeadLettersOutOfReach>()("DeadLettersOutOfReach", {
  why: Schema.String,
}) {
  override get message(): string {
    return `the dead letters cannot be reached: ${this.why}; ask again`
  }
}

const patient = { error: DeadLettersOutOfReach, timeout: "1 minute" } as const

export const DeadLetters = protocol("dead-letters", "1.0.0", {
  /** The oldest come first. `limit` (default 100): how many are listed. `more`: others lie there, too. */
  list: ask({
    payload: Schema.Struct({ filter: Schema.optionalKey(Filter), limit: Schema.optionalKey(atLeastOne) }),
    reply: Schema.Struct({ letters: Schema.Array(Letter), more: Schema.Boolean }),
    ...patient,
  }),
  /** Sends letters again to where they were sent first. What is skipped or fails stays. */
  replay: ask({
    /** `force`: also those that were sent again `maxReplays` times. Default false. */
    payload: choice({ force: Schema.optionalKey(Schema.Boolean) }),
    reply: Schema.Struct({
      replayed: Schema.Number,
      /** Those that have been sent again too often. */
      skipped: Schema.Number,
      failed: Schema.Array(Schema.Struct({ id: Schema.String, why: Schema.String })),
    }),
    ...patient,
  }),
  /** Throws letters away, for good. Gives their number. */
  discard: ask({
    payload: choice({}),
    reply: Schema.Number,
    ...patient,
  }),
  /** How many lie there; what somebody else has in hand is not counted. */
  count: ask({ reply: Schema.Number, ...patient }),
})
