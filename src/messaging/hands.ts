// The batches of one queue that are in hand, over the loss of links.
//
// A1. What is done is acked some at a time, and soon. Each ack is a write to the log of a quorum queue, and the next
//     message has to wait for it; a batch that comes back before its ack was sent is known here, and not handled again.
//     One that has come back is acked at once: what kills processes shall be the first that is not acked.

import type { Delivery } from "../broker/broker.ts"
import { Hand } from "./hand.ts"
import type { Mail } from "./opening.ts"
import { Soon } from "./soon.ts"

/** ms after which what is done is acked, and how many may be done before that. */
const ackWithin = 5
const mostDone = 64

export class Hands {
  /** What is in hand on this link. */
  readonly #held = new Set<Hand>()
  /** What was in hand when a link was lost, by message id, oldest first. */
  readonly #lost = new Map<string, Hand>()
  /** Done, and not acked yet (A1). */
  readonly #done = new Soon<Hand>(ackWithin, (done) => {
    for (const hand of done) {
      this.#held.delete(hand)
      hand.settle()
    }
  })
  readonly #most: () => number
  readonly #window: () => number
  #count = 0
  #newestBegun = 0

  /**
   * @param most lost batches that are remembered: what another member was given will not come back here.
   * @param window batches that the broker hands out before the first of them is acked.
   */
  constructor(most: () => number, window: () => number) {
    this.#most = most
    this.#window = window
  }

  /**
   * @param to the routing key of the actor that its items are for, where they do not say.
   * @param now ms since the epoch.
   */
  take(delivery: Delivery, mail: Mail, to: string, now: number): Hand {
    const hand = new Hand(++this.#count, delivery, mail, to, now)
    this.#held.add(hand)
    return hand
  }

  /** The batch that this delivery brings back, if it was in hand here when a link was lost. */
  resume(delivery: Delivery): Hand | undefined {
    const key = delivery.message.messageId
    const hand = key === undefined || !delivery.redelivered ? undefined : this.#lost.get(key)
    if (hand === undefined || key === undefined) return undefined
    this.#lost.delete(key)
    hand.resume(delivery)
    this.#held.add(hand)
    return hand
  }

  /** The order of the oldest batch that was lost and has not come back; Infinity when there is none. */
  get oldestAway(): number {
    let oldest = Number.POSITIVE_INFINITY
    for (const { order, jobs } of this.#lost.values()) if (jobs.size > 0 && order < oldest) oldest = order
    return oldest
  }

  /** Acks a batch, now or soon, if everything in it is settled. */
  release(hand: Hand): void {
    if (!hand.done || hand.acking) return
    hand.acking = true
    this.#done.add(hand, hand.redelivered ? 1 : Math.min(mostDone, this.#window() / 2))
  }

  /** Something of this batch is handed to a cell. */
  begin(hand: Hand): void {
    hand.begun = true
    if (hand.order > this.#newestBegun) this.#newestBegun = hand.order
  }

  /** The order of the newest batch that was begun; 0 when none was. */
  get newestBegun(): number {
    return this.#newestBegun
  }

  /** Whether a begun batch waits for something that is no job, such as a dead letter on its way. */
  get owing(): boolean {
    for (const hand of this.#held) if (hand.owing) return true
    return false
  }

  /** The broker has put them all back. */
  lose(): void {
    this.#done.forget()
    for (const hand of this.#held) {
      hand.lose()
      if (hand.key === undefined) continue
      this.#lost.delete(hand.key)
      this.#lost.set(hand.key, hand)
    }
    this.#held.clear()
    const surplus = Math.max(0, this.#lost.size - this.#most())
    for (const key of [...this.#lost.keys()].slice(0, surplus)) this.#lost.delete(key)
  }

  /** What is done is acked now. */
  ackDone(): void {
    this.#done.now()
  }

  giveBack(): void {
    this.ackDone()
    for (const hand of this.#held) hand.giveBack()
    this.#held.clear()
  }
}
