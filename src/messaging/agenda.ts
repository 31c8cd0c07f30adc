// What a mailbox has before it, in the order in which it came, and what of it may be begun next.
//
// A1. Who finishes begins no new batch. When the whole node stops, that is one newer than any that was begun by an actor
//     of the queue: batches are settled whole, and none is overtaken by a newer one (promises 5 and 11).
// A2. Where order matters, younger mail waits for older mail that is still to come back (feed.ts, F3).
// A3. Several are taken together only where they follow each other: nothing is overtaken, and whatever else waits behind
//     them closes the lot (gathering.ts). Who finishes waits for nobody.

import type { Entry } from "./deadlines.ts"
import type { Feed } from "./feed.ts"
import { gather, type Portion } from "./gathering.ts"
import type { Hand } from "./hand.ts"
import type { Job } from "./job.ts"
import type { Node } from "./node.ts"
import { Ready } from "./ready.ts"
import { Turn } from "./turn.ts"
import type { Workbench } from "./workbench.ts"

/** The messages that are handled several at a time, by name. */
export type Portions = ReadonlyMap<string, Portion>

/** Bounds what a member that takes several at a time has in hand. */
const mostInHand = 2_000

/** Batches that have to be in hand for it: as many as are handled at once, and as many to go on with. */
export const inHand = (portions: Portions, concurrency: number): number => {
  const largest = Math.max(...[...portions.values()].map(({ max }) => max))
  return Math.min(mostInHand, 2 * largest * concurrency)
}

export interface AgendaOptions {
  readonly node: Node
  readonly feed: Feed
  readonly bench: Workbench
  /** One after the other. */
  readonly ordered: boolean
  /** Something may be begun by now. */
  readonly wake: () => void
}

export class Agenda {
  readonly #options: AgendaOptions
  readonly #ready = new Ready()
  #finishing = false
  /** A lot waits for more until then. */
  #lookAgain: Entry | undefined

  constructor(options: AgendaOptions) {
    this.#options = options
  }

  get length(): number {
    return this.#ready.length
  }

  add(work: Job | Turn): void {
    this.#ready.add(work)
  }

  /** To the front: it is to be tried again at its place. */
  putBack(job: Job): void {
    this.#ready.putBack(job)
  }

  /** Mail that was in hand when the link was lost is back. */
  merge(jobs: ReadonlyArray<Job>): void {
    this.#ready.merge(jobs)
    if (this.#finishing) this.#ready.putFirst(this.#mayFinish)
  }

  /** What is to be begun now, if anything is: one of it, or several that are handled together. */
  next(portions: Portions | undefined): Job | Turn | ReadonlyArray<Job> | undefined {
    const next = this.#ready.take()
    if (next === undefined || next instanceof Turn) return next
    if (!this.#mayStart(next)) {
      this.#ready.putBack(next)
      return undefined
    }
    const portion = portions?.get(next.item.name)
    return portion === undefined || !isFresh(next) ? next : this.#gather(next, portion)
  }

  #mayStart({ hand }: Job): boolean {
    const { node, feed, ordered } = this.#options
    if ((this.#finishing || node.stopping) && !this.#mayFinish(hand)) return false
    return !ordered || !feed.isAhead(hand) // A2
  }

  /** A1. */
  readonly #mayFinish = (hand: Hand): boolean => {
    const { node, feed, bench } = this.#options
    return node.stopping ? hand.order <= feed.newestBegun : bench.hasReached(hand)
  }

  // Several at once

  #gather(first: Job, portion: Portion): Job | ReadonlyArray<Job> | undefined {
    const { node } = this.#options
    const behind = this.#ready.head(portion.max - 1)
    const end = behind.findIndex((work) => !this.#joins(work, first))
    const others = end === -1 ? behind.length : end
    const closed = end !== -1 || this.#finishing || node.stopping
    const gathered = gather(portion, { length: 1 + others, closed, since: first.hand.since }, node.now())
    this.#stopLooking()
    if ("take" in gathered) return gathered.take === 1 ? first : [first, ...this.#ready.takeJobs(gathered.take - 1)]
    this.#ready.putBack(first)
    this.#lookAgain = node.deadlines.add(gathered.until, this.#options.wake)
    return undefined
  }

  #joins(work: Job | Turn, { item }: Job): boolean {
    return !(work instanceof Turn) && work.item.name === item.name && isFresh(work) && this.#mayStart(work)
  }

  #stopLooking(): void {
    this.#lookAgain?.cancel()
    this.#lookAgain = undefined
  }

  // Stopping

  /** Begins no new batch (A1) ... */
  finish(): void {
    this.#finishing = true
    this.#ready.putFirst(this.#mayFinish)
  }

  /** ... and does so again. */
  goOn(): void {
    this.#finishing = false
  }

  /** Whether something is left of what was begun. */
  get isUnfinished(): boolean {
    const { first } = this.#ready
    return first !== undefined && !(first instanceof Turn) && this.#mayFinish(first.hand)
  }

  /** Gives up the mail; turns stay. */
  forgetMail(): ReadonlyArray<Job> {
    this.#stopLooking()
    return this.#ready.forgetMail()
  }
}

/** What may have been begun before is handled alone: it may be what crashed its cell, or its process. */
const isFresh = ({ item, begun, alone }: Job): boolean => item.kind !== "ask" && begun === 0 && !alone
