// One destination of what leaves this node, with what waits for it and what is known of it.

import type { Outgoing } from "../broker/broker.ts"
import type { Nacked, Oversized, Refused, Unroutable } from "../broker/errors.ts"
import type { PlainCopy } from "../wire/plain-copy.ts"

/** A queue for replies, whose name may change. */
export interface ReplyQueue {
  readonly name: string
}

export interface Destination {
  readonly exchange: string
  readonly routingKey: string
  readonly mandatory: boolean
  /** The node that the items of a batch name as their origin, and its inbox: that of the moment in which they leave. */
  readonly node: string
  readonly replyTo?: ReplyQueue
  /** Whether several consumers may share it: then no batch holds more work than a moment's. */
  readonly spread: boolean
  /** What a nack means: the queue is full (`fail`), or wait for the broker to recover (`retry`). */
  readonly onNack: "fail" | "retry"
}

/** A whole AMQP message, for peers that do not speak batches and for dead letters. */
export type Ready = Omit<Outgoing, "exchange" | "routingKey" | "mandatory">

export type Refusal = Unroutable | Nacked | Oversized | Refused

/** One item, as JSON or to be packed with its batch, or a message of its own. */
export type Content = string | PlainCopy | Ready

export interface Parcel {
  readonly content: Content
  readonly persistent: boolean
  /** Called once. A lost link is not an end: the parcel is sent again. */
  settled(failure: Refusal | undefined): void
  /** Taken even when the outbox is full. Default false. */
  readonly owed?: boolean
  /** Asked before each attempt to send it; false drops it silently, without `settled`. Default: always wanted. */
  wanted?(): boolean
  /** When it was pushed, and its bytes: the outbox's own. */
  order?: number
  bytes?: number
}

/** ms of work that one batch should hold at most, and the items sent while the work of one is not known. */
const maxWork = 5
const unknownItems = 64
/** Items in one batch. */
export const maxItems = 512

/** How many items one batch may carry, given how long the receiver takes for one. */
export const batchSize = (service: number): number =>
  service === 0 ? unknownItems : Math.max(1, Math.min(maxItems, Math.floor(maxWork / service)))

export const keyOf = ({ exchange, routingKey, node, mandatory }: Destination): string =>
  `${exchange}\n${routingKey}\n${node}${mandatory ? "" : "\n"}`

export class Lane {
  readonly destination: Destination
  readonly key: string
  waiting: Array<Parcel> = []
  /** Something was put back and has to go to its old place. */
  disordered = false
  dirty = false
  inFlight = 0
  /** Idle for so long that the outbox does not know it any more. */
  forgotten = false
  /** Where its actor's mail may travel together with that of others. */
  via: Lane | undefined = undefined
  /** Its actor would like its mail in MessagePack. */
  packs = false
  /** Average ms that one item takes at the far end; 0 = not known. */
  #service = 0

  constructor(destination: Destination, key = keyOf(destination)) {
    this.destination = destination
    this.key = key
  }

  get idle(): boolean {
    return this.waiting.length === 0 && this.inFlight === 0
  }

  get batchSize(): number {
    return this.destination.spread ? batchSize(this.#service) : maxItems
  }

  /** One more item took so many ms at the far end. */
  observe(service: number): void {
    const floor = Math.max(service, 0.001)
    this.#service = this.#service === 0 ? floor : this.#service * 0.9 + floor * 0.1
  }
}
