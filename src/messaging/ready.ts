// What waits to be handled by a cell: mail in the order in which it came, and turns.

import { MutableList } from "effect"
import type { Job } from "./job.ts"
import { Turn } from "./turn.ts"

export class Ready {
  readonly #list = MutableList.make<Job | Turn>()

  get length(): number {
    return this.#list.length
  }

  add(work: Job | Turn): void {
    MutableList.append(this.#list, work)
  }

  /** To the front: it was taken already, or is to be tried again at its place. */
  putBack(work: Job | Turn): void {
    MutableList.prepend(this.#list, work)
  }

  take(): Job | Turn | undefined {
    const work = MutableList.take(this.#list)
    return work === MutableList.Empty ? undefined : work
  }

  /** Mail that has come back goes to its old place. */
  merge(jobs: ReadonlyArray<Job>): void {
    const all = [...MutableList.toArray(this.#list), ...jobs].sort(byAge)
    MutableList.clear(this.#list)
    MutableList.appendAll(this.#list, all)
  }

  /** Forgets the mail; turns stay. */
  forgetMail(): void {
    const turns = MutableList.toArray(this.#list).filter((work) => work instanceof Turn)
    MutableList.clear(this.#list)
    MutableList.appendAll(this.#list, turns)
  }
}

/** As they came first; a turn goes before mail. */
const byAge = (a: Job | Turn, b: Job | Turn): number => {
  if (a instanceof Turn || b instanceof Turn) return Number(b instanceof Turn) - Number(a instanceof Turn)
  return a.hand.order - b.hand.order || a.item.id - b.item.id
}
