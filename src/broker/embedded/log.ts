// The messages of one stream, by number. Pure data, time comes in as a number.
//
// L1. A number is given once: what retention takes away leaves the others theirs.
// L2. Retention spares the newest message.

import type { Retention, StreamStart } from "../broker.ts"
import { Fifo } from "./fifo.ts"
import type { Stored } from "./message.ts"

interface Line {
  readonly message: Stored
  /** When it came, ms since the epoch. */
  readonly at: number
}

export class Log {
  readonly #retention: Retention
  #lines = new Fifo<Line>()
  #first = 0
  #bytes = 0

  constructor(retention: Retention) {
    this.#retention = retention
  }

  /** The number of the oldest message that is kept. */
  get first(): number {
    return this.#first
  }

  /** The number that the next message gets. */
  get end(): number {
    return this.#first + this.#lines.size
  }

  append(message: Stored, now: number): void {
    this.#lines.push({ message, at: now })
    this.#bytes += message.body.byteLength
    this.trim(now)
  }

  /** Undefined for what is not there. */
  at(offset: number): Stored | undefined {
    return this.#lines.at(offset - this.#first)?.message
  }

  /** The number at which reading begins. */
  locate(from: StreamStart, now: number): number {
    switch (from) {
      case "first":
        return this.#first
      case "last":
        return Math.max(this.#first, this.end - 1)
      case "next":
        return this.end
      default:
        return typeof from === "number" ? from : this.#since(now - from.seconds * 1000)
    }
  }

  /** L2. */
  trim(now: number): void {
    const { age = Number.POSITIVE_INFINITY, bytes = Number.POSITIVE_INFINITY } = this.#retention
    for (let oldest = this.#lines.peek(); oldest !== undefined && this.#lines.size > 1; oldest = this.#lines.peek()) {
      if (this.#bytes <= bytes && now - oldest.at <= age * 1000) return
      this.#lines.shift()
      this.#first++
      this.#bytes -= oldest.message.body.byteLength
    }
  }

  #since(at: number): number {
    for (let offset = this.#first; offset < this.end; offset++) {
      if (this.#lines.at(offset - this.#first)!.at >= at) return offset
    }
    return this.end
  }
}
