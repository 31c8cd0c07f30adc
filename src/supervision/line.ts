// Who is to be started one after another: the next when the one before it is ready, the first after a wait, if any.
//
// Q1. A new wait never shortens the one under way: the members of the new line include those of the old one.

import { Effect, type Fiber } from "effect"
import type { Rim, Slot } from "./slot.ts"

export class Line<R> {
  readonly #rim: Rim<R>
  /** Called after the wait, with the number of the turn that it belongs to. */
  readonly #onDue: (turn: number) => void
  readonly #onEmpty: () => void
  #members: ReadonlyArray<Slot<R>> = []
  #starting: Slot<R> | undefined
  #turn = 0
  #timer: Fiber.Fiber<void> | undefined
  #startsAt: number | undefined

  constructor(rim: Rim<R>, onDue: (turn: number) => void, onEmpty: () => void) {
    this.#rim = rim
    this.#onDue = onDue
    this.#onEmpty = onEmpty
  }

  /** Whether all of it waits. */
  get waits(): boolean {
    return this.#startsAt !== undefined
  }

  /** Starts the next one, unless one is starting, or all wait. */
  advance(): void {
    if (this.waits || this.#starting?.state === "starting") return
    this.#starting = this.#members[0]
    this.#members = this.#members.slice(1)
    if (this.#starting) this.#starting.start()
    else this.#onEmpty()
  }

  /** Replaces the line. */
  set(members: ReadonlyArray<Slot<R>>, wait: number): void {
    const { now, run } = this.#rim
    this.#timer?.interruptUnsafe()
    const startsAt = Math.max(this.#startsAt ?? 0, now() + wait)
    const turn = ++this.#turn
    this.#startsAt = startsAt
    this.#starting = undefined
    this.#members = members
    for (const slot of members) slot.enter("waiting", startsAt)
    this.#timer = run(
      Effect.andThen(
        Effect.sleep(startsAt - now()),
        Effect.sync(() => this.#onDue(turn)),
      ),
    )
  }

  /** The wait of `turn` is over. */
  due(turn: number): void {
    if (turn !== this.#turn) return
    this.#startsAt = undefined
    this.advance()
  }

  add(slots: ReadonlyArray<Slot<R>>): void {
    this.#members = [...this.#members, ...slots]
    for (const slot of slots) slot.enter("waiting", this.#startsAt)
    this.advance()
  }

  /** Without it, the others move up; nobody left, nobody waits. */
  drop(slot: Slot<R>): void {
    this.#members = this.#members.filter((other) => other !== slot)
    if (this.#members.length === 0) this.clear()
    this.advance()
  }

  clear(): void {
    this.#timer?.interruptUnsafe()
    this.#turn++
    this.#startsAt = undefined
    this.#members = []
  }
}
