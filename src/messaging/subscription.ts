// Keeps one consumer on one mailbox queue, over every link, and the routing keys bound that lead to it.
//
// U1. It starts with a prefetch of one and widens at the first message that is beyond suspicion: never delivered before,
//     and not split off a batch (post.ts). Mail that kills processes comes back first: so it is alone in hand when it
//     does, and its neighbours are not counted as suspects. At the first item of a split batch it is narrow again.
// U2. Where mail of a lost link is to come back to this very process, and to no other, it starts wide: what it had in hand
//     did not kill it, and the feed puts it in order again (feed.ts, F3). So does one that keeps the order over fail-overs:
//     a quorum queue puts what comes back behind what came back earlier and still waits, so whoever takes over has to take
//     all of that, or would return it in another order. There the first delivery alone is suspect (intake.ts, I1).
// U3. An actor is reached once its key is bound: on a new link before the queue is consumed, at once if it comes later.
// U4. The queue of a `single` clique is consumed only from `take` to `release` or the end of the link: by its leader, on a
//     channel of its own, so that all it holds goes back in one step. And only once the leader before has let go of it, or
//     its mail would come back behind younger mail (promise 5).
// U5. While the node of the broker's cluster that has the queue is down, nobody waits for it but its actors (absence.ts):
//     the link is up without it, and so is an actor that starts.

import { Deferred, Effect } from "effect"
import type { Channel, Consumer, Delivery, Link, QueueSpec } from "../broker/broker.ts"
import type { BrokerError, Inaccessible } from "../broker/errors.ts"
import { Absence } from "./absence.ts"
import type { LinkUser } from "./connection.ts"
import { Keys } from "./keys.ts"
import type { Node } from "./node.ts"
import { isSplit } from "./post.ts"
import type { Supply } from "./supply.ts"

export interface Subscriber {
  readonly delivery: (delivery: Delivery) => void
  /** Whether mail that was in hand here when the last link was lost is to come back. */
  readonly resuming: () => boolean
  /** It begins to consume. */
  readonly begins: () => void
  /** Acks what is done. */
  readonly ackDone: () => void
  /** What was delivered is no longer ours: the link, or the consumer, is gone. */
  readonly lost: () => void
  /** The broker refused to give the queue back to us after it was up. */
  readonly refused: (error: BrokerError) => void
}

/** A leadership: whoever has it consumes the queue of a `single` clique. */
export interface Claim {
  readonly over: boolean
}

export interface Source {
  readonly queue: QueueSpec
  /** A routing key that leads to the queue but is no actor's. */
  readonly sharedKey: string | undefined
  /** What fills it, when that is not mail. */
  readonly supply: Supply | undefined
  /** Batches in hand, once wide; it may grow. */
  readonly prefetch: number
  /** Consumed by a leader alone (U4). */
  readonly single: boolean
  /** The order has to outlive a fail-over (U2). */
  readonly ordered: boolean
}

/** ms before a queue that is being deleted is declared again. */
const deletion = 100

/** ms between two looks at who still holds mail of a queue that is to be taken over, and how long that may go on (U4). */
const handover = { every: 2, longest: 1_000 }

export class Subscription implements LinkUser {
  readonly #node: Node
  readonly #source: Source
  readonly #subscriber: Subscriber
  readonly #keys: Keys
  /** U5 */
  readonly #absence: Absence
  /** Done when it is up the next time, or known to be absent. */
  #nextUp = Deferred.makeUnsafe<void>()
  #link: Link | undefined
  /** For whom it consumes, if for anybody (U4). */
  #claim: Claim | undefined
  #channel: Channel | undefined
  #consumer: Consumer | undefined
  /** Batches that it may have in hand: how many it has asked for, and how many once nothing is suspect. */
  #width = 1
  #widest: number
  #suspicious = true
  #resizing = false
  #left = false
  /** What came while it was leaving. */
  readonly #late: Array<Delivery> = []

  constructor(node: Node, source: Source, subscriber: Subscriber) {
    this.#node = node
    this.#keys = new Keys(node, source.queue.name)
    this.#absence = new Absence(node, source.queue.name)
    this.#source = source
    this.#widest = source.prefetch
    this.#subscriber = subscriber
    this.#claim = source.single ? undefined : { over: false }
  }

  up(link: Link): Effect.Effect<void, BrokerError> {
    return this.#orWait(link, this.#begun(link))
  }

  #begun(link: Link): Effect.Effect<void, BrokerError> {
    return Effect.gen({ self: this }, function* () {
      const { names } = this.#node
      const { queue, sharedKey, supply } = this.#source
      yield* link.declareQueue(queue)
      if (sharedKey !== undefined) {
        yield* link.bind({ queue: queue.name, exchange: names.mail, routingKey: sharedKey })
      }
      if (supply !== undefined) yield* supply.bind(link)
      yield* this.#keys.bindAll(link)
      this.#link = link
      yield* this.#begin(link)
      this.#absence.ended()
      this.#reached()
    })
  }

  #reached(): void {
    const up = this.#nextUp
    this.#nextUp = Deferred.makeUnsafe()
    Deferred.doneUnsafe(up, Effect.void)
  }

  down(): void {
    if (this.#source.single) this.#claim = undefined
    this.#lose()
  }

  moved(link: Link): Effect.Effect<void, BrokerError> {
    return Effect.suspend(() => (this.#link === link ? this.#keys.moved(link) : Effect.void))
  }

  /** Consumes from now on, for as long as the claim holds. */
  take(claim: Claim): Effect.Effect<void, BrokerError> {
    return Effect.suspend(() => {
      if (this.#claim === claim) return Effect.void
      this.#claim = claim
      const link = this.#link
      // Without one it is taken with the next `up`.
      return link === undefined ? Effect.void : this.#orWait(link, this.#begin(link))
    })
  }

  /** Gives back what is in hand, all at once, and consumes no more. What runs is not stopped by it. */
  release(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#claim = undefined
      return this.#letGo()
    })
  }

  #begin(link: Link): Effect.Effect<void, BrokerError> {
    const claim = this.#claim
    const holds = () => claim !== undefined && this.#claim === claim && !claim.over && this.#link === link
    const begin = Effect.gen({ self: this }, function* () {
      if (!holds()) return
      if (this.#source.single) {
        const vacated = Effect.timeoutOption(this.#vacated(link), handover.longest)
        const [channel, looked] = yield* Effect.all([link.openChannel, Effect.exit(vacated)], { concurrency: 2 })
        if (!holds()) return yield* Effect.ignore(channel.close)
        this.#channel = channel
        yield* looked
      }
      this.#subscriber.begins()
      this.#suspicious = !(this.#source.ordered || this.#subscriber.resuming())
      yield* this.#consume(link)
    })
    if (!this.#source.single) return begin
    // Its channel may die by itself; when it was the link, the claim is gone.
    return Effect.catchTag(begin, "LinkLost", () =>
      Effect.andThen(
        Effect.sleep(deletion),
        Effect.suspend(() => (holds() ? this.#begin(link) : Effect.void)),
      ),
    )
  }

  /** Until nobody holds mail of the queue any more: who is gone may not have been missed there yet. */
  #vacated(link: Link): Effect.Effect<void, BrokerError> {
    return Effect.flatMap(link.inspectQueue(this.#source.queue.name), ({ consumers }) =>
      consumers === 0 ? Effect.void : Effect.andThen(Effect.sleep(handover.every), this.#vacated(link)),
    )
  }

  /** What is done is acked, and the rest goes back in one step with the channel. */
  #letGo(): Effect.Effect<void> {
    const channel = this.#channel
    if (channel === undefined) return Effect.void
    this.#subscriber.ackDone()
    this.#forget()
    return Effect.andThen(
      Effect.ignore(channel.close),
      Effect.sync(() => this.#subscriber.lost()),
    )
  }

  #lose(): void {
    this.#link = undefined
    this.#forget()
    this.#subscriber.lost()
  }

  #forget(): void {
    this.#channel = undefined
    this.#consumer = undefined
    this.#resizing = false
  }

  /** Batches that the broker hands out before one is acked. */
  get window(): number {
    return this.#width
  }

  /** The same, once nothing is suspect. */
  get widest(): number {
    return this.#widest
  }

  /** From now on that is at least so many. */
  widen(prefetch: number): void {
    if (prefetch <= this.#widest) return
    this.#widest = prefetch
    if (this.#link !== undefined) this.#resize(this.#link)
  }

  get #wanted(): number {
    return this.#suspicious ? 1 : this.#widest
  }

  /** One more actor, whose key is bound from the next `up` on. */
  add(key: string): void {
    this.#keys.add(key)
  }

  /** The key is not bound again. */
  remove(key: string): void {
    this.#keys.remove(key)
  }

  /** Until the key of an actor that was added is bound. While the queue is absent it does not wait (U5). */
  reach(key: string): Effect.Effect<void, BrokerError> {
    return Effect.suspend((): Effect.Effect<void, BrokerError> => {
      if (this.#absence.lasts) return Effect.void
      const link = this.#link
      const later = Effect.suspend(() => Effect.andThen(Deferred.await(this.#nextUp), this.reach(key)))
      if (link === undefined) return later
      return Effect.catchTag(this.#orWait(link, this.#keys.bind(link, key)), "LinkLost", () => later)
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
      if (this.#channel !== undefined) return this.#letGo()
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

  #consume(link: Link): Effect.Effect<void, BrokerError> {
    const prefetch = this.#wanted
    this.#width = prefetch
    const channel = this.#channel
    if (this.#left || (this.#source.single && channel === undefined)) return Effect.void
    const listener = {
      delivery: (delivery: Delivery) => {
        if (this.#channel !== channel) return // the broker has it back
        if (this.#left) return void this.#late.push(delivery)
        if (isSplit(delivery.message) && !this.#source.ordered) this.#suspicious = true
        else if (!delivery.redelivered) this.#suspicious = false
        this.#resize(link)
        this.#subscriber.delivery(delivery)
      },
      cancelled: (why: string) => {
        if (this.#channel === channel) this.#cancelled(link, why)
      },
    }
    const consuming = (channel ?? link).consume(this.#source.queue.name, { prefetch }, listener)
    return Effect.flatMap(consuming, (consumer) => {
      if (this.#channel !== channel) return Effect.void // it was released, and the channel closed
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
    if (this.#width === this.#wanted || this.#resizing || consumer === undefined) return
    this.#width = this.#wanted
    this.#resizing = true
    const again = Effect.suspend(() =>
      // It may have been subscribed anew meanwhile, on this link or another.
      this.#consumer === consumer ? this.#consume(link) : Effect.void,
    )
    const resized = consumer.cancel.pipe(
      Effect.andThen(again),
      Effect.catchTag("NotFound", (error) => Effect.sync(() => this.#cancelled(link, error.message))),
      Effect.catch((error) => this.#failed(link, error)),
    )
    this.#node.run(resized)
  }

  /** The broker ended the consumer (queue deleted, consumer timeout), but the link lives. */
  #cancelled(link: Link, why: string): void {
    if (this.#link !== link || this.#left) return
    this.#node.log("Warn", `${this.#source.queue.name}: the broker ended the consumer (${why}); subscribing again`)
    this.#drop()
    this.#node.run(Effect.catch(this.#upAgain(link), (error) => this.#failed(link, error)))
  }

  /** It has no consumer any more, though the link lives. */
  #drop(): void {
    const channel = this.#channel
    this.#lose()
    if (channel !== undefined) this.#node.run(Effect.ignore(channel.close))
  }

  /** RabbitMQ cancels before it deletes: a queue may still be there when it is declared, and be gone a moment later. */
  #upAgain(link: Link): Effect.Effect<void, BrokerError> {
    return Effect.suspend(() => (this.#left ? Effect.void : this.up(link))).pipe(
      Effect.catchTag("NotFound", () => Effect.andThen(Effect.sleep(deletion), this.#upAgain(link))),
    )
  }

  #orWait(link: Link, effect: Effect.Effect<void, BrokerError>): Effect.Effect<void, BrokerError> {
    return Effect.catchTag(effect, "Inaccessible", (error) => Effect.sync(() => this.#wait(link, error)))
  }

  /** U5 */
  #wait(link: Link, error: Inaccessible): void {
    if (this.#left || this.#node.connection.link !== link) return
    this.#drop()
    const again = Effect.suspend(() => this.#upAgain(link))
    this.#absence.noticed(
      link,
      error,
      Effect.catch(again, (failure) => this.#failed(link, failure)),
    )
    this.#reached()
  }

  /** A lost link is no news here, the next one brings us up; what does not pass ends the members. */
  #failed(link: Link, error: BrokerError): Effect.Effect<void> {
    return Effect.sync(() => {
      if (error._tag === "Inaccessible") this.#wait(link, error)
      else if (error._tag !== "LinkLost") this.#subscriber.refused(error)
    })
  }
}
