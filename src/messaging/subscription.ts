// Keeps one consumer on one mailbox queue, over every link.
//
// U1. It starts with a prefetch of one and widens at the first message that is beyond suspicion: never delivered before,
//     and not split off a batch (post.ts). Mail that kills processes comes back first: so it is alone in hand when it
//     does, and its neighbours are not counted as suspects. At the first item of a split batch it is narrow again.
// U2. A change of width is a change of channel, and a lost link returns the mail of two channels in any order: where order
//     matters, nothing is in hand on the old channel when the new one begins.

import { Effect } from "effect"
import type { Consumer, Delivery, Link, QueueSpec } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import type { LinkUser } from "./connection.ts"
import type { Node } from "./node.ts"
import { isSplit } from "./post.ts"

export interface Subscriber {
  readonly delivery: (delivery: Delivery) => void
  /** What was delivered is no longer ours: the link, or the consumer, is gone. */
  readonly lost: () => void
  /** The broker refused to give the queue back to us after it was up. */
  readonly refused: (error: BrokerError) => void
}

export class Subscription implements LinkUser {
  readonly #node: Node
  readonly #queue: QueueSpec
  readonly #routingKey: string
  readonly #prefetch: number
  readonly #ordered: boolean
  readonly #subscriber: Subscriber
  #link: Link | undefined
  #consumer: Consumer | undefined
  #narrow = true
  #resizing = false
  /** Deliveries that are not settled, on this link. */
  #unsettled = 0
  /** What waits for there to be none. */
  #whenSettled: (() => void) | undefined
  #left = false
  /** What came while it was leaving. */
  readonly #late: Array<Delivery> = []

  /**
   * @param routingKey of the exchanges for mail and for control.
   * @param width batches in hand, once wide; and whether their order matters.
   */
  constructor(
    node: Node,
    queue: QueueSpec,
    routingKey: string,
    width: { readonly prefetch: number; readonly ordered: boolean },
    subscriber: Subscriber,
  ) {
    this.#node = node
    this.#queue = queue
    this.#routingKey = routingKey
    this.#prefetch = width.prefetch
    this.#ordered = width.ordered
    this.#subscriber = subscriber
  }

  up(link: Link): Effect.Effect<void, BrokerError> {
    return Effect.gen({ self: this }, function* () {
      const { names, inbox } = this.#node
      yield* link.declareQueue(this.#queue)
      yield* link.bind({ queue: this.#queue.name, exchange: names.mail, routingKey: this.#routingKey })
      yield* link.bind({ queue: inbox, exchange: names.control, routingKey: this.#routingKey })
      this.#link = link
      this.#narrow = true
      yield* this.#consume(link, 1)
    })
  }

  down(): void {
    this.#link = undefined
    this.#consumer = undefined
    this.#resizing = false
    this.#unsettled = 0
    this.#whenSettled?.() // whoever waits sees that the link has changed
    this.#whenSettled = undefined
    this.#subscriber.lost()
  }

  /** No delivery after this; what was delivered may still be settled. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    this.#left = true
    return this.#consumer === undefined ? Effect.void : this.#end(this.#consumer)
  })

  /** Gives back what came late only then: sooner, the broker would deliver it here again and again, and count. */
  #end(consumer: Consumer): Effect.Effect<void> {
    const giveBack = Effect.sync(() => {
      for (const delivery of this.#late.splice(0)) delivery.nack({ requeue: true })
    })
    return Effect.andThen(Effect.ignore(consumer.cancel), giveBack)
  }

  #consume(link: Link, prefetch: number): Effect.Effect<void, BrokerError> {
    if (this.#left) return Effect.void
    const listener = {
      delivery: (delivery: Delivery) => {
        if (this.#left) return void this.#late.push(delivery)
        if (isSplit(delivery.message)) this.#resize(link, true)
        else if (!delivery.redelivered) this.#resize(link, false)
        this.#subscriber.delivery(this.#ordered ? this.#counted(link, delivery) : delivery)
      },
      cancelled: (why: string) => this.#cancelled(link, why),
    }
    return Effect.flatMap(link.consume(this.#queue.name, { prefetch }, listener), (consumer) => {
      this.#consumer = consumer
      return this.#left ? this.#end(consumer) : Effect.void
    })
  }

  #counted(link: Link, delivery: Delivery): Delivery {
    this.#unsettled++
    const settled = () => {
      if (this.#link !== link || --this.#unsettled > 0) return
      this.#whenSettled?.()
      this.#whenSettled = undefined
    }
    const { message, redelivered, returns } = delivery
    const ack = () => {
      delivery.ack()
      settled()
    }
    const nack: Delivery["nack"] = (options) => {
      delivery.nack(options)
      settled()
    }
    return { message, redelivered, returns, ack, nack }
  }

  #resize(link: Link, narrow: boolean): void {
    const consumer = this.#consumer
    // Before consume-ok, or while it changes already, the next message does it.
    if (this.#narrow === narrow || this.#resizing || consumer === undefined) return
    this.#narrow = narrow
    this.#resizing = true
    const settled = Effect.callback<void>((resume) => {
      if (this.#unsettled === 0) return resume(Effect.void)
      this.#whenSettled = () => resume(Effect.void)
    })
    const again = Effect.suspend(() => {
      if (this.#link !== link) return Effect.void
      this.#resizing = false
      return this.#consume(link, narrow ? 1 : this.#prefetch)
    })
    const resized = consumer.cancel.pipe(Effect.andThen(settled), Effect.andThen(again))
    this.#node.run(Effect.catch(resized, (error) => this.#failed(error)))
  }

  /** The broker ended the consumer (queue deleted, consumer timeout), but the link lives. */
  #cancelled(link: Link, why: string): void {
    if (this.#link !== link || this.#left) return
    this.#node.log("Warn", `${this.#queue.name}: the broker ended the consumer (${why}); subscribing again`)
    this.down()
    this.#node.run(Effect.catch(this.up(link), (error) => this.#failed(error)))
  }

  /** A lost link is no news here, the next one brings us up; anything else ends the member. */
  #failed(error: BrokerError): Effect.Effect<void> {
    return Effect.sync(() => {
      if (error._tag !== "LinkLost") this.#subscriber.refused(error)
    })
  }
}
