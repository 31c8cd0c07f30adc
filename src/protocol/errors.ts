// What may go wrong with a message, besides the errors that its protocol declares.
//
// E1. Every class says in its type whether the same call may be sent again (`retrySafe`), and in its message what to
//     do next. `retrySafe: true` means that no handler has seen the message.
// E2. The reasons travel over the wire by their Schemas; a field that a peer does not know is ignored.

import { Schema } from "effect"

/** The deadline passed first. The handler may have run, or may still run up to the same deadline. */
export class TimedOut extends Schema.TaggedError<TimedOut>()("TimedOut", {
  /** How long the caller waited, in ms. */
  after: Schema.Number,
}) {
  get retrySafe(): false {
    return false
  }
  override get message(): string {
    return `no reply within ${this.after} ms; it may have been handled: ask again only if the message is idempotent, or raise the timeout`
  }
}

/** No mailbox takes mail for this address: the broker returned the message. It was not handled. */
export class NoSuchActor extends Schema.TaggedError<NoSuchActor>()("NoSuchActor", { address: Schema.String }) {
  get retrySafe(): true {
    return true
  }
  override get message(): string {
    return `no mailbox for ${this.address}; start the actor, or check domain, id and the protocol's major version`
  }
}

/** The mailbox, or this node's outbox, holds as much as it may. The message was not handled. */
export class MailboxFull extends Schema.TaggedError<MailboxFull>()("MailboxFull", {
  /** What is full: a mailbox's address, or "outbox". */
  what: Schema.String,
}) {
  get retrySafe(): true {
    return true
  }
  override get message(): string {
    return `${this.what} is full; slow down and send again later, or add members to the clique`
  }
}

/** The message was refused before any handler saw it: unknown, badly formed, of a wrong version, or an ask cycle. */
export class Rejected extends Schema.TaggedError<Rejected>()("Rejected", { why: Schema.String }) {
  get retrySafe(): true {
    return true
  }
  override get message(): string {
    return `${this.why}; sent again unchanged it will be refused again`
  }
}

/** The handler failed with something its protocol does not declare. What it had done by then stays done. */
export class Crashed extends Schema.TaggedError<Crashed>()("Crashed", { why: Schema.String }) {
  get retrySafe(): false {
    return false
  }
  override get message(): string {
    return `the handler crashed: ${this.why}; ask again only if the message is idempotent`
  }
}

/** The caller gave up, or its system stopped. The handler may have run in part. */
export class Cancelled extends Schema.TaggedError<Cancelled>()("Cancelled", {}) {
  get retrySafe(): false {
    return false
  }
  override get message(): string {
    return "cancelled by the caller; it may have been handled in part"
  }
}

/** There is no usable link to the broker. */
export class Disconnected extends Schema.TaggedError<Disconnected>()("Disconnected", {
  why: Schema.String,
  /** Whether the message may have left this process before the link failed. */
  sent: Schema.Boolean,
}) {
  get retrySafe(): boolean {
    return !this.sent
  }
  override get message(): string {
    return this.sent
      ? `${this.why}; it may have been handled: send it again only if it is idempotent`
      : `${this.why}; it was not sent: send it again once the broker is reachable`
  }
}

export const AskReason = Schema.Union([TimedOut, NoSuchActor, MailboxFull, Rejected, Crashed, Cancelled, Disconnected])
export type AskReason = typeof AskReason.Type

/** How an ask or a tell ends when it ends neither with a value nor with a declared error. Read `reason`. */
export class AskError extends Schema.TaggedError<AskError>()("AskError", {
  /** `domain/type/id` of the actor that was called. */
  address: Schema.String,
  /** The name of the message in the protocol. */
  call: Schema.String,
  reason: AskReason,
}) {
  /** Whether the same call may be sent again without being handled twice. */
  get retrySafe(): boolean {
    return this.reason.retrySafe
  }
  override get message(): string {
    return `${this.call} @ ${this.address}: ${this.reason._tag}: ${this.reason.message}`
  }
}
