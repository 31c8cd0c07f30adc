// Keeps one consumer on one mailbox queue, over every link.
//
// U1. It starts with a prefetch of one and widens at the first message that is beyond suspicion: never delivered before,
//     and not split off a batch (post.ts). Mail that kills processes comes back first: so it is alone in hand when it
//     does, and its neighbours are not counted as suspects. At the first item of a split batch it is narrow again.

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
  readonly #subscriber: Subscriber
  #link: Link | undefined
  #consumer: Consumer | undefined
  #narrow = true
  #resizing = false
  #left = false

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
      this.#narrow = true
      yield* this.#consume(link, 1)
    })
  }

  down(): void {
    this.#link = undefined
    this.#consumer = undefined
    this.#subscriber.lost()
  }

  /** No delivery after this; what was delivered may still be settled. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    this.#left = true
    return this.#consumer === undefined ? Effect.void : Effect.ignore(this.#consumer.cancel)
  })

  #consume(link: Link, prefetch: number): Effect.Effect<void, BrokerError> {
    if (this.#left) return Effect.void
    const listener = {
      delivery: (delivery: Delivery) => {
        if (this.#left) return delivery.nack({ requeue: true })
        if (isSplit(delivery.message)) this.#resize(link, true)
        else if (!delivery.redelivered) this.#resize(link, false)
        this.#subscriber.delivery(delivery)
      },
      cancelled: (why: string) => this.#cancelled(link, why),
    }
    return Effect.map(link.consume(this.#queue.name, { prefetch }, listener), (consumer) => {
      this.#consumer = consumer
    })
  }

  #resize(link: Link, narrow: boolean): void {
    const consumer = this.#consumer
    // Before consume-ok, or while it changes already, the next message does it.
    if (this.#narrow === narrow || this.#resizing || consumer === undefined) return
    this.#narrow = narrow
    this.#resizing = true
    const resized = Effect.andThen(
      consumer.cancel,
      Effect.suspend(() => (this.#link === link ? this.#consume(link, narrow ? 1 : this.#prefetch) : Effect.void)),
    ).pipe(
      Effect.catch((error) => this.#failed(error)),
      Effect.ensuring(
        Effect.sync(() => {
          this.#resizing = false
        }),
      ),
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
