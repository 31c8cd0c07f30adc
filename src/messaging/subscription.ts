// Keeps one consumer on one mailbox queue, over every link.
//
// U1. It starts with a prefetch of one and widens at the first message that is beyond suspicion: never delivered before,
//     and not split off a batch (post.ts). Mail that kills processes comes back first: so it is alone in hand when it
//     does, and its neighbours are not counted as suspects. At the first item of a split batch it is narrow again.
// U2. Where mail of a lost link is to come back to this very process, it starts wide: what it had in hand did not kill it,
//     and the mailbox puts it in order again (mailbox.ts, M4).

import { Effect } from "effect"
import type { Consumer, Delivery, Link, QueueSpec } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import type { LinkUser } from "./connection.ts"
import type { Node } from "./node.ts"
import { isSplit } from "./post.ts"

export interface Subscriber {
  readonly delivery: (delivery: Delivery) => void
  /** Whether mail that was in hand here when the last link was lost is to come back. */
  readonly resuming: () => boolean
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
  readonly #subscriber: Subscriber
  #link: Link | undefined
  #consumer: Consumer | undefined
  #narrow = true
  #resizing = false
  #left = false
  /** What came while it was leaving. */
  readonly #late: Array<Delivery> = []

  /** @param routingKey of the exchanges for mail and for control. @param prefetch batches in hand, once wide. */
  constructor(node: Node, queue: QueueSpec, routingKey: string, prefetch: number, subscriber: Subscriber) {
    this.#node = node
    this.#queue = queue
    this.#routingKey = routingKey
    this.#prefetch = prefetch
    this.#subscriber = subscriber
  }

  up(link: Link): Effect.Effect<void, BrokerError> {
    return Effect.gen({ self: this }, function* () {
      const { names, inbox } = this.#node
      yield* link.declareQueue(this.#queue)
      yield* link.bind({ queue: this.#queue.name, exchange: names.mail, routingKey: this.#routingKey })
      yield* link.bind({ queue: inbox, exchange: names.control, routingKey: this.#routingKey })
      this.#link = link
      this.#narrow = !this.#subscriber.resuming()
      yield* this.#consume(link, this.#narrow ? 1 : this.#prefetch)
    })
  }

  down(): void {
    this.#link = undefined
    this.#consumer = undefined
    this.#resizing = false
    this.#subscriber.lost()
  }

  /**
   * No delivery after this. What came late is given back behind what was in hand, as it stood in the queue; and only when
   * the consumer is gone: sooner, the broker would deliver it here again and again, and count.
   *
   * @param giveBack what was in hand.
   */
  leave(giveBack: () => void): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#left = true
      return this.#consumer === undefined ? Effect.sync(giveBack) : this.#end(this.#consumer, giveBack)
    })
  }

  #end(consumer: Consumer, giveBack: () => void): Effect.Effect<void> {
    const giveBackAll = Effect.sync(() => {
      giveBack()
      for (const delivery of this.#late.splice(0)) delivery.nack({ requeue: true })
    })
    return Effect.andThen(Effect.ignore(consumer.cancel), giveBackAll)
  }

  #consume(link: Link, prefetch: number): Effect.Effect<void, BrokerError> {
    if (this.#left) return Effect.void
    const listener = {
      delivery: (delivery: Delivery) => {
        if (this.#left) return void this.#late.push(delivery)
        if (isSplit(delivery.message)) this.#resize(link, true)
        else if (!delivery.redelivered) this.#resize(link, false)
        this.#subscriber.delivery(delivery)
      },
      cancelled: (why: string) => this.#cancelled(link, why),
    }
    return Effect.flatMap(link.consume(this.#queue.name, { prefetch }, listener), (consumer) => {
      this.#consumer = consumer
      this.#resizing = false
      return this.#left ? this.#end(consumer, () => {}) : Effect.void
    })
  }

  #resize(link: Link, narrow: boolean): void {
    const consumer = this.#consumer
    // Before consume-ok, or while it changes already, the next message does it.
    if (this.#narrow === narrow || this.#resizing || consumer === undefined) return
    this.#narrow = narrow
    this.#resizing = true
    const again = Effect.suspend(() =>
      // It may have been subscribed anew meanwhile, on this link or another.
      this.#consumer === consumer ? this.#consume(link, narrow ? 1 : this.#prefetch) : Effect.void,
    )
    const resized = consumer.cancel.pipe(
      Effect.andThen(again),
      Effect.catchTag("NotFound", (error) => Effect.sync(() => this.#cancelled(link, error.message))),
      Effect.catch((error) => this.#failed(error)),
    )
    this.#node.run(resized)
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
