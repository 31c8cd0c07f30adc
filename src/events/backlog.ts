// What waits for one subscriber, in order. Pure data, time comes in as a number.
//
// W1. It is bounded in items and in bytes. Beyond that the oldest go, and are counted for the next that is taken.
// W2. What crashed somebody goes back to its place, and is from then on taken alone.

import { MutableList } from "effect"
import type { Arrival } from "./arrival.ts"

/** An event, as it waits for one subscriber. */
export interface Waiting {
  readonly event: Arrival
  /** When it came, ms since the epoch. */
  readonly since: number
  /** How often its handling was begun. */
  begun: number
  /** It crashed its handler together with others. */
  alone: boolean
  /** Events that were left out before it. */
  dropped: number
  /** The link was lost before it. */
  gap: boolean
}

export const isSuspect = ({ begun, alone }: Waiting): boolean => begun > 0 || alone

export interface Bounds {
  readonly items: number
  readonly bytes: number
}

export class Backlog {
  readonly #bounds: Bounds
  readonly #list = MutableList.make<Waiting>()
  #bytes = 0
  /** To be told with the next that is taken, and with the next that comes. */
  #dropped = 0
  #droppedGap = false
  #gap = false

  constructor(bounds: Bounds) {
    this.#bounds = bounds
  }

  get length(): number {
    return this.#list.length
  }

  get first(): Waiting | undefined {
    return MutableList.toArrayN(this.#list, 1)[0]
  }

  /** Nothing more fits without dropping something. */
  isFull(bytes: number): boolean {
    return this.#list.length >= this.#bounds.items || this.#bytes + bytes > this.#bounds.bytes
  }

  /** W1. One that is larger than all that may wait is taken when it is alone. */
  push(event: Arrival, now: number): void {
    while (this.#list.length > 0 && this.isFull(event.bytes)) this.#drop()
    MutableList.append(this.#list, { event, since: now, begun: 0, alone: false, dropped: 0, gap: this.#gap })
    this.#gap = false
    this.#bytes += event.bytes
  }

  /** The link was lost: what comes next comes behind a gap. */
  lose(): void {
    this.#gap = true
  }

  /** How many at the head may be taken together, at most `most` (W2). */
  run(most: number): number {
    const head = MutableList.toArrayN(this.#list, most)
    const suspect = head.findIndex(isSuspect)
    return suspect === -1 ? head.length : Math.max(1, suspect)
  }

  /** Takes so many from the head. */
  take(count: number): ReadonlyArray<Waiting> {
    const taken = MutableList.takeN(this.#list, count)
    for (const { event } of taken) this.#bytes -= event.bytes
    const [first] = taken
    if (first !== undefined) {
      first.dropped += this.#dropped
      first.gap ||= this.#droppedGap
      this.#dropped = 0
      this.#droppedGap = false
    }
    return taken
  }

  /** W2. */
  putBack(taken: ReadonlyArray<Waiting>): void {
    for (const waiting of taken.toReversed()) {
      MutableList.prepend(this.#list, waiting)
      this.#bytes += waiting.event.bytes
    }
  }

  clear(): void {
    MutableList.clear(this.#list)
    this.#bytes = 0
  }

  #drop(): void {
    const oldest = MutableList.take(this.#list)
    if (oldest === MutableList.Empty) return
    this.#bytes -= oldest.event.bytes
    this.#dropped += 1 + oldest.dropped
    this.#droppedGap ||= oldest.gap
  }
}
