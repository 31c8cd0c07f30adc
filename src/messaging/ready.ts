// What waits to be handled by a cell: mail in the order in which it came, and turns.

import { MutableList } from "effect"
import type { Hand } from "./hand.ts"
import type { Job } from "./job.ts"
import { Turn } from "./turn.ts"

export class Ready {
  readonly #list = MutableList.make<Job | Turn>()

  get length(): number {
    return this.#list.length
  }

  /** What is to be taken next. */
  get first(): Job | Turn | undefined {
    return MutableList.toArrayN(this.#list, 1)[0]
  }

  add(work: Job | Turn): void {
    MutableList.append(this.#list, work)
  }

  /** What follows, at most `most` of it. */
  head(most: number): ReadonlyArray<Job | Turn> {
    return MutableList.toArrayN(this.#list, most)
  }

  /** To the front: it was taken already, or is to be tried again at its place. */
  putBack(work: Job | Turn): void {
    MutableList.prepend(this.#list, work)
  }

  take(): Job | Turn | undefined {
    const work = MutableList.take(this.#list)
    return work === MutableList.Empty ? undefined : work
  }

  /** Takes so many, all of them mail. */
  takeJobs(count: number): ReadonlyArray<Job> {
    return MutableList.takeN(this.#list, count) as Array<Job>
  }

  /** Mail that has come back goes to its old place. */
  merge(jobs: ReadonlyArray<Job>): void {
    this.#replace([...MutableList.toArray(this.#list), ...jobs].sort(byAge))
  }

  /** Turns and the mail of these batches go before the rest. */
  putFirst(which: (hand: Hand) => boolean): void {
    const rank = (work: Job | Turn) => (work instanceof Turn || which(work.hand) ? 0 : 1)
    this.#replace(MutableList.toArray(this.#list).sort((a, b) => rank(a) - rank(b)))
  }

  /** Gives up the mail; turns stay. */
  forgetMail(): ReadonlyArray<Job> {
    const all = MutableList.toArray(this.#list)
    this.#replace(all.filter((work) => work instanceof Turn))
    return all.filter((work): work is Job => !(work instanceof Turn))
  }

  #replace(all: ReadonlyArray<Job | Turn>): void {
    MutableList.clear(this.#list)
    MutableList.appendAll(this.#list, all)
  }
}

/** As they came first; a turn goes before mail. */
const byAge = (a: Job | Turn, b: Job | Turn): number => {
  if (a instanceof Turn || b instanceof Turn) return Number(b instanceof Turn) - Number(a instanceof Turn)
  return a.hand.order - b.hand.order || a.item.id - b.item.id
}
