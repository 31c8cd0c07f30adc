// How a delivery becomes jobs: opened, judged by how often it came before, and put in hand.
//
// I1. Where the order outlives a fail-over, all that the last leader had in hand comes back with a count, though it had begun
//     but the first. So only the first delivery that a new leader gets is judged by its count.

import type { Delivery, Incoming } from "../broker/broker.ts"
import { Rejected } from "../protocol/errors.ts"
import type { Burial } from "./burial.ts"
import type { Hand } from "./hand.ts"
import type { Hands } from "./hands.ts"
import { type Desk, Job } from "./job.ts"
import type { Node } from "./node.ts"
import type { Mail, Unreadable } from "./opening.ts"
import { begun, type Returned, reception } from "./redelivery.ts"
import type { Target } from "./supply.ts"

export interface IntakeOptions {
  /** A routing key that leads to the queue: that of the only actor it is for, or the one that its actors share. */
  readonly key: string
  /** Opens a delivery. @param now ms since the epoch. */
  readonly open: (message: Incoming, now: number) => Mail
  /** What leads to the queue, for items that are sent again. */
  readonly again: string | Target
  readonly shared: boolean
  /** The order outlives a fail-over (I1). */
  readonly ordered: boolean
  readonly maxDeliveries: number
  readonly hands: Hands
  readonly burial: Burial
  /** Where the mail for this routing key is handled. */
  readonly deskOf: (to: string) => Desk
  /** A job that turned up later than its delivery. */
  readonly admit: (job: Job) => void
  /** A part of a batch that is no job is settled. */
  readonly release: (hand: Hand) => void
}

export class Intake {
  readonly #node: Node
  readonly #options: IntakeOptions
  /** I1 */
  #first = true

  constructor(node: Node, options: IntakeOptions) {
    this.#node = node
    this.#options = options
  }

  /** What is delivered from now on is for a new consumer. */
  begins(): void {
    this.#first = true
  }

  /** The jobs that a delivery brings for the first time. There may be none: what is refused or split is dealt with here. */
  take(delivery: Delivery): { readonly hand: Hand; readonly jobs: ReadonlyArray<Job> } {
    const { key, open, shared, hands, maxDeliveries } = this.#options
    const now = this.#node.now()
    const mail = open(delivery.message, now)
    const returned: Returned = {
      redelivered: delivery.redelivered,
      returns: this.#returnsOf(delivery),
      known: false,
      items: mail.items.length,
    }
    const hand = hands.take(delivery, mail, shared ? delivery.message.routingKey : key, now)
    for (const unreadable of mail.unreadable) this.#refuse(hand, unreadable)
    if (reception(returned, maxDeliveries) === "split") {
      this.#split(hand, mail, returned)
      return { hand, jobs: [] }
    }
    const jobs = mail.items.map((item) => this.#job(item, hand, begun(returned, item.attempts ?? 0)))
    for (const job of jobs) hand.jobs.add(job)
    return { hand, jobs }
  }

  #returnsOf({ redelivered, returns }: Delivery): number | undefined {
    const first = this.#first
    this.#first = false
    if (first || !this.#options.ordered) return returns
    return redelivered ? 1 : 0 // it says so, and is handled in its place
  }

  #job(item: Mail["items"][number], hand: Hand, attempts: number): Job {
    return new Job(item, hand, attempts, this.#options.deskOf(item.to ?? hand.to))
  }

  /** Sends every item again on its own; the batch is acked when the broker has them all (redelivery.ts, R3). */
  #split(hand: Hand, mail: Mail, returned: Returned): void {
    const { again: to, shared, release, admit } = this.#options
    for (const item of mail.items) {
      const attempts = begun(returned, item.attempts ?? 0)
      const done = hand.hold(() => release(hand))
      // By the key that is bound for sure: that of an actor who is not here may lead nowhere.
      const again = shared ? { ...item, attempts, to: item.to ?? hand.to } : { ...item, attempts }
      this.#node.post.again(to, again, mail.replays, (taken) => {
        // A full mailbox takes nothing more: it is handled where it is, or nothing would ever move again.
        if (!taken) admit(this.#job(item, hand, attempts))
        done()
      })
    }
  }

  #refuse(hand: Hand, unreadable: Unreadable): void {
    const { burial, release } = this.#options
    const done = hand.hold(() => release(hand))
    const reason = new Rejected({ why: unreadable.why })
    if (unreadable.answer === undefined) burial.ofUnreadable(hand, unreadable, reason, done)
    else this.#node.post.answer(unreadable.answer, { tag: "failed", reason }, undefined, done)
  }
}
