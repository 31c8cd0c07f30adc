// A term: one leadership of a `single` clique, from the token to the moment at which it is let go of or lost.
//
// E1. Once it is over it is over for good: what asks whether it may go on is never told yes again.
// E2. Its epoch grows with each renewal; when it is over, it keeps the last.

import { Deferred, Effect } from "effect"
import type { Claim } from "../messaging/subscription.ts"

export class Term implements Claim {
  #epoch: number
  #over = false
  #draining = false
  readonly #ending = Deferred.makeUnsafe<void>()

  constructor(epoch: number) {
    this.#epoch = epoch
  }

  get epoch(): number {
    return this.#epoch
  }

  get over(): boolean {
    return this.#over
  }

  /** Something may still be begun in it. */
  get open(): boolean {
    return !this.#over && !this.#draining
  }

  /** Done when it is to end. */
  get ending(): Effect.Effect<void> {
    return Deferred.await(this.#ending)
  }

  move(epoch: number): void {
    if (!this.#over) this.#epoch = epoch
  }

  /** What was begun in it is to be finished. */
  drain(): void {
    this.#draining = true
    Deferred.doneUnsafe(this.#ending, Effect.void)
  }

  /** Nothing that was begun in it counts any more. */
  halt(): void {
    this.#over = true
    Deferred.doneUnsafe(this.#ending, Effect.void)
  }
}
