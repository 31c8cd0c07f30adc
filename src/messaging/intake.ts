// How a delivery becomes jobs: opened, judged by how often it came before, and put in hand.

import type { Delivery } from "../broker/broker.ts"
import { Rejected } from "../protocol/errors.ts"
import type { Address } from "../wire/address.ts"
import type { Burial } from "./burial.ts"
import type { Hand } from "./hand.ts"
import type { Hands } from "./hands.ts"
import { type Desk, Job } from "./job.ts"
import type { Node } from "./node.ts"
import { type Mail, openMail, type Unreadable } from "./opening.ts"
import { begun, type Returned, reception } from "./redelivery.ts"

export interface IntakeOptions {
  readonly address: Address
  readonly maxDeliveries: number
  readonly hands: Hands
  readonly burial: Burial
  readonly desk: Desk
  /** A job that turned up later than its delivery. */
  readonly admit: (hand: Hand, job: Job) => void
  /** A part of a batch that is no job is settled. */
  readonly release: (hand: Hand) => void
}

export class Intake {
  readonly #node: Node
  readonly #options: IntakeOptions

  constructor(node: Node, options: IntakeOptions) {
    this.#node = node
    this.#options = options
  }

  /** The jobs that a delivery brings for the first time. There may be none: what is refused or split is dealt with here. */
  take(delivery: Delivery): { readonly hand: Hand; readonly jobs: ReadonlyArray<Job> } {
    const { hands, maxDeliveries, desk } = this.#options
    const mail = openMail(delivery.message, this.#node.now())
    const returned: Returned = {
      redelivered: delivery.redelivered,
      returns: delivery.returns,
      known: false,
      items: mail.items.length,
    }
    const hand = hands.take(delivery, mail)
    for (const unreadable of mail.unreadable) this.#refuse(hand, unreadable)
    if (reception(returned, maxDeliveries) === "split") {
      this.#split(hand, mail, returned)
      return { hand, jobs: [] }
    }
    const jobs = mail.items.map((item) => new Job(item, hand, begun(returned, item.attempts ?? 0), desk))
    for (const job of jobs) hand.jobs.add(job)
    return { hand, jobs }
  }

  /** Sends every item again on its own; the batch is acked when the broker has them all (redelivery.ts, R3). */
  #split(hand: Hand, mail: Mail, returned: Returned): void {
    const { address, release, admit, desk } = this.#options
    for (const item of mail.items) {
      const attempts = begun(returned, item.attempts ?? 0)
      const done = hand.hold(() => release(hand))
      this.#node.post.again(address, { ...item, attempts }, mail.replays, (taken) => {
        // A full mailbox takes nothing more: it is handled where it is, or nothing would ever move again.
        if (!taken) admit(hand, new Job(item, hand, attempts, desk))
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
