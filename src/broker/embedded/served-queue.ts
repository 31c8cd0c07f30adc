// A queue at work: its messages, its consumers and its timers. It changes at once with each call; consumers are told
// through their handlers, which only put things on their link's line.
//
// S1. It hands out for as long as it has a message and a consumer with room, after every change.
// S2. A settled message stays settled: a second ack, or one after the link or the queue has gone, does nothing.
// S3. `expires` counts from the last use: the end of a subscription, a fetch by hand, and for a classic queue a
//     declaration or inspection. It is not while somebody is subscribed.

import type { QueueSpec, QueueState } from "../broker.ts"
import type { Alarm, Alarms } from "./alarms.ts"
import { Consumer, type Handler } from "./consumer.ts"
import type { DeathReason, Stored } from "./message.ts"
import { type Entry, Queue } from "./queue.ts"
import { Roster } from "./roster.ts"
import type { Served } from "./served.ts"

export interface Surroundings {
  /** A message has left the queue otherwise than by an ack. */
  readonly died: (message: Stored, reason: DeathReason, from: QueueSpec) => void
  /** `expires` has passed. */
  readonly unused: (queue: ServedQueue) => void
}

export class ServedQueue implements Served {
  readonly #queue: Queue
  readonly #roster: Roster<Consumer>
  readonly #alarms: Alarms
  readonly #surroundings: Surroundings
  /** Those that are not subscribed and still have something in hand. */
  readonly #lingering = new Set<Consumer>()
  #serving = false
  #closed = false
  #usedAt = 0
  #headAlarm: Alarm | undefined
  #idleAlarm: Alarm | undefined

  constructor(spec: QueueSpec, alarms: Alarms, surroundings: Surroundings) {
    this.#queue = new Queue(spec)
    this.#roster = new Roster(spec.singleActiveConsumer === true)
    this.#alarms = alarms
    this.#surroundings = surroundings
    this.#use()
  }

  get spec(): QueueSpec {
    return this.#queue.spec
  }

  /** The next publish is to be refused. */
  get full(): boolean {
    return this.#queue.full
  }

  get ready(): number {
    return this.#queue.ready
  }

  get unacked(): number {
    return this.#queue.unacked
  }

  get subscriptions(): number {
    return this.#roster.size
  }

  /** RabbitMQ lets nobody fetch from a quorum queue with a single active consumer. */
  get fetchable(): boolean {
    return this.spec.type === "classic" || this.spec.singleActiveConsumer !== true
  }

  /**
   * What RabbitMQ says: a quorum queue counts whoever holds something, cancelled or fetching by hand, and with a single
   * active consumer not those that stand by.
   */
  state(): QueueState {
    const { type, singleActiveConsumer } = this.spec
    const subscribed = this.#roster.size
    if (type === "classic") return { messages: this.ready, consumers: subscribed }
    const served = singleActiveConsumer === true ? Math.min(1, subscribed) : subscribed
    return { messages: this.ready, consumers: served + this.#lingering.size }
  }

  /** Somebody asked about it or declared it again (S3). */
  touch(): void {
    if (this.spec.type === "classic") this.#use()
  }

  enqueue(message: Stored): void {
    this.#queue.enqueue(message, message.expiration === undefined ? 0 : this.#alarms.now())
    this.#serve()
  }

  purge(): void {
    this.#queue.purge()
    this.#queue.weigh()
  }

  subscribe(prefetch: number, handler: Handler): Consumer {
    const consumer = new Consumer(this, prefetch, handler)
    this.#roster.join(consumer)
    this.#serve()
    return consumer
  }

  /** Ends a subscription; what it has in hand may still be settled. */
  cancel(consumer: Consumer): void {
    if (consumer.left) return
    this.#roster.leave(consumer)
    if (consumer.unsettled.size > 0) this.#lingering.add(consumer)
    this.#use()
    this.#serve()
  }

  /** Takes one message by hand. */
  fetch(hand: Consumer): Entry | undefined {
    this.#use()
    this.#expire(1)
    const entry = this.#queue.take()
    if (entry !== undefined) {
      hand.unsettled.add(entry)
      this.#lingering.add(hand)
    }
    this.#queue.weigh()
    this.#watchHead()
    return entry
  }

  ack(consumer: Consumer, entry: Entry): void {
    if (!this.#settles(consumer, entry)) return
    this.#queue.settle()
    this.#roster.ready(consumer)
    this.#serve()
  }

  nack(consumer: Consumer, entry: Entry, requeue: boolean): void {
    if (!this.#settles(consumer, entry)) return
    if (requeue) {
      this.#giveBack(entry)
    } else {
      this.#queue.settle()
      this.#surroundings.died(entry.message, "rejected", this.spec)
    }
    this.#roster.ready(consumer)
    this.#serve()
  }

  /** The link or channel of these consumers has gone: they leave together, then everything they had in hand comes back. */
  release(consumers: ReadonlyArray<Consumer>): void {
    for (const consumer of consumers) {
      this.#roster.leave(consumer)
      this.#lingering.delete(consumer)
    }
    for (const consumer of consumers) {
      const entries = [...consumer.unsettled]
      consumer.unsettled.clear()
      if (!this.#closed) for (const entry of entries) this.#giveBack(entry)
    }
    this.#use()
    this.#serve()
  }

  /** It was deleted. */
  close(why: string): void {
    this.#closed = true
    if (this.#headAlarm !== undefined) this.#headAlarm.cancelled = true
    if (this.#idleAlarm !== undefined) this.#idleAlarm.cancelled = true
    for (const consumer of this.#roster.members()) {
      this.#roster.leave(consumer)
      consumer.handler?.cancelled(why)
    }
  }

  /** S2. */
  #settles(consumer: Consumer, entry: Entry): boolean {
    if (!consumer.unsettled.delete(entry)) return false
    if (consumer.left && consumer.unsettled.size === 0) this.#lingering.delete(consumer)
    return !this.#closed
  }

  #giveBack(entry: Entry): void {
    if (!this.#queue.giveBack(entry)) this.#surroundings.died(entry.message, "delivery_limit", this.spec)
  }

  /** S1. A dead letter may come back to this very queue meanwhile: then the loop that runs already sees it. */
  #serve(): void {
    if (this.#serving || this.#closed) return
    this.#serving = true
    for (;;) {
      this.#expire(0)
      const consumer = this.#queue.ready > 0 ? this.#roster.next() : undefined
      if (consumer === undefined) break
      const entry = this.#queue.take()!
      consumer.unsettled.add(entry)
      this.#roster.ready(consumer)
      consumer.handler?.delivery(consumer, entry)
    }
    // An expiration of 0 means: at once or never. By now nobody is there to take it.
    this.#expire(1)
    for (let entry = this.#queue.evict(); entry !== undefined; entry = this.#queue.evict()) {
      this.#surroundings.died(entry.message, "maxlen", this.spec)
    }
    this.#queue.weigh()
    this.#serving = false
    this.#watchHead()
  }

  /** Lets the head die while its time is up. @param ahead ms: 0 spares what expires at this very moment. */
  #expire(ahead: 0 | 1): void {
    const head = this.#queue.head()
    if (head === undefined || head.deadline === Number.POSITIVE_INFINITY) return
    const by = this.#alarms.now() + ahead
    for (;;) {
      const entry = this.#queue.expire(by)
      if (entry === undefined) return
      this.#surroundings.died(entry.message, "expired", this.spec)
    }
  }

  /** One alarm, at the head's deadline or before: too early does no harm. */
  #watchHead(): void {
    const head = this.#queue.head()
    if (head === undefined || head.deadline === Number.POSITIVE_INFINITY) return
    if (this.#headAlarm !== undefined) {
      if (this.#headAlarm.at <= head.deadline) return
      this.#headAlarm.cancelled = true
    }
    this.#headAlarm = this.#alarms.at(head.deadline, () => {
      this.#headAlarm = undefined
      this.#serve()
    })
  }

  #use(): void {
    const { expires } = this.spec
    if (expires === undefined) return
    this.#usedAt = this.#alarms.now()
    if (this.#idleAlarm === undefined) this.#watchUse(this.#usedAt + expires)
  }

  #watchUse(end: number): void {
    this.#idleAlarm = this.#alarms.at(end, () => {
      this.#idleAlarm = undefined
      if (this.#closed || this.#roster.size > 0) return
      const end = this.#usedAt + (this.spec.expires ?? 0)
      if (this.#alarms.now() < end) this.#watchUse(end)
      else this.#surroundings.unused(this)
    })
  }
}
