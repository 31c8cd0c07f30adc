// What an actor is at work on: jobs and turns that were begun and are not settled yet.
//
// B1. A job takes one of the `concurrency` places while it runs; what has been handled and waits for its confirms takes none.

import type { Hand } from "./hand.ts"
import { Job } from "./job.ts"
import type { Lot } from "./lot.ts"
import { Ring } from "./ring.ts"
import { Turn } from "./turn.ts"

/** Messages that count as handled side by side, when callers are told how long one takes. */
const atOnce = 256

export class Workbench {
  readonly #concurrency: number
  /** What a lost link took away is in it only while it runs. */
  readonly #begun = new Ring<Job | Turn>()
  #running = 0
  /** The job that is being handed to the cell. */
  #starting: Job | undefined
  /** The order of the newest batch that was begun here. */
  #newest = 0

  /** @param concurrency places; Infinity for no bound. */
  constructor(concurrency: number) {
    this.#concurrency = concurrency
  }

  /** Places that are taken. */
  get running(): number {
    return this.#running
  }

  get hasRoom(): boolean {
    return this.#running < this.#concurrency
  }

  get isEmpty(): boolean {
    return this.#begun.size === 0
  }

  /** Whether something newer than this batch was begun, or the batch itself. */
  hasReached(hand: Hand): boolean {
    return hand.order <= this.#newest
  }

  /** Jobs that run now, the one that was begun first first. */
  runningJobs(): Array<Job> {
    return [...this.#begun].filter((work): work is Job => work instanceof Job && work.running)
  }

  /** To be followed by `handed`, once the cell has it, which may then be done with it already. */
  begin(job: Job, now: number): void {
    this.#put(job, now)
    this.#running++
    this.#starting = job
  }

  /** Those of a lot take one place. */
  beginLot({ jobs }: Lot, now: number): void {
    for (const job of jobs) this.#put(job, now)
    this.#running++
  }

  #put(job: Job, now: number): void {
    job.state = "running"
    job.startedAt = now
    this.#begun.add(job)
    if (job.hand.order > this.#newest) this.#newest = job.hand.order
  }

  handed(): void {
    this.#starting = undefined
  }

  async give(turn: Turn): Promise<void> {
    this.#begun.add(turn)
    this.#running++
    await turn.take()
    this.#begun.delete(turn)
    this.#running--
  }

  /** It was begun before its link was lost, and is here again. */
  resume(job: Job): void {
    this.#begun.add(job)
  }

  /** Its place is free. */
  end(job: Job): void {
    if (job.running && (job.lot === undefined || job.lot.end())) this.#running--
    job.end()
  }

  forget(job: Job): void {
    this.#begun.delete(job)
  }

  /** The broker has put back what was in hand: what does not run is no business of ours any more. */
  lose(): void {
    for (const work of this.#begun) if (work instanceof Job && !work.running) this.#begun.delete(work)
  }

  /**
   * Whether every place is taken by something that waits, directly or not, for an ask with this chain above it: nobody
   * would ever be free to handle that.
   */
  isCycle(chain: ReadonlyArray<string> | undefined): boolean {
    if (chain === undefined || this.hasRoom) return false
    for (const work of this.#begun) {
      if (work instanceof Turn || (work.running && !chain.includes(work.key))) return false
    }
    return true
  }

  /**
   * How long one more message keeps the consumer of the queue busy, ms; undefined when this one was never begun.
   *
   * @param actors that get their mail from that queue.
   */
  service(job: Job, now: number, actors: number): number | undefined {
    if (job.startedAt === 0) return undefined
    const took = Math.max(0, now - job.startedAt)
    // A handler that was done at once kept the whole process busy; others work side by side, in this actor and the next.
    return job === this.#starting ? took : took / (Math.min(this.#concurrency, atOnce) * actors)
  }
}
