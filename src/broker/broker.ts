// The port to a message broker. AMQP-shaped (exchanges, queues, publish, consume, ack), so that everything above it is
// the same code on RabbitMQ and on the embedded broker. What takes time is an Effect; publish, delivery and settling are
// plain calls, because they are the hot path.
//
// B1. A link is one life: it is opened, it may be lost, it never comes back. A reconnect is a new link.
// B2. Every `publish` settles exactly once, at the latest when the confirm times out or the link is lost.
// B3. After the link is lost no listener is called, and `ack`/`nack` of its deliveries do nothing: the broker has
//     already put them back.
// B4. Listeners are called from the event loop, never from inside a call into the link.

import { Context, type Effect, type Scope } from "effect"
import type { BrokerError, LinkLost, PublishFailure } from "./errors.ts"

export type Scalar = string | number | boolean

/** AMQP 0-9-1 basic properties (spec 1.8.3), those that Warren uses. */
export interface Properties {
  readonly contentType?: string
  readonly contentEncoding?: string
  readonly headers?: Readonly<Record<string, Scalar>>
  /** Stored on disk (delivery-mode 2). Default false. */
  readonly persistent?: boolean
  readonly correlationId?: string
  readonly replyTo?: string
  /** ms that the message may wait in a queue. */
  readonly expiration?: number
  readonly messageId?: string
  /** ms since the epoch; AMQP keeps seconds. */
  readonly timestamp?: number
  readonly type?: string
  readonly appId?: string
}

export interface Outgoing extends Properties {
  /** "" is the default exchange: `routingKey` then names a queue. */
  readonly exchange: string
  readonly routingKey: string
  readonly body: Uint8Array
  /** Fail with `Unroutable` when no queue takes it. Default false. */
  readonly mandatory?: boolean
}

/** What arrives. A foreign peer may have set any header, of any type: nothing of it is to be trusted. */
export interface Incoming extends Omit<Properties, "headers"> {
  readonly exchange: string
  readonly routingKey: string
  readonly body: Buffer
  readonly headers: Readonly<Record<string, unknown>>
}

export interface Delivery {
  readonly message: Incoming
  /** The broker has handed it out before. */
  readonly redelivered: boolean
  /**
   * How often it came back, counted by a quorum queue; undefined where the queue does not count. RabbitMQ from
   * 4.3 does not count a nack, and 4.0 lets a dead letter keep `redelivered` and the count of the queue it died in.
   */
  readonly returns: number | undefined
  readonly ack: () => void
  /** Put it back (at its old place, where the broker can), or give it to the queue's dead-letter exchange. */
  readonly nack: (options: { readonly requeue: boolean }) => void
}

export interface ExchangeSpec {
  readonly name: string
  readonly type: "direct" | "topic" | "fanout"
}

export interface QueueSpec {
  readonly name: string
  /**
   * `quorum` is replicated, counts redeliveries and survives; `classic` is cheaper. A `stream` is a replicated log: reading
   * takes nothing out of it, and an ack only makes room for more; do not nack. All are declared durable.
   */
  readonly type: "quorum" | "classic" | "stream"
  /** ms without consumers (and re-declarations) after which the broker deletes the queue. Default: never. */
  readonly expires?: number
  /** Messages ready in the queue at most. Default: no bound. */
  readonly maxLength?: number
  /** What gives way at `maxLength`: `newest`, the publish is nacked (default); `oldest`, it becomes a dead letter. */
  readonly overflow?: "newest" | "oldest"
  /** Returns after which the broker dead-letters a message; quorum only, and always given for quorum. */
  readonly deliveryLimit?: number
  readonly deadLetter?: { readonly exchange: string; readonly routingKey: string }
  /** One consumer at a time gets messages, the others stand by. Default false. */
  readonly singleActiveConsumer?: boolean
  /** How much a stream keeps; of a stream alone. Default: everything. */
  readonly retention?: Retention
}

/** What is beyond any of these may go. RabbitMQ lets go of whole segments, and never of the one that is written to. */
export interface Retention {
  /** Seconds. */
  readonly age?: number
  readonly bytes?: number
  /** Bytes of one segment. Default 500 MB. */
  readonly segment?: number
}

/**
 * Where reading of a stream begins: at its first message, at the newest, behind the newest, at the message with this number
 * (they count from 0), or at what is at most so many seconds old; the last one may begin some messages earlier.
 */
export type StreamStart = "first" | "last" | "next" | number | { readonly seconds: number }

/** The header of a delivery from a stream that says its number. The broker sets it, whatever the sender did. */
export const offsetHeader = "x-stream-offset"

export interface Binding {
  readonly queue: string
  readonly exchange: string
  readonly routingKey: string
}

/** What declare-ok says: messages that are ready, and consumers. */
export interface QueueState {
  readonly messages: number
  readonly consumers: number
}

export interface Listener {
  readonly delivery: (delivery: Delivery) => void
  /**
   * The broker ended this consumer, and the link lives on: its queue was deleted, it took too long (from RabbitMQ 4.3), or
   * its channel died, and all the consumers on that with it.
   */
  readonly cancelled: (why: string) => void
}

export interface ConsumeOptions {
  /** How many deliveries may be unsettled at once. Of a stream RabbitMQ 3 hands out some more: whole chunks. */
  readonly prefetch: number
  /** Of a stream alone. Default `next`. */
  readonly from?: StreamStart
}

export interface Consumer {
  /** No delivery after this. What was delivered may still be acked or nacked. */
  readonly cancel: Effect.Effect<void, BrokerError>
}

/** Consumers on a channel of their own. */
export interface Channel {
  /** As `Link.consume`. Fails with `LinkLost` once the channel is over, though the link may live: open another one. */
  readonly consume: Link["consume"]
  /**
   * Ends its consumers and puts back, in one step and in its order, everything that was delivered here and is not settled:
   * before all that was never delivered, and on a quorum queue behind what was put back earlier and still waits. What was
   * acked before is acked. Once it is done nothing is delivered here any more, and the listeners are not told of it; the
   * queue of a RabbitMQ may have its messages back a moment later. Idempotent; done at once when the link is lost. A broker
   * that does not answer in time costs the link (`LinkLost`).
   */
  readonly close: Effect.Effect<void, BrokerError>
}

/** What this broker is, read once per link. */
export interface Capabilities {
  readonly product: string
  readonly version: string
}

/** One live connection. It is closed by its Scope. */
export interface Link {
  /** Like no other. Where the broker shows connections by name, the names of the link's end with a space and this. */
  readonly id: string
  readonly capabilities: Capabilities
  /** Never succeeds; fails when the link is lost. Closing the scope is not a loss. */
  readonly lost: Effect.Effect<never, LinkLost>
  /** Why the broker takes no publishes now (memory or disk alarm), or undefined. */
  readonly blocked: () => string | undefined
  /** Called at each change of `blocked`. */
  readonly onBlocked: (listener: (why: string | undefined) => void) => void
  readonly declareExchange: (spec: ExchangeSpec) => Effect.Effect<void, BrokerError>
  /**
   * Idempotent; `Refused` with a diff when the queue exists with other arguments, `Inaccessible` while the node of the
   * broker's cluster that has it is down. So are the other requests about such a queue, if they are answered at all.
   */
  readonly declareQueue: (spec: QueueSpec) => Effect.Effect<QueueState, BrokerError>
  readonly bind: (binding: Binding) => Effect.Effect<void, BrokerError>
  readonly unbind: (binding: Binding) => Effect.Effect<void, BrokerError>
  /** `NotFound` when there is none. */
  readonly inspectQueue: (name: string) => Effect.Effect<QueueState, BrokerError>
  /** Idempotent. */
  readonly deleteQueue: (name: string) => Effect.Effect<void, BrokerError>
  readonly purgeQueue: (name: string) => Effect.Effect<void, BrokerError>
  /** Publishes with a confirm. `settled` gets undefined once the broker has taken responsibility. */
  readonly publish: (message: Outgoing, settled: (failure: PublishFailure | undefined) => void) => void
  readonly consume: (queue: string, options: ConsumeOptions, listener: Listener) => Effect.Effect<Consumer, BrokerError>
  /** A channel of one's own: for who has to let go of all it holds at once. `consume` shares channels. */
  readonly openChannel: Effect.Effect<Channel, BrokerError>
  /** Takes one message by hand; undefined when the queue is empty. `Refused` for a stream, which can only be consumed. */
  readonly get: (queue: string) => Effect.Effect<Delivery | undefined, BrokerError>
}

/** Opens links. Retrying is the business of the supervisor above. */
export class Broker extends Context.Service<
  Broker,
  {
    /** Where links lead, for people: no password in it. */
    readonly name: string
    readonly connect: Effect.Effect<Link, BrokerError, Scope.Scope>
  }
>()("warren/Broker") {}
