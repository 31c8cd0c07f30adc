// One coarse sweep for every deadline of a node, instead of a timer per message.
//
// D1. An entry fires at most one tick early and never late by design: a deadline is a promise to somebody who waits.
// D2. Nothing is scheduled while there is nothing to wait for.

import { type Clock, Duration, Effect } from "effect"

/** ms between two sweeps. */
const tick = 10

export interface Entry {
  readonly cancel: () => void
}

export class Deadlines {
  readonly #clock: Clock.Clock
  readonly #buckets = new Map<number, Set<() => void>>()
  #swept = 0
  #sweeping = false

  constructor(clock: Clock.Clock) {
    this.#clock = clock
  }

  /** Calls `expire` once the clock reaches `at` (ms since the epoch), unless the entry is cancelled first. */
  add(at: number, expire: () => void): Entry {
    if (!this.#sweeping) this.#start()
    this.#look()
    const index = Math.max(Math.floor(at / tick), this.#swept + 1)
    let bucket = this.#buckets.get(index)
    if (bucket === undefined) {
      bucket = new Set()
      this.#buckets.set(index, bucket)
    }
    // A closure of its own: the same callback may be added twice.
    const fire = () => expire()
    bucket.add(fire)
    const home = bucket
    return {
      cancel: () => {
        if (home.delete(fire) && home.size === 0) this.#buckets.delete(index)
      },
    }
  }

  get size(): number {
    return this.#buckets.size
  }

  #start(): void {
    this.#sweeping = true
    this.#swept = Math.floor(this.#clock.currentTimeMillisUnsafe() / tick) - 1
    const sweeping = Effect.gen({ self: this }, function* () {
      // It runs at once, up to its first sleep: the entry that it is started for comes after that.
      do {
        // To the edge of a bucket: sleeping a whole tick each time would find what fell due just after the last sweep late.
        yield* this.#clock.sleep(Duration.millis(tick - (this.#clock.currentTimeMillisUnsafe() % tick)))
        this.#sweep()
      } while (this.#buckets.size > 0)
      this.#sweeping = false
    })
    Effect.runFork(sweeping)
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
      if (bucket === undefined) continue
      this.#buckets.delete(index)
      for (const fire of bucket) guarded(fire)
    }
  }
}

/** One that throws must not keep the others from firing. */
const guarded = (fire: () => void): void => {
  try {
    fire()
  } catch (error) {
    Effect.runFork(Effect.logError("a deadline could not be dealt with", error))
  }
}
