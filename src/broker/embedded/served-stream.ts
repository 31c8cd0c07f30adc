// A stream at work: its log, and how far each of its consumers has read.
//
// S1. Every consumer gets every message from its start on, in order, as fast as it settles what it has; nothing comes back.
// S2. Who is slower than retention goes on with the oldest message that is left.

import { offsetHeader, type QueueSpec, type QueueState, type StreamStart } from "../broker.ts"
import type { Alarms } from "./alarms.ts"
import { Consumer, type Handler } from "./consumer.ts"
import { Log } from "./log.ts"
import type { Stored } from "./message.ts"
import type { Entry } from "./queue.ts"
import type { Served } from "./served.ts"

export class ServedStream implements Served {
  readonly spec: QueueSpec
  readonly full = false
  readonly fetchable = false
  readonly #alarms: Alarms
  readonly #log: Log
  /** The number that each of them gets next. */
  readonly #readers = new Map<Consumer, number>()

  constructor(spec: QueueSpec, alarms: Alarms) {
    this.spec = spec
    this.#alarms = alarms
    this.#log = new Log(spec.retention ?? {})
  }

  get ready(): number {
    return this.#log.end - this.#log.first
  }

  get unacked(): number {
    return [...this.#readers.keys()].reduce((sum, { unsettled }) => sum + unsettled.size, 0)
  }

  get subscriptions(): number {
    return this.#readers.size
  }

  state(): QueueState {
    return { messages: this.ready, consumers: this.subscriptions }
  }

  touch(): void {}

  enqueue(message: Stored): void {
    this.#log.append(message, this.#alarms.now())
    for (const consumer of this.#readers.keys()) this.#serve(consumer)
  }

  subscribe(prefetch: number, handler: Handler, from: StreamStart = "next"): Consumer {
    const consumer = new Consumer(this, prefetch, handler)
    const now = this.#alarms.now()
    this.#log.trim(now)
    this.#readers.set(consumer, this.#log.locate(from, now))
    this.#serve(consumer)
    return consumer
  }

  cancel(consumer: Consumer): void {
    consumer.left = true
    this.#readers.delete(consumer)
  }

  ack(consumer: Consumer, entry: Entry): void {
    if (consumer.unsettled.delete(entry)) this.#serve(consumer)
  }

  nack(consumer: Consumer, entry: Entry): void {
    this.ack(consumer, entry)
  }

  release(consumers: ReadonlyArray<Consumer>): void {
    for (const consumer of consumers) {
      this.cancel(consumer)
      consumer.unsettled.clear()
    }
  }

  close(why: string): void {
    for (const consumer of [...this.#readers.keys()]) {
      this.cancel(consumer)
      consumer.handler?.cancelled(why)
    }
  }

  // What a stream cannot do is refused before it gets here (link.ts, channel.ts).
  purge(): void {}

  fetch(): undefined {}

  /** S1, S2. */
  #serve(consumer: Consumer): void {
    for (;;) {
      const wanted = this.#readers.get(consumer)
      if (wanted === undefined || !consumer.hasRoom) return
      const offset = Math.max(wanted, this.#log.first)
      const message = this.#log.at(offset)
      if (message === undefined) return
      this.#readers.set(consumer, offset + 1)
      const entry = read(message, offset)
      consumer.unsettled.add(entry)
      consumer.handler?.delivery(consumer, entry)
    }
  }
}

const read = (message: Stored, offset: number): Entry => ({
  message: { ...message, headers: { ...message.headers, [offsetHeader]: offset } },
  deadline: Number.POSITIVE_INFINITY,
  place: offset,
  returns: 0,
  redelivered: false,
})
