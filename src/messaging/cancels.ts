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
  /** By node, then by id: no key has to be built for each ask. */
  readonly #jobs = new Map<string, Map<number, Job>>()
  readonly #early = new Set<string>()

  constructor(deadlines: Deadlines, now: () => number) {
    this.#deadlines = deadlines
    this.#now = now
  }

  watch(job: Job): void {
    const { node, id } = job.item
    let jobs = this.#jobs.get(node)
    if (jobs === undefined) {
      jobs = new Map()
      this.#jobs.set(node, jobs)
    }
    jobs.set(id, job)
    if (this.#early.size > 0 && this.#early.delete(job.key)) job.abort(cancelled())
  }

  forget(job: Job): void {
    const { node, id } = job.item
    const jobs = this.#jobs.get(node)
    if (jobs?.get(id) !== job) return
    jobs.delete(id)
    if (jobs.size === 0) this.#jobs.delete(node)
  }

  receive(item: CancelItem): void {
    const { node, id } = item
    const job = this.#jobs.get(node)?.get(id)
    if (job !== undefined) return job.abort(cancelled())
    if (this.#early.size >= most) return
    const key = `${node}:${id}`
    this.#early.add(key)
    this.#deadlines.add(this.#now() + memory, () => this.#early.delete(key))
  }
}

const cancelled = (): Error => new DOMException("the caller cancelled the ask", "AbortError")
