// How the broker fails. Each class says whether the supervisor above should try again.
//
// F1. `fatal: true` means that no retry can help (credentials, vhost, clashing declarations): the supervisor does not
//     restart, the whole tree stops with this message, which names what differs and what to do.

import { Schema } from "effect"

/** The link to the broker is gone: socket, heartbeat, broker shutdown. A new link may be opened. */
export class LinkLost extends Schema.TaggedError<LinkLost>()("LinkLost", { why: Schema.String }) {
  override get message(): string {
    return `lost the broker: ${this.why}`
  }
}

/** The broker refused for a reason that stays: wrong password, missing vhost, a clash of arguments, no permission. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  /** What was attempted, e.g. `declare queue warren.mailbox.acme.counter.main.v1`. */
  what: Schema.String,
  /** What the broker answered, and for a clash what differs. */
  why: Schema.String,
  /** What the operator can do about it. */
  next: Schema.String,
}) {
  get fatal(): true {
    return true
  }
  override get message(): string {
    return `the broker refused to ${this.what}: ${this.why.replace(/\.$/, "")}. ${this.next}`
  }
}

/** No queue takes the message (`mandatory`). It was not stored. */
export class Unroutable extends Schema.TaggedError<Unroutable>()("Unroutable", {
  exchange: Schema.String,
  routingKey: Schema.String,
}) {
  override get message(): string {
    return `no queue is bound to ${this.exchange || "the default exchange"} with key ${this.routingKey}`
  }
}

/** The broker said no to a publish: the queue is full (`reject-publish`), or it could not store the message. */
export class Nacked extends Schema.TaggedError<Nacked>()("Nacked", {
  exchange: Schema.String,
  routingKey: Schema.String,
}) {
  override get message(): string {
    return `the broker did not take a message for ${this.exchange || "the default exchange"} / ${this.routingKey}`
  }
}

/** The broker did not confirm in time; whether it stored the message is not known. */
export class ConfirmTimedOut extends Schema.TaggedError<ConfirmTimedOut>()("ConfirmTimedOut", {
  /** ms. */
  after: Schema.Number,
  /** Why no confirm can come any more, where that is known: the channel died under it. */
  why: Schema.optionalKey(Schema.String),
}) {
  override get message(): string {
    return `no confirm from the broker within ${this.after} ms${this.why === undefined ? "" : ` (${this.why})`}`
  }
}

/** A message that the protocol or the broker cannot carry: refused here, before the client library sees it. */
export class Oversized extends Schema.TaggedError<Oversized>()("Oversized", {
  /** The field, e.g. `routingKey`, `header x`, `body`. */
  what: Schema.String,
  why: Schema.String,
}) {
  override get message(): string {
    return `${this.what}: ${this.why}`
  }
}

/** A queue or exchange that was named does not exist. */
export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { what: Schema.String }) {
  override get message(): string {
    return `the broker knows no ${this.what}`
  }
}

/** A queue is there, but the node of the broker's cluster that it lives on is not. The link lives; a retry helps once it is. */
export class Inaccessible extends Schema.TaggedError<Inaccessible>()("Inaccessible", {
  /** What was attempted, e.g. `declare queue warren.mailbox.acme.counter.main.v1`. */
  what: Schema.String,
  why: Schema.String,
}) {
  override get message(): string {
    return `the broker cannot ${this.what} now: ${this.why}`
  }
}

/** `Refused` when the user may not write to the exchange. */
export type PublishFailure = LinkLost | Unroutable | Nacked | ConfirmTimedOut | Oversized | Refused
export type BrokerError = LinkLost | Refused | NotFound | Inaccessible

/** The channel of one's own that `what` was asked of is over. The link may live, so that a retry on another one helps. */
export const channelOver = (what: string, why = "its channel was closed"): LinkLost =>
  new LinkLost({ why: `${what}: ${why}; open another channel` })
