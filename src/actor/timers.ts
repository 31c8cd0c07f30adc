// Keyed timers of one cell, in memory.
//
// G1. A tick takes its turn among the messages.
// G2. A key set again or cancelled takes its former timer with it, a tick that already waits for its turn included.
// G3. A periodic tick that has not had its turn yet is not queued a second time.

import { type Duration, Effect, type Fiber } from "effect"
import type { Mailbox } from "../messaging/mailbox.ts"
import { Turn } from "../messaging/turn.ts"
import type { Timers } from "./self.ts"

type Tick = () => void | Promise<void>

interface Timer {
  fiber: Fiber.Fiber<void> | undefined
  /** A tick of it waits for its turn, or has it. */
  due: boolean
}

export class CellTimers implements Timers {
  readonly #timers = new Map<string, Timer>()
  #over = false
  readonly #mailbox: Mailbox
  readonly #run: (tick: Tick) => Promise<void>
  readonly #fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>

  /**
   * @param run runs a tick; crashes the cell when it fails, and never rejects.
   * @param fork starts a fiber with the clock of the system.
   */
  constructor(
    mailbox: Mailbox,
    run: (tick: Tick) => Promise<void>,
    fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>,
  ) {
    this.#mailbox = mailbox
    this.#run = run
    this.#fork = fork
  }

  readonly once = (key: string, after: Duration.Input, tick: Tick): void => {
    this.#set(key, (timer) =>
      Effect.andThen(
        Effect.sleep(after),
        Effect.sync(() =>
          this.#due(key, timer, async () => {
            this.#timers.delete(key)
            await this.#run(tick)
          }),
        ),
      ),
    )
  }

  readonly every = (key: string, period: Duration.Input, tick: Tick): void => {
    this.#set(key, (timer) =>
      Effect.forever(
        Effect.andThen(
          Effect.sleep(period),
          Effect.sync(() => this.#due(key, timer, () => this.#run(tick))),
        ),
      ),
    )
  }

  readonly cancel = (key: string): void => {
    this.#timers.get(key)?.fiber?.interruptUnsafe()
    this.#timers.delete(key)
  }

  /** The cell has ended: code that it left behind sets no timer any more. */
  cancelAll(): void {
    this.#over = true
    for (const key of [...this.#timers.keys()]) this.cancel(key)
  }

  #set(key: string, wait: (timer: Timer) => Effect.Effect<void>): void {
    if (this.#over) return
    this.cancel(key)
    const timer: Timer = { fiber: undefined, due: false }
    this.#timers.set(key, timer)
    timer.fiber = this.#fork(wait(timer))
  }

  #due(key: string, timer: Timer, tick: () => Promise<void>): void {
    if (timer.due) return
    timer.due = true
    const run = () => {
      timer.due = false
      return tick()
    }
    this.#mailbox.take(new Turn(run, () => this.#timers.get(key) === timer))
  }
}
