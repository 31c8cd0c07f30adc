// The messages of one queue: ready, in hand, given back, expired, too many. Pure data, time comes in as a number.
//
// Q1. What was given back goes before what was never delivered. A classic queue sorts it by its original place; a quorum
//     queue keeps the order in which it was given back (measured on RabbitMQ 3.10.8, 4.0.5 and 4.3.6: the two differ when
//     several hold, and when one holds less than what was given back before).
// Q2. A message expires only at the head, in hand never; given back it may expire at once.
// Q3. A quorum queue counts returns; one more than the limit and the message dies. Limit N is N + 1 deliveries.
// Q4. `maxLength` counts what is ready. A classic queue is full at the limit. A quorum queue notices when it is over the
//     limit, and takes more when four fifths of it are left: so does RabbitMQ. One that lets the oldest go is never full.

import type { QueueSpec } from "../broker.ts"
import { Fifo } from "./fifo.ts"
import { Heap } from "./heap.ts"
import type { Stored } from "./message.ts"

/** Where a quorum queue was declared without one: as in RabbitMQ 4. */
export const defaultDeliveryLimit = 20

/** One message in one queue. */
export interface Entry {
  readonly message: Stored
  /** ms since the epoch; Infinity when it never expires. */
  readonly deadline: number
  /** Q1: among what was given back the least goes first. */
  place: number
  returns: number
  redelivered: boolean
}

export class Queue {
  readonly spec: QueueSpec
  readonly #fresh = new Fifo<Entry>()
  readonly #returned = new Heap<Entry>((entry) => entry.place)
  #places = 0
  #unacked = 0
  #over = false

  constructor(spec: QueueSpec) {
    this.spec = spec
  }

  get ready(): number {
    return this.#fresh.size + this.#returned.size
  }

  get unacked(): number {
    return this.#unacked
  }

  /** Q4: the next publish is refused. */
  get full(): boolean {
    const { maxLength, overflow, type } = this.spec
    if (maxLength === undefined || overflow === "oldest") return false
    return type === "classic" ? this.ready >= maxLength : this.#over
  }

  enqueue(message: Stored, now: number): void {
    this.#fresh.push({
      message,
      deadline: message.expiration === undefined ? Number.POSITIVE_INFINITY : now + message.expiration,
      place: this.#places++,
      returns: 0,
      redelivered: false,
    })
  }

  head(): Entry | undefined {
    return this.#returned.peek() ?? this.#fresh.peek()
  }

  /** Hands out the head; it stays `unacked` until `settle` or `giveBack`. */
  take(): Entry | undefined {
    const entry = this.#remove()
    if (entry !== undefined) this.#unacked++
    return entry
  }

  /**
   * Removes the head when it has expired (Q2), to be called until it returns undefined.
   * @param by removes what expires before this moment (ms since the epoch).
   */
  expire(by: number): Entry | undefined {
    const head = this.head()
    return head !== undefined && head.deadline < by ? this.#remove() : undefined
  }

  /** Removes the head when there are too many (Q4), to be called until it returns undefined. */
  evict(): Entry | undefined {
    const { maxLength = Number.POSITIVE_INFINITY, overflow } = this.spec
    return overflow === "oldest" && this.ready > maxLength ? this.#remove() : undefined
  }

  /** It was acked, or rejected for good. */
  settle(): void {
    this.#unacked--
  }

  /** Puts an unacked message back. False when it has died of it (Q3). */
  giveBack(entry: Entry): boolean {
    this.#unacked--
    entry.redelivered = true
    if (this.spec.type === "quorum") {
      entry.returns++
      if (entry.returns > (this.spec.deliveryLimit ?? defaultDeliveryLimit)) return false
      entry.place = this.#places++
    }
    this.#returned.push(entry)
    return true
  }

  /** Removes what is ready, and says how much that was. What is in hand stays. */
  purge(): number {
    const removed = this.ready
    this.#fresh.clear()
    this.#returned.clear()
    return removed
  }

  /** Q4, to be called when a change is complete: a message that passes straight through never counts. */
  weigh(): void {
    const { maxLength } = this.spec
    if (maxLength === undefined) return
    this.#over = this.#over ? this.ready > Math.trunc(maxLength * 0.8) : this.ready > maxLength
  }

  #remove(): Entry | undefined {
    return this.#returned.pop() ?? this.#fresh.shift()
  }
}
