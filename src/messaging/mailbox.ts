// An actor's end of a queue: what the feed takes off it for this actor is handed to the cell that is running, and settled.
//
// M1. Mail is started in the order in which it came, `concurrency` at a time (promises 1 and 5).
// M2. While no cell runs (start, backoff, suspension) mail stays where it is: in hand up to the prefetch, else queued.
// M3. A message that crashed its cell is answered, retried at its place, or buried; never lost (promise 6).

import { Effect } from "effect"
import type { QueueSpec } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import { Crashed, Rejected } from "../protocol/errors.ts"
import { type Address, format, routingKey } from "../wire/address.ts"
import type { DeadReason } from "../wire/dead-letter.ts"
import type { CodecName, Outcome } from "../wire/item.ts"
import { Agenda, inHand } from "./agenda.ts"
import { Burial } from "./burial.ts"
import type { Feed } from "./feed.ts"
import { type Desk, Job } from "./job.ts"
import { Lot, type LotDesk } from "./lot.ts"
import type { Node } from "./node.ts"
import type { Receiver } from "./receiver.ts"
import { afterCrash, afterLotCrash } from "./redelivery.ts"
import { reply } from "./reply.ts"
import type { Claim } from "./subscription.ts"
import type { Supply, Target } from "./supply.ts"
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
  /** What fills the queue, when that is not mail for the address. */
  readonly supply?: Supply
}

/** Where something has to be published to get into such a queue again. */
export const homeOf = ({ queue, supply }: MailboxOptions): Target | undefined =>
  supply === undefined ? undefined : { exchange: "", routingKey: queue.name }

/** A leader's claim. */
interface Lead extends Claim {
  /** It grows. */
  readonly epoch: number
}

export class Mailbox implements Desk, LotDesk {
  readonly options: MailboxOptions
  /** The actor's routing key. */
  readonly key: string
  readonly #node: Node
  readonly #feed: Feed
  readonly #burial: Burial
  readonly #bench: Workbench
  readonly #agenda: Agenda
  #receiver: Receiver | undefined
  /** The last in which it led its `single` clique: what it answers, it answers in that. */
  #lead: Lead | undefined
  #pumping = false
  #idle: Array<() => void> = []

  constructor(node: Node, options: MailboxOptions, feed: Feed) {
    this.#node = node
    this.options = options
    this.key = routingKey(options.address)
    this.#feed = feed
    this.#burial = new Burial(node.post, homeOf(options))
    this.#bench = new Workbench(options.concurrency)
    const ordered = options.concurrency === 1
    this.#agenda = new Agenda({ node, feed, bench: this.#bench, ordered, wake: () => this.proceed() })
  }

  /** For people. */
  get load(): { readonly running: number; readonly waiting: number } {
    return { running: this.#bench.running, waiting: this.#agenda.length }
  }

  /** Whether a cell takes the mail. */
  get isOpen(): boolean {
    return this.#receiver !== undefined
  }

  /** What is being handled, and since when (ms since the epoch), oldest first. */
  get handling(): ReadonlyArray<{ readonly message: string; readonly since: number }> {
    const turns = this.#bench.runningJobs().filter((job) => job.lot === undefined || job.lot.lead === job)
    return turns.map(({ item, startedAt }) => ({ message: item.name, since: startedAt }))
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
    this.#agenda.add(job)
  }

  /** Goes on with a batch that was in hand when the link was lost (redelivery.ts, R1). */
  resume(jobs: ReadonlyArray<Job>): void {
    const waiting = jobs.filter((job) => job.state === "waiting")
    for (const job of waiting) if (job.ask !== undefined) this.#node.cancels.watch(job)
    for (const job of jobs) if (job.state !== "waiting") this.#bench.resume(job)
    this.#agenda.merge(waiting)
  }

  // Handling

  /** A cell takes the mail from now on. */
  open(receiver: Receiver): void {
    this.#receiver = receiver
    const { portions } = receiver
    if (portions !== undefined) this.#feed.widen(inHand(portions, this.options.concurrency))
    if (!this.#node.stopping) this.#agenda.goOn()
    this.proceed()
  }

  /** The leader's: takes the mail of a `single` clique off the queue for as long as the claim holds. */
  lead(claim: Lead): Effect.Effect<void, BrokerError> {
    this.#lead = claim
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
    this.#agenda.add(turn)
    this.proceed()
  }

  proceed(): void {
    if (this.#pumping) return // a handler that is done at once comes back here: the loop below goes on, not the stack
    this.#pumping = true
    try {
      while (this.#receiver !== undefined && this.#bench.hasRoom) {
        const next = this.#agenda.next(this.#receiver.portions)
        if (next === undefined) break
        if (next instanceof Job) this.#start(next, this.#receiver)
        else if (next instanceof Turn) void this.#bench.give(next).then(() => this.proceed())
        else this.#startLot(new Lot(next, this), this.#receiver)
      }
    } finally {
      this.#pumping = false
    }
    this.checkIdle()
  }

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

  #startLot(lot: Lot, receiver: Receiver): void {
    for (const { hand } of lot.jobs) this.#feed.begin(hand)
    this.#bench.beginLot(lot, this.#node.now())
    receiver.startLot(lot)
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
    reply(this.#node, job, outcome, { service, via, reads: this.options.codec, epoch: this.#lead?.epoch })
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

  /** Nobody knows which of them it was: each comes again, alone. */
  apart(lot: Lot, crash: Error | undefined): void {
    if (crash !== undefined) this.#receiver = undefined
    for (const job of lot.running.toReversed()) {
      this.#again(job, crash === undefined ? job.begun : afterLotCrash(job.begun, this.options.maxDeliveries), true)
    }
    if (crash === undefined) this.proceed()
    else this.close(crash)
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

  #again(job: Job, attempts: number, alone = job.alone): void {
    const { hand, item } = job
    this.#bench.end(job)
    this.#bench.forget(job)
    const next = new Job(item, hand, attempts, this)
    next.alone = alone
    hand.jobs.delete(job)
    hand.jobs.add(next)
    if (hand.delivery !== undefined) this.#agenda.putBack(next)
    job.lot?.leave()
  }

  #bury(job: Job, reason: DeadReason, error: unknown, attempts: number): void {
    this.#burial.ofJob(job, reason, error, attempts, this.#lead?.epoch)
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
    const jobs = this.#agenda.forgetMail()
    for (const job of jobs) this.#node.cancels.forget(job)
    return jobs
  }

  // Stopping

  /** Begins no new batch, and finishes what was begun (agenda.ts, A1). */
  readonly finish: Effect.Effect<void> = Effect.callback((resume) => {
    this.#agenda.finish()
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
    return !this.#bench.isEmpty || this.#agenda.isUnfinished || this.#feed.owing
  }
}

const describe = (error: unknown): string => asError(error).message
