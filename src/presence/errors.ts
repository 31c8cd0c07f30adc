// How the registry fails. Each message says what to do next.

import { Schema } from "effect"

/** Nobody came who serves what was looked for. */
export class NobodyServes extends Schema.TaggedError<NobodyServes>()("NobodyServes", {
  /** The filter, as text. */
  wanted: Schema.String,
  /** How long was waited, ms. */
  after: Schema.Number,
  /** What was there instead. */
  why: Schema.String,
}) {
  get retrySafe(): true {
    return true
  }
  override get message(): string {
    return `nobody has served ${this.wanted} within ${this.after} ms: ${this.why}; start the actor, or check domain, type, id and version, or wait longer`
  }
}

/** What the other nodes run could not be learned. */
export class RegistryClosed extends Schema.TaggedError<RegistryClosed>()("RegistryClosed", { why: Schema.String }) {
  get retrySafe(): true {
    return true
  }
  override get message(): string {
    return `the registry cannot be read: ${this.why}; ask again once the broker is reachable`
  }
}
