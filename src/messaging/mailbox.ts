// A member's end of a mailbox: it takes mail off the queue, hands it to the cell that is running, and settles it.
//
// M1. Mail is started in the order in which it came, `concurrency` at a time (promises 1 and 5).
// M2. While no cell runs (start, backoff, suspension) mail stays where it is: in hand up to the prefetch, else queued.
// M3. A message that crashed its cell is answered, retried at its place, or buried; never lost (promise 6).
// M4. What runs when the link is lost goes on. The rest is put in order again as the broker hands it out: some brokers
//     deliver fresh mail before what they have to put back, so a younger batch waits a moment for an older one.

import { Effect } from "effect"
import type { Delivery, QueueSpec } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import { Crashed, Rejected } from "../protocol/errors.ts"
import { type Address, format, routingKey } from "../wire/address.ts"
import type { DeadReason } from "../wire/dead-letter.ts"
import type { AskItem, Outcome } from "../wire/item.ts"
import { Burial } from "./burial.ts"
import type { Entry } from "./deadlines.ts"
import type { Hand } from "./hand.ts"
import { Hands } from "./hands.ts"
import { Intake } from "./intake.ts"
import { type Desk, Job } from "./job.ts"
import type { Node } from "./node.ts"
import type { ReplyAddress } from "./opening.ts"
import { Ready } from "./ready.ts"
import { afterCrash } from "./redelivery.ts"
import { Subscription } from "./subscription.ts"
import { asError } from "./thrown.ts"
import { Turn } from "./turn.ts"

export interface MailboxOptions {
  readonly address: Address
  readonly queue: QueueSpec
  /** Messages handled at once; Infinity for no bound. */
  readonly concurrency: number
  /** How often the handling of one message may be begun. */
  readonly maxDeliveries: number
  /** ms after an aborted message's signal until its cell is crashed. */
  readonly stuckAfter: number
}

/** What handles the mail: a cell. */
export interface Receiver {
  readonly start: (job: Job) => void
  /** Ends the cell on account of a job. */
  readonly crash: (job: Job, error: unknown) => void
}

/** ms that younger mail waits for older mail to come back; another member may have been given it. */
const patience = 1_000

/** Batches in hand, and the least of them when concurrency is 1. */
const prefetchOf = (concurrency: number): number => Math.min(256, Math.max(8, concurrency))

export class Mailbox implements Desk {
  readonly subscription: Subscription
  readonly #node: Node
  readonly #options: MailboxOptions
  readonly #ready = new Ready()
  readonly #running = new Set<Job | Turn>()
  readonly #hands: Hands
  readonly #burial: Burial
  readonly #intake: Intake
  #receiver: Receiver | undefined
  #phase: "open" | "finishing" | "left" = "open"
  #pumping = false
  /** While it lasts, younger mail waits for older mail. */
  #patience: Entry | undefined
  #idle: Array<() => void> = []

  /** @param refused the broker would not give the queue back after it was up: the member cannot go on. */
  constructor(node: Node, options: MailboxOptions, refused: (error: BrokerError) => void) {
    this.#node = node
    this.#options = options
    const prefetch = prefetchOf(options.concurrency)
    this.#hands = new Hands(2 * prefetch)
    this.#burial = new Burial(node.post, options.address)
    this.#intake = new Intake(node, {
      address: options.address,
      maxDeliveries: options.maxDeliveries,
      hands: this.#hands,
      burial: this.#burial,
      desk: this,
      admit: (hand, job) => this.#admitLate(hand, job),
      release: (hand) => this.#release(hand),
    })
    this.subscription = new Subscription(node, options.queue, routingKey(options.address), prefetch, {
      delivery: (delivery) => this.#receive(delivery),
      resuming: () => this.#expect(),
      lost: () => this.#lose(),
      refused,
    })
  }

  /** For people. */
  get load(): { readonly running: number; readonly waiting: number } {
    return { running: this.#running.size, waiting: this.#ready.length }
  }

  // Receiving

  #receive(delivery: Delivery): void {
    const known = this.#hands.resume(delivery)
    if (known !== undefined) return this.#resume(known)
    const { hand, jobs } = this.#intake.take(delivery)
    for (const job of jobs) this.#admit(job)
    this.#release(hand) // there may be nothing in it to wait for
    this.#pump()
  }

  /** Goes on with a batch that was in hand when the link was lost (redelivery.ts, R1). */
  #resume(hand: Hand): void {
    const back = [...hand.jobs].filter((job) => job.state === "waiting")
    for (const job of back) if (job.ask !== undefined) this.#node.cancels.watch(job)
    this.#ready.merge(back)
    if (this.#phase === "finishing") this.#ready.begunFirst()
    this.#release(hand)
    this.#pump()
  }

  #admitLate(hand: Hand, job: Job): void {
    hand.jobs.add(job)
    if (hand.delivery === undefined || this.#phase === "left") return // the broker has put it back
    this.#admit(job)
    this.#pump()
  }

  /** Takes a job in, unless it can be seen already that it must not run. */
  #admit(job: Job): void {
    const { ask } = job
    if (ask !== undefined) {
      if (this.#isCycle(ask.chain)) {
        const path = [...(ask.path ?? []), format(this.#options.address)].join(" -> ")
        return this.answered(job, {
          tag: "failed",
          reason: new Rejected({ why: `the ask would wait for itself: ${path}` }),
        })
      }
      this.#node.cancels.watch(job)
    }
    this.#ready.add(job)
  }

  /** Every place at work here waits, directly or not, for this very ask: nobody would ever be free to handle it. */
  #isCycle(chain: ReadonlyArray<string> | undefined): boolean {
    if (chain === undefined || this.#running.size < this.#options.concurrency) return false
    for (const work of this.#running) if (work instanceof Turn || !chain.includes(work.key)) return false
    return true
  }

  // Handling

  /** A cell takes the mail from now on. */
  open(receiver: Receiver): void {
    this.#receiver = receiver
    if (this.#phase === "finishing" && !this.#node.stopping) this.#phase = "open"
    this.#pump()
  }

  /** The cell is gone. Asks that it was handling are answered `Crashed`, tells are handled again by the next one. */
  close(why: unknown): void {
    this.#receiver = undefined
    for (const job of [...this.#running].reverse()) {
      if (job instanceof Turn) continue
      if (job.ask === undefined) this.#again(job, job.begun)
      else this.answered(job, { tag: "failed", reason: new Crashed({ why: describe(why) }) })
      job.abort(why)
    }
    this.#checkIdle()
  }

  /** Something that is not mail takes its turn. */
  take(turn: Turn): void {
    this.#ready.add(turn)
    this.#pump()
  }

  #pump(): void {
    if (this.#pumping) return // a handler that is done at once comes back here: the loop below goes on, not the stack
    this.#pumping = true
    try {
      while (this.#receiver !== undefined && this.#running.size < this.#options.concurrency) {
        const next = this.#ready.take()
        if (next === undefined) break
        if (next instanceof Turn) this.#give(next)
        else if (this.#mayStart(next)) this.#start(next, this.#receiver)
        else {
          this.#ready.putBack(next)
          break
        }
      }
    } finally {
      this.#pumping = false
    }
    this.#checkIdle()
  }

  #mayStart({ hand }: Job): boolean {
    return (this.#phase !== "finishing" || hand.started) && !this.#mustWait(hand)
  }

  /** Something older is still to come back, and order matters here (M4). */
  #mustWait(hand: Hand): boolean {
    return this.#patience !== undefined && this.#options.concurrency === 1 && this.#hands.oldestAway < hand.order
  }

  #give(turn: Turn): void {
    this.#running.add(turn)
    void turn.take().then(() => {
      this.#running.delete(turn)
      this.#pump()
    })
  }

  #start(job: Job, receiver: Receiver): void {
    const { ask } = job
    const now = this.#node.now()
    // An ask nobody waits for any more never runs (promise 4).
    if (ask !== undefined && (ask.deadline <= now || job.aborted !== undefined)) return this.#drop(job)
    if (job.begun >= this.#options.maxDeliveries) return this.#giveUp(job)
    job.state = "running"
    job.startedAt = now
    job.hand.started = true
    this.#running.add(job)
    receiver.start(job)
    if (ask !== undefined && job.running) {
      job.timer = this.#node.deadlines.add(ask.deadline, () =>
        job.abort(new Error("the deadline of the ask has passed")),
      )
    }
  }

  /** A handler that does not end once its signal is aborted is stuck, and its cell with it (promise 1). */
  aborted(job: Job): void {
    if (!job.running) return
    const { stuckAfter } = this.#options
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
    const { ask } = job
    if (ask !== undefined) {
      this.#node.cancels.forget(job)
      if (outcome !== undefined && job.aborted === undefined) {
        const service = job.startedAt === 0 ? undefined : Math.max(0, this.#node.now() - job.startedAt)
        const sent = job.sending()
        try {
          this.#node.post.answer(replyAddress(job, ask), outcome, service, sent)
        } catch (error) {
          sent() // it is not JSON, so nothing was sent; without this the ack would wait for ever
          throw error
        }
      }
    }
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
    switch (afterCrash(job.item.kind, attempts, this.#options.maxDeliveries)) {
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
    this.#running.delete(job)
    job.end()
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
    this.#running.delete(job)
    job.end()
    job.settleIfDone()
    this.#pump()
  }

  settled(job: Job): void {
    job.hand.jobs.delete(job)
    this.#release(job.hand)
  }

  #release(hand: Hand): void {
    this.#hands.release(hand)
    this.#checkIdle()
  }

  // The link

  /** A new link: whether mail of the last one is to come back, for which younger mail then waits a moment. */
  #expect(): boolean {
    if (this.#hands.oldestAway === Number.POSITIVE_INFINITY) return false
    this.#patience?.cancel()
    this.#patience = this.#node.deadlines.add(this.#node.now() + patience, () => {
      this.#patience = undefined
      this.#pump()
    })
    return true
  }

  /** The broker has put back what was in hand. What runs goes on (promise 9). */
  #lose(): void {
    this.#forgetMail()
    this.#hands.lose()
    this.#checkIdle()
  }

  #forgetMail(): void {
    for (const job of this.#ready.forgetMail()) this.#node.cancels.forget(job)
  }

  // Stopping

  /** Takes no new batch, and finishes what was begun. */
  readonly finish: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.#phase === "open") this.#phase = "finishing"
    this.#ready.begunFirst()
    this.#idle.push(() => resume(Effect.void))
    this.#checkIdle()
  })

  /** Leaves the queue, and gives back what is not settled. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    this.#phase = "left"
    return this.subscription.leave(() => {
      this.#hands.giveBack()
      this.#forgetMail()
    })
  })

  #checkIdle(): void {
    if (this.#idle.length === 0 || this.#running.size > 0) return
    // A batch that was begun is finished, unless there is no cell left to do it.
    if (this.#receiver !== undefined && this.#hands.begun) return
    const idle = this.#idle
    this.#idle = []
    for (const call of idle) call()
  }
}

const describe = (error: unknown): string => asError(error).message

const replyAddress = (job: Job, ask: AskItem): ReplyAddress =>
  job.hand.plain === undefined
    ? { kind: "node", queue: ask.replyTo, id: ask.id }
    : { kind: "plain", queue: ask.replyTo, correlationId: job.hand.plain.correlationId }
