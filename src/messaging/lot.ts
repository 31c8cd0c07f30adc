// Messages that are handled together: one turn of the mailbox, and one fate.
//
// N1. They take one place among the `concurrency`, and it is free when the last of them has ended.
// N2. They are settled together: none before the last of them is handled, and all that it sent confirmed (promise 2).
// N3. When they fail, nobody knows which of them it was: each is handled again, alone. Alone it may still be begun at least
//     once, so that the poison costs itself and not its neighbours (promise 6).

import type { Job } from "./job.ts"

/** Where it was begun: a mailbox. */
export interface LotDesk {
  /** Each is to be handled again, alone. @param crash why the cell is gone, if it is. */
  readonly apart: (lot: Lot, crash: Error | undefined) => void
}

export class Lot {
  /** In their order; at least one. */
  readonly jobs: ReadonlyArray<Job>
  readonly #desk: LotDesk
  #running: number
  /** Those that wait for the others to be settled (N2). */
  readonly #done = new Set<Job>()
  /** Those that may still be. */
  #open: number

  constructor(jobs: ReadonlyArray<Job>, desk: LotDesk) {
    this.jobs = jobs
    this.#desk = desk
    this.#running = this.#open = jobs.length
    for (const job of jobs) job.lot = this
  }

  /** Those that have not ended. */
  get running(): ReadonlyArray<Job> {
    return this.jobs.filter((job) => job.running)
  }

  /** The first of those: on its behalf the handler sends. Undefined once all have ended. */
  get lead(): Job | undefined {
    return this.jobs.find((job) => job.running)
  }

  /** The handler is done with those that run. */
  answer(): void {
    for (const job of this.running) job.answer(undefined)
  }

  /** N3. It is no crash: the handler would not take them together. */
  divide(): void {
    this.#desk.apart(this, undefined)
  }

  /** N3. */
  crash(error: Error): void {
    this.#desk.apart(this, error)
  }

  /** One of them has ended; whether their place is free (N1). */
  end(): boolean {
    return --this.#running === 0
  }

  /** All that one of them sent is confirmed. */
  settled(job: Job): void {
    if (this.#done.has(job)) return
    this.#done.add(job)
    this.#settle()
  }

  /** One of them is handled again, or by somebody else: the others do not wait for it. */
  leave(): void {
    this.#settle()
  }

  #settle(): void {
    if (--this.#open > 0) return
    for (const job of this.#done) job.desk.settled(job)
  }
}
