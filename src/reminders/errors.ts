// How a call about reminders fails. A reminder is known by its name, so that each of them may always be made again.

import { Schema } from "effect"

const fields = {
  /** `domain/type/id` of the actor. */
  address: Schema.String,
  /** What was asked, e.g. `remind "daily"`. */
  call: Schema.String,
  why: Schema.String,
}

/** Nothing has changed. */
export class ReminderRefused extends Schema.TaggedError<ReminderRefused>()("ReminderRefused", fields) {
  get retrySafe(): true {
    return true
  }
  override get message(): string {
    return `${this.call} @ ${this.address}: ${this.why}; asked again unchanged it will be refused again`
  }
}

/** There was no answer in time: it may have been done, or may still be. */
export class ReminderUnanswered extends Schema.TaggedError<ReminderUnanswered>()("ReminderUnanswered", fields) {
  get retrySafe(): true {
    return true
  }
  override get message(): string {
    return `${this.call} @ ${this.address}: ${this.why}. It may have been done; doing it again is safe, for it replaces what there is`
  }
}
