// One coarse sweep for every deadline of a node, instead of a timer per message.
//
// D1. An entry fires at most one tick early and never late by design: a deadline is a promise to somebody who waits.
// D2. Nothing is scheduled while there is nothing to wait for, and no sweep while nothing is due; but one looks at the
//     clock now and then, because somebody may set it.

import { type Clock, Duration, Effect, type Fiber } from "effect"
import { Linked, Ring } from "./ring.ts"

/** ms that what falls due together may differ. */
const tick = 10
/** Ticks between two looks at the clock. */
const longest = 10

/** Something that falls due once. What waits for a reply is an entry itself: there are many of them. */
export abstract class Entry extends Linked {
  /** Called when it is due. */
  abstract expire(): void

  /** It will not fall due any more. */
  cancel(): void {
    if (this.ring instanceof Bucket) this.ring.cancel(this)
  }
}

class Bucket extends Ring<Entry> {
  readonly #index: number
  readonly #home: Map<number, Bucket>

  constructor(index: number, home: Map<number, Bucket>) {
    super()
    this.#index = index
    this.#home = home
    home.set(index, this)
  }

  cancel(entry: Entry): void {
    this.delete(entry)
    if (this.size === 0) this.#home.delete(this.#index)
  }
}

class Call extends Entry {
  readonly expire: () => void

  constructor(expire: () => void) {
    super()
    this.expire = expire
  }
}

export class Deadlines {
  readonly #clock: Clock.Clock
  readonly #buckets = new Map<number, Bucket>()
  #swept = 0
  #sleep: Fiber.Fiber<void> | undefined
  /** The bucket that the sleep lasts until. */
  #wakeAt = 0

  constructor(clock: Clock.Clock) {
    this.#clock = clock
  }

  /** Calls `expire` once the clock reaches `at` (ms since the epoch), unless the entry is cancelled first. */
  add(at: number, expire: () => void): Entry {
    return this.schedule(at, new Call(expire))
  }

  /** The same for an entry that is not waiting yet. */
  schedule<E extends Entry>(at: number, entry: E): E {
    const now = this.#look()
    if (this.#sleep === undefined) this.#swept = now - 1
    const index = Math.max(Math.floor(at / tick), this.#swept + 1)
    const bucket = this.#buckets.get(index) ?? new Bucket(index, this.#buckets)
    bucket.add(entry)
    if (this.#sleep === undefined || index < this.#wakeAt || now > this.#wakeAt) this.#arm()
    return entry
  }

  get size(): number {
    return this.#buckets.size
  }

  /** Sleeps until the first of them is due. */
  #arm(): void {
    this.#sleep?.interruptUnsafe()
    const now = this.#clock.currentTimeMillisUnsafe()
    let first = Math.floor(now / tick) + longest
    for (const index of this.#buckets.keys()) if (index < first) first = index
    this.#wakeAt = first
    const sleep = this.#clock.sleep(Duration.millis(Math.max(1, first * tick - now)))
    this.#sleep = Effect.runFork(
      Effect.andThen(
        sleep,
        Effect.sync(() => this.#wake()),
      ),
    )
  }

  #wake(): void {
    this.#sleep = undefined
    this.#sweep()
    if (this.#buckets.size > 0) this.#arm()
  }

  /** The bucket of this moment. When the wall clock was set back, the buckets behind it are to be swept again. */
  #look(): number {
    const now = Math.floor(this.#clock.currentTimeMillisUnsafe() / tick)
    if (now < this.#swept) this.#swept = now - 1
    return now
  }

  #sweep(): void {
    const now = this.#look()
    // The wall clock may have been set years ahead: then it is quicker to look at what there is.
    const due =
      now - this.#swept > 1_000
        ? [...this.#buckets.keys()].filter((index) => index <= now).sort((a, b) => a - b)
        : Array.from({ length: Math.max(0, now - this.#swept) }, (_, n) => this.#swept + 1 + n)
    this.#swept = Math.max(this.#swept, now)
    for (const index of due) {
      const bucket = this.#buckets.get(index)
      // One that fires may cancel others of the same bucket; what it adds goes to a later one.
      for (let entry = bucket?.first; entry !== undefined; entry = bucket?.first) {
        entry.cancel()
        guarded(entry)
      }
    }
  }
}

/** One that throws must not keep the others from firing. */
const guarded = (entry: Entry): void => {
  try {
    entry.expire()
  } catch (error) {
    Effect.runFork(Effect.logError("a deadline could not be dealt with", error))
  }
}
