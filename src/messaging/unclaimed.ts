// Mail in hand for actors that are not here. It waits for them a while: the actors of a program start one after the other,
// and what they are to handle is there before the last of them.
//
// V1. It is refused `grace` after the first mail for its actor came, and not before `grace` has passed since an actor of
//     the queue came or went: an ask is `NoSuchActor`, a tell becomes a dead letter. What comes later for that actor is
//     refused at once, so that it does not hold up the others' mail; until the actor comes.
// V2. While the node starts or stops nothing is refused: its actor is still to come, or the mail is given back.
// V3. What names no actor is refused at once.

import { NoSuchActor, Rejected } from "../protocol/errors.ts"
import { type Address, format, fromRoutingKey } from "../wire/address.ts"
import type { Outcome } from "../wire/item.ts"
import type { Burial } from "./burial.ts"
import type { Entry } from "./deadlines.ts"
import type { Desk, Job } from "./job.ts"
import type { Node } from "./node.ts"
import { reply } from "./reply.ts"

/** ms */
const grace = 5_000
/** Actors that are remembered as absent: a peer cannot fill the memory of a node. */
const most = 10_000

/** What waits for one actor. */
interface Queue {
  readonly jobs: Set<Job>
  term: Entry
}

export class Unclaimed implements Desk {
  readonly #node: Node
  readonly #burial: Burial
  readonly #settled: (job: Job) => void
  /** By routing key. */
  readonly #waiting = new Map<string, Queue>()
  readonly #absent = new Set<string>()
  /** When an actor came or went last. */
  #changedAt = 0

  constructor(node: Node, burial: Burial, settled: (job: Job) => void) {
    this.#node = node
    this.#burial = burial
    this.#settled = settled
  }

  admit(job: Job): void {
    const { to } = job
    if (fromRoutingKey(to) === undefined) return this.rejected(job, namesNobody(to)) // V3
    if (this.#absent.has(to) && !this.#node.starting && !this.#node.stopping) return this.#refuse(job)
    const queue = this.#waiting.get(to)
    if (queue !== undefined) queue.jobs.add(job)
    else this.#waiting.set(to, { jobs: new Set([job]), term: this.#judgeAt(to, this.#node.now() + grace) })
    if (job.ask !== undefined) this.#node.cancels.watch(job)
  }

  /** Nothing is begun here. */
  proceed(): void {}

  resume(jobs: ReadonlyArray<Job>): void {
    for (const job of jobs) if (job.state === "waiting") this.admit(job)
  }

  /** An actor has come: its mail. */
  claim(key: string): Iterable<Job> {
    this.#changedAt = this.#node.now()
    this.#absent.delete(key)
    return this.#take(key)
  }

  /** An actor has gone. */
  left(): void {
    this.#changedAt = this.#node.now()
  }

  /** The broker has it all again, or will have. */
  forget(): void {
    for (const key of [...this.#waiting.keys()]) for (const job of this.#take(key)) this.#node.cancels.forget(job)
  }

  #take(key: string): Iterable<Job> {
    const queue = this.#waiting.get(key)
    if (queue === undefined) return []
    this.#waiting.delete(key)
    queue.term.cancel()
    return queue.jobs
  }

  #judgeAt(key: string, term: number): Entry {
    return this.#node.deadlines.add(term, () => this.#judge(key))
  }

  /** V1, V2 */
  #judge(key: string): void {
    const queue = this.#waiting.get(key)
    if (queue === undefined || this.#node.stopping) return
    const now = this.#node.now()
    const term = this.#node.starting ? now + grace : this.#changedAt + grace
    if (now < term) {
      queue.term = this.#judgeAt(key, term)
      return
    }
    if (this.#absent.size < most) this.#absent.add(key)
    for (const job of this.#take(key)) this.#refuse(job)
  }

  #refuse(job: Job): void {
    const reason = new NoSuchActor({ address: format(fromRoutingKey(job.to) as Address) })
    if (job.ask === undefined) return this.#bury(job, reason)
    this.answered(job, job.ask.deadline <= this.#node.now() ? undefined : { tag: "failed", reason })
  }

  #bury(job: Job, error: Error): void {
    this.#burial.ofJob(job, "rejected", error, job.begun)
    this.#done(job)
  }

  #done(job: Job): void {
    job.end()
    job.settleIfDone()
  }

  // Settling (called by jobs)

  answered(job: Job, outcome: Outcome | undefined): void {
    reply(this.#node, job, outcome)
    this.#done(job)
  }

  rejected(job: Job, reason: Rejected): void {
    if (job.ask === undefined) this.#bury(job, reason)
    else this.answered(job, { tag: "failed", reason })
  }

  settled(job: Job): void {
    this.#settled(job)
  }

  /** It shows when its actor begins it, or when it is refused. */
  aborted(): void {}
  /** Nothing runs here. */
  crashed(): void {}
}

const namesNobody = (to: string): Rejected =>
  new Rejected({ why: `${JSON.stringify(to)} is the routing key of no actor: say in "a" for which one it is` })
