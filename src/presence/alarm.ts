// A timer that can be put forward and back, on the node's clock. It measures time that passes: setting the wall clock
// neither rings nor silences it.
//
// A1. It rings between two callbacks of the event loop, whatever handlers are awaiting; it cannot ring while one blocks.

import { type Clock, Duration, Effect, type Fiber } from "effect"

/** ms of the clock, from an unknown beginning; they never go back. */
export const elapsed = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

export class Alarm {
  readonly #clock: Clock.Clock
  readonly #ring: () => void
  #sleep: Fiber.Fiber<void> | undefined
  #at = Number.POSITIVE_INFINITY

  constructor(clock: Clock.Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** Rings once, `ms` from now; instead of whenever it would have. */
  set(ms: number): void {
    this.cancel()
    this.#at = elapsed(this.#clock) + ms
    this.#sleep = Effect.runFork(
      Effect.andThen(
        this.#clock.sleep(Duration.millis(Math.max(1, ms))),
        Effect.sync(() => this.#wake()),
      ),
    )
  }

  /** Rings at the latest `ms` from now; Infinity changes nothing. */
  within(ms: number): void {
    if (elapsed(this.#clock) + ms < this.#at) this.set(ms)
  }

  cancel(): void {
    this.#sleep?.interruptUnsafe()
    this.#sleep = undefined
    this.#at = Number.POSITIVE_INFINITY
  }

  #wake(): void {
    this.#sleep = undefined
    this.#at = Number.POSITIVE_INFINITY
    try {
      this.#ring()
    } catch (error) {
      Effect.runFork(Effect.logError("an alarm of the presence could not be dealt with", error))
    }
  }
}
