// One queue on this node, and the mailboxes that it fills: that of one actor, or those of several that share it.
//
// F1. The first actor that comes brings the queue up, the last one that goes leaves it and gives back what is not settled.
// F2. An item is for the actor it names; else for the one whose routing key it came by; a queue that is not shared has but
//     one. For an actor that is not here it waits (unclaimed.ts).
// F3. What runs when the link is lost goes on. The rest is put in order again as the broker hands it out: some brokers
//     deliver fresh mail before what they have to put back, so a younger batch waits a moment for an older one.

import { Deferred, Effect, Exit, Scope } from "effect"
import type { Delivery } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import { routingKey } from "../wire/address.ts"
import { Burial } from "./burial.ts"
import type { Entry } from "./deadlines.ts"
import type { Hand } from "./hand.ts"
import { Hands } from "./hands.ts"
import { Intake } from "./intake.ts"
import type { Desk, Job } from "./job.ts"
import { homeOf, Mailbox, type MailboxOptions } from "./mailbox.ts"
import type { Node } from "./node.ts"
import { openMail } from "./opening.ts"
import { type Claim, Subscription } from "./subscription.ts"
import type { Supply } from "./supply.ts"
import { Unclaimed } from "./unclaimed.ts"

/** ms that younger mail waits for older mail to come back; another member may have been given it. */
const patience = 1_000

const mostInHand = 256
/** Batches in hand: at least 8 when concurrency is 1. Those of a shared queue are for anybody. */
const prefetchOf = ({ concurrency, sharedKey }: MailboxOptions): number =>
  sharedKey === undefined ? Math.min(mostInHand, Math.max(8, concurrency)) : mostInHand

export class Feed {
  /** The queue's name. */
  readonly queue: string
  readonly #node: Node
  /** By routing key. */
  readonly #mailboxes = new Map<string, Mailbox>()
  readonly #supply: Supply | undefined
  readonly #hands: Hands
  readonly #intake: Intake
  readonly #unclaimed: Unclaimed
  readonly #subscription: Subscription
  /** Holds the queue on the connection. */
  readonly #scope = Scope.makeUnsafe()
  readonly #joined = Deferred.makeUnsafe<void, BrokerError>()
  readonly #refused = Deferred.makeUnsafe<never, BrokerError>()
  readonly #over = Deferred.makeUnsafe<void>()
  /** While it lasts, younger mail waits for older mail. */
  #patience: Entry | undefined

  /** @param options those of the actor that comes first; the others agree with it on what matters here (feeds.ts). */
  constructor(node: Node, options: MailboxOptions) {
    this.#node = node
    const { address, queue, sharedKey, maxDeliveries, supply } = options
    this.queue = queue.name
    const prefetch = prefetchOf(options)
    const ordered = options.single && options.concurrency === 1
    const key = sharedKey ?? routingKey(address)
    const burial = new Burial(node.post, homeOf(options))
    this.#supply = supply
    this.#hands = new Hands(
      () => 2 * this.#subscription.widest,
      () => this.#subscription.window,
    )
    this.#unclaimed = new Unclaimed(node, burial, (job) => this.settled(job))
    this.#intake = new Intake(node, {
      key,
      open: supply?.open ?? openMail,
      again: homeOf(options) ?? key,
      shared: sharedKey !== undefined,
      ordered,
      maxDeliveries,
      hands: this.#hands,
      burial,
      deskOf: (to) => this.#deskOf(to),
      admit: (job) => this.#admitLate(job),
      release: (hand) => this.#release(hand),
    })
    this.#subscription = new Subscription(
      node,
      { queue, sharedKey, supply, prefetch, single: options.single, ordered },
      {
        delivery: (delivery) => this.#receive(delivery),
        resuming: () => this.#expect(),
        begins: () => this.#intake.begins(),
        ackDone: () => this.#hands.ackDone(),
        lost: () => this.#lose(),
        refused: (error) => Deferred.doneUnsafe(this.#refused, Effect.fail(error)),
      },
    )
  }

  // Actors come and go

  get mailboxes(): ReadonlyArray<Mailbox> {
    return [...this.#mailboxes.values()]
  }

  /** Actors that get their mail from it. */
  get size(): number {
    return this.#mailboxes.size
  }

  /** The last actor has gone. */
  get ended(): boolean {
    return this.#mailboxes.size === 0
  }

  /** Until the queue is left. */
  get over(): Effect.Effect<void> {
    return Deferred.await(this.#over)
  }

  /** Fails when the broker would not give the queue back after it was up. */
  get refused(): Effect.Effect<never, BrokerError> {
    return Deferred.await(this.#refused)
  }

  add(options: MailboxOptions): Mailbox {
    const mailbox = new Mailbox(this.#node, options, this)
    const { key } = mailbox
    this.#mailboxes.set(key, mailbox)
    if (this.#supply === undefined) this.#subscription.add(key)
    for (const job of this.#unclaimed.claim(key)) this.#move(job, mailbox)
    return mailbox
  }

  /** Brings the queue up on the link, now or once there is one, for as long as it has an actor. */
  start(after: Effect.Effect<void>): Effect.Effect<void> {
    const joining = Effect.andThen(after, this.#node.connection.join(this.#subscription)).pipe(
      Scope.provide(this.#scope),
      Effect.onExit((exit) => Effect.sync(() => Deferred.doneUnsafe(this.#joined, exit))),
    )
    return Effect.asVoid(Effect.forkIn(joining, this.#scope))
  }

  /** Until mail for this actor gets here. */
  reach({ key }: Mailbox): Effect.Effect<void, BrokerError> {
    const bound = this.#supply === undefined ? this.#subscription.reach(key) : Effect.void
    const reached = Effect.andThen(Deferred.await(this.#joined), bound)
    return Effect.raceFirst(reached, this.refused)
  }

  /** From now on so many batches may be in hand, or more. */
  widen(prefetch: number): void {
    this.#subscription.widen(prefetch)
  }

  /** Of a `single` clique: takes the mail off the queue for as long as the claim holds ... */
  take(claim: Claim): Effect.Effect<void, BrokerError> {
    return this.#subscription.take(claim)
  }

  /** ... and gives it back. */
  get release(): Effect.Effect<void> {
    return this.#subscription.release()
  }

  remove(mailbox: Mailbox): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#mailboxes.delete(mailbox.key)
      const undone = mailbox.leave()
      if (this.#mailboxes.size === 0) return this.#end
      this.#subscription.remove(mailbox.key)
      this.#unclaimed.left()
      for (const job of undone) this.#move(job, this.#unclaimed)
      return Effect.void
    })
  }

  readonly #end: Effect.Effect<void> = Effect.suspend(() => {
    const leave = this.#subscription.leave(() => {
      this.#hands.giveBack()
      this.#unclaimed.forget()
    })
    return Scope.close(this.#scope, Exit.void).pipe(
      Effect.andThen(leave),
      Effect.ensuring(Effect.sync(() => Deferred.doneUnsafe(this.#over, Effect.void))),
    )
  })

  // Mail

  #deskOf(to: string): Desk {
    const [only] = this.#supply === undefined ? [] : this.#mailboxes.values()
    return only ?? this.#mailboxes.get(to) ?? this.#unclaimed
  }

  #move(job: Job, desk: Desk): void {
    job.desk = desk
    desk.admit(job)
  }

  #receive(delivery: Delivery): void {
    const known = this.#hands.resume(delivery)
    if (known !== undefined) return this.#resume(known)
    const { hand, jobs } = this.#intake.take(delivery)
    for (const job of jobs) job.desk.admit(job)
    this.#release(hand) // there may be nothing in it to wait for
    let last: Desk | undefined
    for (const { desk } of jobs) {
      if (desk !== last) desk.proceed()
      last = desk
    }
  }

  /** Goes on with a batch that was in hand when the link was lost (redelivery.ts, R1). Actors may have come or gone. */
  #resume(hand: Hand): void {
    const back = new Map<Desk, Array<Job>>()
    for (const job of hand.jobs) {
      if (job.state === "waiting") job.desk = this.#deskOf(job.to)
      const jobs = back.get(job.desk)
      if (jobs === undefined) back.set(job.desk, [job])
      else jobs.push(job)
    }
    for (const [desk, jobs] of back) desk.resume(jobs)
    this.#release(hand)
    this.#proceed()
  }

  #admitLate(job: Job): void {
    const { hand } = job
    hand.jobs.add(job)
    if (hand.delivery === undefined || this.ended) return // the broker has put it back, or will have
    job.desk.admit(job)
    job.desk.proceed()
  }

  #proceed(): void {
    for (const mailbox of this.#mailboxes.values()) mailbox.proceed()
  }

  /** Something of this batch is handed to a cell. */
  begin(hand: Hand): void {
    this.#hands.begin(hand)
  }

  /** The order of the newest batch that was begun. */
  get newestBegun(): number {
    return this.#hands.newestBegun
  }

  /** Whether something older is still to come back (F3). */
  isAhead(hand: Hand): boolean {
    return this.#patience !== undefined && this.#hands.oldestAway < hand.order
  }

  settled(job: Job): void {
    job.hand.jobs.delete(job)
    this.#release(job.hand)
  }

  #release(hand: Hand): void {
    this.#hands.release(hand)
    if (this.#finishing) for (const mailbox of this.#mailboxes.values()) mailbox.checkIdle()
  }

  /** Nobody stays behind who would have batches of his own begun all the time. */
  get #finishing(): boolean {
    return this.#node.stopping || this.#mailboxes.size === 1
  }

  /** Whether those who finish have to wait for what is no job, such as a dead letter on its way. */
  get owing(): boolean {
    return this.#finishing && this.#hands.owing
  }

  // The link

  /** A new link: whether mail of the last one is to come back, for which younger mail then waits a moment. */
  #expect(): boolean {
    if (this.#hands.oldestAway === Number.POSITIVE_INFINITY) return false
    this.#patience?.cancel()
    this.#patience = this.#node.deadlines.add(this.#node.now() + patience, () => {
      this.#patience = undefined
      this.#proceed()
    })
    return true
  }

  /** The broker has put back what was in hand. What runs goes on (promise 9). */
  #lose(): void {
    this.#hands.lose()
    this.#unclaimed.forget()
    for (const mailbox of this.#mailboxes.values()) mailbox.lose()
  }
}
