// Somebody who takes messages from a queue: a subscription, or a hand that fetches one at a time. It owns what it has not
// settled yet.

import type { Entry } from "./queue.ts"
import type { Seat } from "./roster.ts"
import type { Served } from "./served.ts"

export interface Handler {
  readonly delivery: (consumer: Consumer, entry: Entry) => void
  readonly cancelled: (why: string) => void
}

export class Consumer implements Seat {
  readonly queue: Served
  /** Undefined for a hand, which is told nothing. */
  readonly handler: Handler | undefined
  readonly #prefetch: number
  /** In order of delivery. */
  readonly unsettled = new Set<Entry>()
  waiting = false
  left = false

  constructor(queue: Served, prefetch: number, handler?: Handler) {
    this.queue = queue
    this.handler = handler
    this.#prefetch = prefetch
  }

  get hasRoom(): boolean {
    return this.unsettled.size < this.#prefetch
  }
}
