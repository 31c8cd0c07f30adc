// Cancels that callers sent: they reach the job they mean, or keep it from ever starting when they come first.

import type { CancelItem } from "../wire/item.ts"
import type { Deadlines } from "./deadlines.ts"
import type { Job } from "./job.ts"
import { Numbered } from "./numbered.ts"

/** ms for which a cancel that overtook its ask is remembered. */
const memory = 60_000
/** Of those, at most so many: a peer cannot fill the memory of a node. */
const most = 10_000

export class Cancels {
  readonly #deadlines: Deadlines
  readonly #now: () => number
  /** By id: no key has to be built for each ask. */
  readonly #jobs = new Numbered<Job>()
  /** Those whose id was in use by an ask of another node, by node and id. */
  readonly #twins = new Map<string, Job>()
  readonly #early = new Set<string>()

  constructor(deadlines: Deadlines, now: () => number) {
    this.#deadlines = deadlines
    this.#now = now
  }

  watch(job: Job): void {
    const { node, id } = job.item
    const holder = this.#jobs.get(id)
    if (holder !== undefined && holder.item.node !== node) this.#twins.set(job.key, job)
    else {
      if (holder !== undefined) this.#jobs.delete(id) // it came again, and the last one counts
      this.#jobs.add(id, job)
    }
    if (this.#early.size > 0 && this.#early.delete(job.key)) job.abort(cancelled())
  }

  forget(job: Job): void {
    if (this.#jobs.get(job.item.id) === job) this.#jobs.delete(job.item.id)
    else if (this.#twins.size > 0 && this.#twins.get(job.key) === job) this.#twins.delete(job.key)
  }

  receive(item: CancelItem): void {
    const { node, id } = item
    const key = `${node}:${id}`
    const holder = this.#jobs.get(id)
    const job = holder?.item.node === node ? holder : this.#twins.get(key)
    if (job !== undefined) return job.abort(cancelled())
    if (this.#early.size >= most) return
    this.#early.add(key)
    this.#deadlines.add(this.#now() + memory, () => this.#early.delete(key))
  }
}

const cancelled = (): Error => new DOMException("the caller cancelled the ask", "AbortError")
