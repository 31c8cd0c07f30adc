// What is on its way from the broker to its links, carried by the event loop: everything of one turn in one setImmediate.
//
// N1. Nothing is called from inside the call that caused it (port B4); what arrives while a turn runs is for the next.
// N2. A line keeps its order: confirms, deliveries and answers reach a link as the broker sent them.
// N3. Whatever is on a line is called exactly once. After `hangUp` it is told so, and does not wait for latency.
// N4. One listener that throws does not cost the others theirs; its error surfaces as an uncaught exception.

import type { LinkLost } from "../errors.ts"
import type { Alarms } from "./alarms.ts"
import { Fifo } from "./fifo.ts"

/** @param gone why the link has ended meanwhile, or undefined. */
export type Arrival = (gone: LinkLost | undefined) => void

/** One setImmediate for all lines of a broker. */
export class Turns {
  #lines: Array<Line> = []

  add(line: Line): void {
    if (this.#lines.push(line) === 1) setImmediate(this.#run)
  }

  readonly #run = (): void => {
    const lines = this.#lines
    this.#lines = []
    for (const line of lines) line.flush()
  }
}

/** The way to one link. */
export class Line {
  readonly #turns: Turns
  readonly #alarms: Alarms
  readonly #latency: () => number
  readonly #waiting = new Fifo<{ readonly due: number; readonly arrival: Arrival }>()
  #scheduled = false
  #alarmed = false
  /** ms since the epoch: when the last of the line arrives. */
  #latest = 0
  #gone: LinkLost | undefined

  /** @param latency ms that everything takes, asked anew each time. */
  constructor(turns: Turns, alarms: Alarms, latency: () => number) {
    this.#turns = turns
    this.#alarms = alarms
    this.#latency = latency
  }

  push(arrival: Arrival): void {
    const latency = this.#latency()
    // N2: what is slow holds up what follows, even if that was sent in better times.
    if (latency > 0) this.#latest = Math.max(this.#latest, this.#alarms.now() + latency)
    this.#waiting.push({ due: this.#latest, arrival })
    this.#schedule()
  }

  hangUp(why: LinkLost): void {
    this.#gone = why
    this.#schedule()
  }

  flush(): void {
    this.#scheduled = false
    for (let left = this.#waiting.size; left > 0; left--) {
      const { due } = this.#waiting.peek()!
      if (due > 0 && this.#gone === undefined && due > this.#alarms.now()) {
        this.#wait(due)
        return
      }
      const { arrival } = this.#waiting.shift()!
      try {
        arrival(this.#gone)
      } catch (error) {
        setImmediate(() => {
          throw error
        })
      }
    }
  }

  #wait(due: number): void {
    if (this.#alarmed) return
    this.#alarmed = true
    this.#alarms.at(due, () => {
      this.#alarmed = false
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.size === 0) return
    this.#scheduled = true
    this.#turns.add(this)
  }
}
