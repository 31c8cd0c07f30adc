// A member's end of a mailbox: it takes mail off the queue, hands it to the cell that is running, and settles it.
//
// M1. Mail is started in the order in which it came, `concurrency` at a time (promises 1 and 5).
// M2. While no cell runs (start, backoff, suspension) mail stays where it is: in hand up to the prefetch, else queued.
// M3. A message that crashed its cell is answered, retried at its place, or buried; never lost (promise 6).
// M4. What runs when the link is lost goes on; its batch is settled when the broker hands it out again.

import { Effect, MutableList } from "effect"
import type { Delivery, QueueSpec } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import { Crashed, Rejected } from "../protocol/errors.ts"
import { type Address, format, routingKey } from "../wire/address.ts"
import type { DeadReason, Remains } from "../wire/dead-letter.ts"
import type { AskItem, Outcome } from "../wire/item.ts"
import { Hand } from "./hand.ts"
import { type Desk, Job } from "./job.ts"
import type { Node } from "./node.ts"
import { type Mail, openMail, type ReplyAddress, type Unreadable } from "./opening.ts"
import type { Death } from "./post.ts"
import { afterCrash, begun, type Returned, reception } from "./redelivery.ts"
import { Subscription } from "./subscription.ts"
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

/** Batches in hand, and the least of them when concurrency is 1. */
const prefetchOf = (concurrency: number): number => Math.min(256, Math.max(8, concurrency))

export class Mailbox implements Desk {
  readonly subscription: Subscription
  readonly #node: Node
  readonly #options: MailboxOptions
  readonly #ready = MutableList.make<Job | Turn>()
  readonly #running = new Set<Job | Turn>()
  /** What is in hand on this link. */
  readonly #hands = new Set<Hand>()
  /** What was in hand when a link was lost, by message id, oldest first. */
  readonly #lost = new Map<string, Hand>()
  #receiver: Receiver | undefined
  #phase: "open" | "finishing" | "left" = "open"
  #idle: Array<() => void> = []

  /** @param refused the broker would not give the queue back after it was up: the member cannot go on. */
  constructor(node: Node, options: MailboxOptions, refused: (error: BrokerError) => void) {
    this.#node = node
    this.#options = options
    const prefetch = prefetchOf(options.concurrency)
    this.subscription = new Subscription(node, options.queue, routingKey(options.address), prefetch, {
      delivery: (delivery) => this.#receive(delivery),
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
    const { messageId: key } = delivery.message
    const known = key === undefined || !delivery.redelivered ? undefined : this.#lost.get(key)
    if (known !== undefined) return this.#resume(known, delivery)
    const mail = openMail(delivery.message, this.#node.now())
    const returned: Returned = {
      redelivered: delivery.redelivered,
      returns: delivery.returns,
      known: false,
      items: mail.items.length,
    }
    const hand = new Hand(delivery, mail)
    this.#hands.add(hand)
    for (const unreadable of mail.unreadable) this.#refuse(hand, unreadable)
    if (reception(returned) === "split") this.#split(hand, mail, returned)
    else for (const item of mail.items) this.#admit(new Job(item, hand, begun(returned, item.attempts ?? 0), this))
    this.#release(hand) // there may be nothing in it to wait for
    this.#pump()
  }

  /** Goes on with a batch that was in hand when the link was lost (redelivery.ts, R1). */
  #resume(hand: Hand, delivery: Delivery): void {
    if (hand.key !== undefined) this.#lost.delete(hand.key)
    hand.resume(delivery)
    this.#hands.add(hand)
    const waiting = [...hand.jobs].filter((job) => job.state === "waiting")
    // A job that was retried is the last of the set, but not of the batch.
    MutableList.appendAll(
      this.#ready,
      waiting.sort((a, b) => a.item.id - b.item.id),
    )
    this.#release(hand)
    this.#pump()
  }

  /** Sends every item again on its own; the batch is acked when the broker has them all (redelivery.ts, R3). */
  #split(hand: Hand, mail: Mail, returned: Returned): void {
    for (const item of mail.items) {
      const again = { ...item, attempts: begun(returned, item.attempts ?? 0) }
      this.#node.post.again(
        this.#options.address,
        again,
        mail.replays,
        hand.hold(() => this.#release(hand)),
      )
    }
  }

  #refuse(hand: Hand, { why, answer, remains }: Unreadable): void {
    const done = hand.hold(() => this.#release(hand))
    const reason = new Rejected({ why })
    if (answer === undefined) this.#entomb(hand, this.#death(hand, "undecodable", reason, 0, remains), done)
    else this.#node.post.answer(answer, { tag: "failed", reason }, undefined, done)
  }

  /** Takes a job in, unless it can be seen already that it must not run. */
  #admit(job: Job): void {
    job.hand.jobs.add(job)
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
    MutableList.append(this.#ready, job)
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
    MutableList.append(this.#ready, turn)
    this.#pump()
  }

  #pump(): void {
    while (this.#receiver !== undefined && this.#running.size < this.#options.concurrency) {
      const next = MutableList.take(this.#ready)
      if (next === MutableList.Empty) break
      if (next instanceof Turn) {
        this.#give(next)
        continue
      }
      if (this.#phase === "finishing" && !next.hand.started) {
        MutableList.prepend(this.#ready, next)
        break
      }
      this.#start(next, this.#receiver)
    }
    this.#checkIdle()
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
        this.#node.post.answer(replyAddress(job, ask), outcome, service, job.sending())
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
    if (hand.delivery !== undefined) MutableList.prepend(this.#ready, next)
  }

  #bury(job: Job, reason: DeadReason, error: unknown, attempts: number): void {
    const remains = { kind: "item" as const, item: job.item }
    this.#entomb(job.hand, this.#death(job.hand, reason, error, attempts, remains), job.sending())
    this.#done(job)
  }

  #entomb(hand: Hand, death: Death, done: () => void): void {
    this.#node.post.bury(death, (buried) => {
      if (!buried) hand.tooLargeToBury = true
      done()
    })
  }

  #done(job: Job): void {
    this.#running.delete(job)
    job.end()
    job.settleIfDone()
    this.#pump()
  }

  #death(hand: Hand, reason: DeadReason, error: unknown, attempts: number, remains: Remains): Death {
    return { reason, error, attempts, address: this.#options.address, replays: hand.replays, remains }
  }

  settled(job: Job): void {
    job.hand.jobs.delete(job)
    this.#release(job.hand)
  }

  #release(hand: Hand): void {
    if (hand.ackIfDone()) this.#hands.delete(hand)
    this.#checkIdle()
  }

  // The link

  /** The broker has put back what was in hand. What runs goes on (promise 9). */
  #lose(): void {
    const turns = MutableList.toArray(this.#ready).filter((next) => next instanceof Turn)
    MutableList.clear(this.#ready)
    MutableList.appendAll(this.#ready, turns)
    for (const hand of this.#hands) {
      hand.lose()
      if (hand.key === undefined) continue
      this.#lost.delete(hand.key)
      this.#lost.set(hand.key, hand)
    }
    this.#hands.clear()
    // What another member was given will not come back here: forget the oldest.
    const surplus = this.#lost.size - 2 * prefetchOf(this.#options.concurrency)
    for (const key of [...this.#lost.keys()].slice(0, Math.max(0, surplus))) this.#lost.delete(key)
    this.#checkIdle()
  }

  // Stopping

  /** Takes no new batch, and finishes what was begun. */
  readonly finish: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.#phase === "open") this.#phase = "finishing"
    this.#idle.push(() => resume(Effect.void))
    this.#checkIdle()
  })

  /** Leaves the queue, and gives back what is not settled. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    this.#phase = "left"
    return Effect.andThen(
      this.subscription.leave,
      Effect.sync(() => {
        for (const hand of this.#hands) hand.giveBack()
        this.#hands.clear()
        MutableList.clear(this.#ready)
      }),
    )
  })

  #checkIdle(): void {
    if (this.#idle.length === 0 || this.#running.size > 0) return
    // A batch that was begun is finished, unless there is no cell left to do it.
    for (const hand of this.#hands) if (hand.started && this.#receiver !== undefined) return
    const idle = this.#idle
    this.#idle = []
    for (const call of idle) call()
  }
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const replyAddress = (job: Job, ask: AskItem): ReplyAddress =>
  job.hand.plain === undefined
    ? { kind: "node", queue: ask.replyTo, id: ask.id }
    : { kind: "plain", queue: ask.replyTo, correlationId: job.hand.plain.correlationId }
