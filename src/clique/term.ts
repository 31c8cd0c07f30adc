// A term: one leadership of a `single` clique, from the token to the moment at which it is let go of or lost.
//
// E1. Once it is over it is over for good: what asks whether it may go on is never told yes again.
// E2. Its epoch grows with each renewal; when it is over, it keeps the last.

import { Deferred, Effect } from "effect"
import type { Claim } from "../messaging/subscription.ts"

/** How it comes to its end: what was begun is finished, or not. */
export type Ending = "drain" | "halt"

export class Term implements Claim {
  #epoch: number
  #over = false
  #draining = false
  readonly #ending = Deferred.makeUnsafe<Ending>()

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
  get ending(): Effect.Effect<Ending> {
    return Deferred.await(this.#ending)
  }

  move(epoch: number): void {
    if (!this.#over) this.#epoch = epoch
  }

  drain(): void {
    this.#draining = true
    Deferred.doneUnsafe(this.#ending, Effect.succeed("drain" as const))
  }

  halt(): void {
    this.#over = true
    Deferred.doneUnsafe(this.#ending, Effect.succeed("halt" as const))
  }
}
