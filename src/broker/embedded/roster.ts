// Whose turn it is: the consumers of one queue. Pure data.
//
// T1. Consumers with room take turns; one that was full goes to the end of the line when it has room again.
// T2. With a single active consumer only the one that subscribed first gets anything. It stays active, full or not, until
//     it leaves; then the next in order of subscription is.

import { Fifo } from "./fifo.ts"

/** A consumer as the roster sees it. */
export interface Seat {
  /** May take one more. */
  readonly hasRoom: boolean
  /** Written by the roster alone: it stands in the line. */
  waiting: boolean
  /** Written by the roster alone: it has left. */
  left: boolean
}

export class Roster<A extends Seat> {
  readonly #single: boolean
  readonly #members = new Set<A>()
  readonly #line = new Fifo<A>()

  constructor(single: boolean) {
    this.#single = single
  }

  get size(): number {
    return this.#members.size
  }

  /** In order of subscription. */
  members(): ReadonlyArray<A> {
    return [...this.#members]
  }

  /** The one that is served, with a single active consumer. */
  active(): A | undefined {
    return this.#members.values().next().value
  }

  join(member: A): void {
    this.#members.add(member)
    this.ready(member)
  }

  leave(member: A): void {
    member.left = true
    this.#members.delete(member)
  }

  /** Takes the next consumer with room out of the line; hand it a message, then call `ready`. */
  next(): A | undefined {
    if (this.#single) {
      const active = this.active()
      return active?.hasRoom === true ? active : undefined
    }
    for (;;) {
      const member = this.#line.shift()
      if (member === undefined) return undefined
      member.waiting = false
      if (!member.left && member.hasRoom) return member
    }
  }

  /** To be called when a consumer may have room (again). */
  ready(member: A): void {
    if (this.#single || member.left || member.waiting || !member.hasRoom) return
    member.waiting = true
    this.#line.push(member)
  }
}
