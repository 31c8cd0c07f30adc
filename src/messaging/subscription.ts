// Keeps one consumer on one mailbox queue, over every link, and the routing keys bound that lead to it.
//
// U1. It starts with a prefetch of one and widens at the first message that is beyond suspicion: never delivered before,
//     and not split off a batch (post.ts). Mail that kills processes comes back first: so it is alone in hand when it
//     does, and its neighbours are not counted as suspects. At the first item of a split batch it is narrow again.
// U2. Where mail of a lost link is to come back to this very process, it starts wide: what it had in hand did not kill it,
//     and the feed puts it in order again (feed.ts, F3).
// U3. An actor is reached once its key is bound: on a new link before the queue is consumed, at once if it comes later.

import { Deferred, Effect } from "effect"
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

export interface Source {
  readonly queue: QueueSpec
  /** A routing key that leads to the queue but is no actor's. */
  readonly sharedKey: string | undefined
  /** Batches in hand, once wide. */
  readonly prefetch: number
}

/** Keys that are bound side by side: each costs two round trips. */
const sideBySide = 16

/** ms before a queue that is being deleted is declared again. */
const deletion = 100

export class Subscription implements LinkUser {
  readonly #node: Node
  readonly #source: Source
  readonly #subscriber: Subscriber
  /** The routing keys of the actors, and those of them that are bound on this link. */
  readonly #keys = new Set<string>()
  #bound = new Set<string>()
  /** Done when it is up the next time. */
  #nextUp = Deferred.makeUnsafe<void>()
  #link: Link | undefined
  #consumer: Consumer | undefined
  /** How it consumes, and how it is to. */
  #narrow = true
  #suspicious = true
  #resizing = false
  #left = false
  /** What came while it was leaving. */
  readonly #late: Array<Delivery> = []

  constructor(node: Node, source: Source, subscriber: Subscriber) {
    this.#node = node
    this.#source = source
    this.#subscriber = subscriber
  }

  up(link: Link): Effect.Effect<void, BrokerError> {
    return Effect.gen({ self: this }, function* () {
      const { names } = this.#node
      const { queue, sharedKey, prefetch } = this.#source
      yield* link.declareQueue(queue)
      if (sharedKey !== undefined) {
        yield* link.bind({ queue: queue.name, exchange: names.mail, routingKey: sharedKey })
      }
      this.#bound = new Set()
      // Actors may come while the others are bound: go on until none is left.
      for (let next = this.#unbound(); next.length > 0; next = this.#unbound()) {
        yield* Effect.forEach(next, (key) => this.#bind(link, key), { concurrency: sideBySide, discard: true })
      }
      this.#link = link
      this.#narrow = this.#suspicious = !this.#subscriber.resuming()
      yield* this.#consume(link, this.#narrow ? 1 : prefetch)
      const up = this.#nextUp
      this.#nextUp = Deferred.makeUnsafe()
      Deferred.doneUnsafe(up, Effect.void)
    })
  }

  down(): void {
    this.#link = undefined
    this.#consumer = undefined
    this.#resizing = false
    this.#subscriber.lost()
  }

  /** Batches that the broker hands out before one is acked. */
  get window(): number {
    return this.#narrow ? 1 : this.#source.prefetch
  }

  /** One more actor, whose key is bound from the next `up` on. */
  add(key: string): void {
    this.#keys.add(key)
  }

  /** The key stays bound, for the actor may be elsewhere too. It is not bound again. */
  remove(key: string): void {
    this.#keys.delete(key)
  }

  /** Until the key of an actor that was added is bound. */
  reach(key: string): Effect.Effect<void, BrokerError> {
    return Effect.suspend((): Effect.Effect<void, BrokerError> => {
      const link = this.#link
      const later = Effect.suspend(() => Effect.andThen(Deferred.await(this.#nextUp), this.reach(key)))
      if (link === undefined) return later
      return this.#bound.has(key) ? Effect.void : Effect.catchTag(this.#bind(link, key), "LinkLost", () => later)
    })
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

  #unbound(): ReadonlyArray<string> {
    return [...this.#keys].filter((key) => !this.#bound.has(key))
  }

  /** Mail for an actor goes to the queue, cancels to the node. */
  #bind(link: Link, key: string): Effect.Effect<void, BrokerError> {
    const { names, inbox } = this.#node
    return Effect.gen({ self: this }, function* () {
      yield* link.bind({ queue: this.#source.queue.name, exchange: names.mail, routingKey: key })
      yield* link.bind({ queue: inbox, exchange: names.control, routingKey: key })
      this.#bound.add(key)
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
        if (isSplit(delivery.message)) this.#suspicious = true
        else if (!delivery.redelivered) this.#suspicious = false
        this.#resize(link)
        this.#subscriber.delivery(delivery)
      },
      cancelled: (why: string) => this.#cancelled(link, why),
    }
    return Effect.flatMap(link.consume(this.#source.queue.name, { prefetch }, listener), (consumer) => {
      this.#consumer = consumer
      this.#resizing = false
      if (this.#left) return this.#end(consumer, () => {})
      this.#resize(link) // a message may have been quicker than consume-ok, and the only one that comes
      return Effect.void
    })
  }

  /** U1. Before consume-ok, and while it changes already, it waits for that. */
  #resize(link: Link): void {
    const consumer = this.#consumer
    const narrow = this.#suspicious
    if (this.#narrow === narrow || this.#resizing || consumer === undefined) return
    this.#narrow = narrow
    this.#resizing = true
    const again = Effect.suspend(() =>
      // It may have been subscribed anew meanwhile, on this link or another.
      this.#consumer === consumer ? this.#consume(link, narrow ? 1 : this.#source.prefetch) : Effect.void,
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
    this.#node.log("Warn", `${this.#source.queue.name}: the broker ended the consumer (${why}); subscribing again`)
    this.down()
    this.#node.run(Effect.catch(this.#upAgain(link), (error) => this.#failed(error)))
  }

  /** RabbitMQ cancels before it deletes: a queue may still be there when it is declared, and be gone a moment later. */
  #upAgain(link: Link): Effect.Effect<void, BrokerError> {
    return Effect.suspend(() => (this.#left ? Effect.void : this.up(link))).pipe(
      Effect.catchTag("NotFound", () => Effect.andThen(Effect.sleep(deletion), this.#upAgain(link))),
    )
  }

  /** A lost link is no news here, the next one brings us up; anything else ends the members. */
  #failed(error: BrokerError): Effect.Effect<void> {
    return Effect.sync(() => {
      if (error._tag !== "LinkLost") this.#subscriber.refused(error)
    })
  }
}
