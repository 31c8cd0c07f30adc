// The broker's timers on the Effect Clock: one fiber sleeps to the earliest of them, whatever their number.
//
// A1. It sleeps only while a link is open: without one nobody can see the difference, and a program whose systems have
//     stopped must be able to end. What came due meanwhile is caught up, in order, when the next link opens.
// A2. Alarms are called from the event loop or by `watch`, never from inside `at`.

import { type Clock, type Context, Duration, Effect, type Fiber } from "effect"
import { Heap } from "./heap.ts"

export interface Alarm {
  /** ms since the epoch. */
  readonly at: number
  cancelled: boolean
}

interface Pending extends Alarm {
  readonly ring: () => void
}

/** The longest sleep that timers can do, ms; a longer one is slept in pieces. */
const longestSleep = 2 ** 31 - 1

export class Alarms {
  readonly #clock: Clock.Clock
  readonly #context: Context.Context<never>
  readonly #pending = new Heap<Pending>((alarm) => alarm.at)
  #watchers = 0
  #sleeper: { readonly until: number; readonly fiber: Fiber.Fiber<void> } | undefined

  constructor(clock: Clock.Clock, context: Context.Context<never>) {
    this.#clock = clock
    this.#context = context
  }

  /** ms since the epoch. */
  now(): number {
    return this.#clock.currentTimeMillisUnsafe()
  }

  /** @param ms at least 0. */
  sleep(ms: number): Effect.Effect<void> {
    return this.#clock.sleep(Duration.millis(ms))
  }

  /** @param at ms since the epoch. */
  at(at: number, ring: () => void): Alarm {
    const alarm: Pending = { at, ring, cancelled: false }
    this.#pending.push(alarm)
    this.#sleep()
    return alarm
  }

  /** A link has opened. */
  watch(): void {
    this.#watchers++
    if (this.#watchers === 1) this.#ring()
  }

  /** A link has ended. */
  unwatch(): void {
    this.#watchers--
    if (this.#watchers === 0) this.#wake()
  }

  #ring(): void {
    for (;;) {
      const next = this.#pending.peek()
      if (next === undefined || (!next.cancelled && next.at > this.now())) break
      this.#pending.pop()
      if (!next.cancelled) next.ring()
    }
    this.#sleep()
  }

  #sleep(): void {
    const next = this.#pending.peek()
    if (this.#watchers === 0 || next === undefined) return
    if (this.#sleeper !== undefined) {
      if (this.#sleeper.until <= next.at) return
      this.#wake()
    }
    const ms = Math.max(1, Math.min(next.at - this.now(), longestSleep))
    const ring = Effect.sync(() => {
      this.#sleeper = undefined
      this.#ring()
    })
    const nap = Effect.andThen(this.#clock.sleep(Duration.millis(ms)), ring)
    this.#sleeper = { until: next.at, fiber: Effect.runForkWith(this.#context)(nap) }
  }

  #wake(): void {
    this.#sleeper?.fiber.interruptUnsafe()
    this.#sleeper = undefined
  }
}
