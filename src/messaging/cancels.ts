// Cancels that callers sent: they reach the job they mean, or keep it from ever starting when they come first.

import type { CancelItem } from "../wire/item.ts"
import type { Deadlines } from "./deadlines.ts"
import type { Job } from "./job.ts"

/** ms for which a cancel that overtook its ask is remembered. */
const memory = 60_000
/** Of those, at most so many: a peer cannot fill the memory of a node. */
const most = 10_000

export class Cancels {
  readonly #deadlines: Deadlines
  readonly #now: () => number
  readonly #jobs = new Map<string, Job>()
  readonly #early = new Set<string>()

  constructor(deadlines: Deadlines, now: () => number) {
    this.#deadlines = deadlines
    this.#now = now
  }

  watch(job: Job): void {
    const { key } = job
    this.#jobs.set(key, job)
    if (this.#early.size > 0 && this.#early.delete(key)) job.abort(cancelled())
  }

  forget(job: Job): void {
    if (this.#jobs.get(job.key) === job) this.#jobs.delete(job.key)
  }

  receive(item: CancelItem): void {
    const key = `${item.node}:${item.id}`
    const job = this.#jobs.get(key)
    if (job !== undefined) return job.abort(cancelled())
    if (this.#early.size >= most) return
    this.#early.add(key)
    this.#deadlines.add(this.#now() + memory, () => this.#early.delete(key))
  }
}

const cancelled = (): Error => new DOMException("the caller cancelled the ask", "AbortError")
