// An actor's end of a queue: what the feed takes off it for this actor is handed to the cell that is running, and settled.
//
// M1. Mail is started in the order in which it came, `concurrency` at a time (promises 1 and 5).
// M2. While no cell runs (start, backoff, suspension) mail stays where it is: in hand up to the prefetch, else queued.
// M3. A message that crashed its cell is answered, retried at its place, or buried; never lost (promise 6).
// M4. Who finishes begins no new batch. When the whole node stops, that is one newer than any that was begun by an actor
//     of the queue: batches are settled whole, and none is overtaken by a newer one (promises 5 and 11).

import { Effect } from "effect"
import type { QueueSpec } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import { Crashed, Rejected } from "../protocol/errors.ts"
import { type Address, format, routingKey } from "../wire/address.ts"
import type { DeadReason } from "../wire/dead-letter.ts"
import type { CodecName, Outcome } from "../wire/item.ts"
import { Burial } from "./burial.ts"
import type { Feed } from "./feed.ts"
import type { Hand } from "./hand.ts"
import { type Desk, Job } from "./job.ts"
import type { Node } from "./node.ts"
import { Ready } from "./ready.ts"
import { afterCrash } from "./redelivery.ts"
import { reply } from "./reply.ts"
import type { Claim } from "./subscription.ts"
import { asError } from "./thrown.ts"
import { Turn } from "./turn.ts"
import { Workbench } from "./workbench.ts"

export interface MailboxOptions {
  readonly address: Address
  readonly queue: QueueSpec
  /** The routing key of the queue, if other actors may get their mail from it too. */
  readonly sharedKey: string | undefined
  /** Messages handled at once; Infinity for no bound. */
  readonly concurrency: number
  /** How often the handling of one message may be begun. */
  readonly maxDeliveries: number
  /** ms after an aborted message's signal until its cell is crashed. */
  readonly stuckAfter: number
  /** Of a `single` clique: its mail is taken by the leader alone. */
  readonly single: boolean
  /** How callers are asked to write; undefined for JSON. */
  readonly codec: CodecName | undefined
}

/** What handles the mail: a cell. */
export interface Receiver {
  readonly start: (job: Job) => void
  /** Ends the cell on account of a job. */
  readonly crash: (job: Job, error: unknown) => void
}

export class Mailbox implements Desk {
  readonly options: MailboxOptions
  /** The actor's routing key. */
  readonly key: string
  readonly #node: Node
  readonly #feed: Feed
  readonly #burial: Burial
  readonly #ready = new Ready()
  readonly #bench: Workbench
  #receiver: Receiver | undefined
  #finishing = false
  #pumping = false
  #idle: Array<() => void> = []

  constructor(node: Node, options: MailboxOptions, feed: Feed) {
    this.#node = node
    this.options = options
    this.key = routingKey(options.address)
    this.#feed = feed
    this.#burial = new Burial(node.post)
    this.#bench = new Workbench(options.concurrency)
  }

  /** For people. */
  get load(): { readonly running: number; readonly waiting: number } {
    return { running: this.#bench.running, waiting: this.#ready.length }
  }

  /** Whether a cell takes the mail. */
  get isOpen(): boolean {
    return this.#receiver !== undefined
  }

  /** What is being handled, and since when (ms since the epoch), oldest first. */
  get handling(): ReadonlyArray<{ readonly message: string; readonly since: number }> {
    return this.#bench.runningJobs().map(({ item, startedAt }) => ({ message: item.name, since: startedAt }))
  }

  /** Fails when the broker would not give the queue back after it was up: the member cannot go on. */
  get refused(): Effect.Effect<never, BrokerError> {
    return this.#feed.refused
  }

  // Receiving

  /** Takes a job in, unless it can be seen already that it must not run. */
  admit(job: Job): void {
    const { ask } = job
    if (ask !== undefined) {
      if (this.#bench.isCycle(ask.chain)) {
        const path = [...(ask.path ?? []), format(this.options.address)].join(" -> ")
        return this.answered(job, {
          tag: "failed",
          reason: new Rejected({ why: `the ask would wait for itself: ${path}` }),
        })
      }
      this.#node.cancels.watch(job)
    }
    this.#ready.add(job)
  }

  /** Goes on with a batch that was in hand when the link was lost (redelivery.ts, R1). */
  resume(jobs: ReadonlyArray<Job>): void {
    const waiting = jobs.filter((job) => job.state === "waiting")
    for (const job of waiting) if (job.ask !== undefined) this.#node.cancels.watch(job)
    for (const job of jobs) if (job.state !== "waiting") this.#bench.resume(job)
    this.#ready.merge(waiting)
    if (this.#finishing) this.#ready.putFirst(this.#mayFinish)
  }

  // Handling

  /** A cell takes the mail from now on. */
  open(receiver: Receiver): void {
    this.#receiver = receiver
    if (!this.#node.stopping) this.#finishing = false
    this.proceed()
  }

  /** The leader's: takes the mail of a `single` clique off the queue for as long as the claim holds. */
  lead(claim: Claim): Effect.Effect<void, BrokerError> {
    return this.#feed.take(claim)
  }

  /**
   * It leads no longer: what it was handling is not its own any more, from this call on, and what comes of it counts for
   * nothing. Nobody is answered, for the next leader will. The result gives the mail back to the broker.
   */
  abandon(why: unknown): Effect.Effect<void> {
    this.#receiver = undefined
    for (const job of this.#bench.runningJobs().reverse()) {
      this.#again(job, job.begun)
      job.abort(why)
    }
    this.checkIdle()
    return this.#feed.release
  }

  /** The cell is gone. Asks that it was handling are answered `Crashed`, tells are handled again by the next one. */
  close(why: unknown): void {
    this.#receiver = undefined
    for (const job of this.#bench.runningJobs().reverse()) {
      if (job.ask === undefined) this.#again(job, job.begun)
      else this.answered(job, { tag: "failed", reason: new Crashed({ why: describe(why) }) })
      job.abort(why)
    }
    this.checkIdle()
  }

  /** Something that is not mail takes its turn. */
  take(turn: Turn): void {
    this.#ready.add(turn)
    this.proceed()
  }

  proceed(): void {
    if (this.#pumping) return // a handler that is done at once comes back here: the loop below goes on, not the stack
    this.#pumping = true
    try {
      while (this.#receiver !== undefined && this.#bench.hasRoom) {
        const next = this.#ready.take()
        if (next === undefined) break
        if (next instanceof Turn) void this.#bench.give(next).then(() => this.proceed())
        else if (this.#mayStart(next)) this.#start(next, this.#receiver)
        else {
          this.#ready.putBack(next)
          break
        }
      }
    } finally {
      this.#pumping = false
    }
    this.checkIdle()
  }

  #mayStart({ hand }: Job): boolean {
    if ((this.#finishing || this.#node.stopping) && !this.#mayFinish(hand)) return false
    // Something older is still to come back, and order matters here (feed.ts, F3).
    return this.options.concurrency > 1 || !this.#feed.isAhead(hand)
  }

  /** M4 */
  readonly #mayFinish = (hand: Hand): boolean =>
    this.#node.stopping ? hand.order <= this.#feed.newestBegun : this.#bench.hasReached(hand)

  #start(job: Job, receiver: Receiver): void {
    const { ask } = job
    const now = this.#node.now()
    // An ask nobody waits for any more never runs (promise 4).
    if (ask !== undefined && (ask.deadline <= now || job.aborted !== undefined)) return this.#drop(job)
    if (job.begun >= this.options.maxDeliveries) return this.#giveUp(job)
    this.#feed.begin(job.hand)
    this.#bench.begin(job, now)
    receiver.start(job)
    this.#bench.handed()
    if (ask !== undefined && job.running) {
      job.timer = this.#node.deadlines.add(ask.deadline, () =>
        job.abort(new Error("the deadline of the ask has passed")),
      )
    }
  }

  /** A handler that does not end once its signal is aborted is stuck, and its cell with it (promise 1). */
  aborted(job: Job): void {
    if (!job.running) return
    const { stuckAfter } = this.options
    job.timer?.cancel()
    job.timer = this.#node.deadlines.add(this.#node.now() + stuckAfter, () => {
      this.#receiver?.crash(job, new Error(`stuck: still running ${stuckAfter} ms after its signal was aborted`))
    })
  }

  #drop(job: Job): void {
    this.#node.cancels.forget(job)
    job.state = "handled"
    this.settled(job)
  }

  #giveUp(job: Job): void {
    const why = `handling was begun ${job.begun} times, and each time the process or its link died`
    if (job.ask !== undefined) return this.answered(job, { tag: "failed", reason: new Crashed({ why }) })
    this.#bury(job, "too many attempts", new Error(why), job.begun)
  }

  // Settling (called by jobs)

  answered(job: Job, outcome: Outcome | undefined): void {
    // Who took the actor's own key is told the one by which mail for its siblings can travel with it.
    const via = job.item.to === undefined ? this.options.sharedKey : undefined
    const service = this.#bench.service(job, this.#node.now(), this.#feed.size)
    reply(this.#node, job, outcome, { service, via, reads: this.options.codec })
    this.#done(job)
  }

  rejected(job: Job, reason: Rejected): void {
    if (job.ask !== undefined) this.answered(job, { tag: "failed", reason })
    else this.#bury(job, "rejected", reason, job.begun + 1)
  }

  /** The cell is gone: the message that did it is dealt with, and so are those that ran beside it. */
  crashed(job: Job, error: unknown): void {
    this.#receiver = undefined // nothing is started on a dead cell
    this.#blame(job, error)
    this.close(error)
  }

  #blame(job: Job, error: unknown): void {
    const attempts = job.begun + 1
    switch (afterCrash(job.item.kind, attempts, this.options.maxDeliveries)) {
      case "answer":
        return this.answered(job, { tag: "failed", reason: new Crashed({ why: describe(error) }) })
      case "retry":
        return this.#again(job, attempts)
      case "bury":
        return this.#bury(job, "crashed", error, attempts)
    }
  }

  #again(job: Job, attempts: number): void {
    const { hand, item } = job
    this.#bench.end(job)
    this.#bench.forget(job)
    const next = new Job(item, hand, attempts, this)
    hand.jobs.delete(job)
    hand.jobs.add(next)
    if (hand.delivery !== undefined) this.#ready.putBack(next)
  }

  #bury(job: Job, reason: DeadReason, error: unknown, attempts: number): void {
    this.#burial.ofJob(job, reason, error, attempts)
    this.#done(job)
  }

  #done(job: Job): void {
    this.#bench.end(job)
    if (job.hand.delivery === undefined) this.#bench.forget(job) // the broker has it: there is nothing to settle
    job.settleIfDone()
    this.proceed()
  }

  settled(job: Job): void {
    this.#bench.forget(job)
    this.#feed.settled(job)
    this.checkIdle()
  }

  // The link

  /** The broker has put back what was in hand. What runs goes on (promise 9). */
  lose(): void {
    this.#forgetMail()
    this.#bench.lose()
    this.checkIdle()
  }

  #forgetMail(): ReadonlyArray<Job> {
    const jobs = this.#ready.forgetMail()
    for (const job of jobs) this.#node.cancels.forget(job)
    return jobs
  }

  // Stopping

  /** Begins no new batch, and finishes what was begun (M4). */
  readonly finish: Effect.Effect<void> = Effect.callback((resume) => {
    this.#finishing = true
    this.#ready.putFirst(this.#mayFinish)
    this.#idle.push(() => resume(Effect.void))
    this.proceed()
  })

  /** The actor has left the queue. What it leaves undone. */
  leave(): ReadonlyArray<Job> {
    return this.#forgetMail()
  }

  /** Tells those who wait for it that nothing is left to finish. */
  checkIdle(): void {
    if (this.#idle.length === 0 || this.#bench.running > 0) return
    // What was begun is finished, unless there is no cell left to do it.
    if (this.#receiver !== undefined && this.#unfinished) return
    const idle = this.#idle
    this.#idle = []
    for (const call of idle) call()
  }

  get #unfinished(): boolean {
    const next = this.#ready.first
    return !this.#bench.isEmpty || (next instanceof Job && this.#mayFinish(next.hand)) || this.#feed.owing
  }
}

const describe = (error: unknown): string => asError(error).message
