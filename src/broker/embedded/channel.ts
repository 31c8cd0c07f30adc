// Consumers that end together, and what they have in hand: those of a channel of one's own, or all the others of a link.
//
// C1. Closing ends them and gives back all that they have in hand in one step; what of it is on the line still is not
//     delivered, and no listener is told.
// C2. A delivery is settled once: what was given back may be in the same hands again by now.

import { Effect, Result } from "effect"
import type { Channel, Delivery, Link, Listener, QueueSpec } from "../broker.ts"
import { type BrokerError, channelOver, type LinkLost, Refused } from "../errors.ts"
import { Consumer, type Handler } from "./consumer.ts"
import { deliver } from "./message.ts"
import type { Entry } from "./queue.ts"
import type { Store } from "./store.ts"
import type { Line } from "./turns.ts"

/**
 * The store answers at once, the answer takes its way over the line.
 * @param undo when nobody waits for it any more.
 */
export type Request = <A>(
  work: () => Result.Result<A, BrokerError>,
  undo?: (answer: A) => void,
) => Effect.Effect<A, BrokerError>

const largestPrefetch = 65_535

export class EmbeddedChannel implements Channel {
  readonly #store: Store
  readonly #line: Line
  readonly #request: Request
  readonly #closed: () => void
  /** Subscriptions, and whoever still has something in hand. */
  readonly #consumers = new Set<Consumer>()
  #over = false

  constructor(store: Store, line: Line, request: Request, closed: () => void) {
    this.#store = store
    this.#line = line
    this.#request = request
    this.#closed = closed
  }

  readonly consume: Link["consume"] = (name, { prefetch, from }, listener) =>
    this.#request(
      () => {
        const refusal = this.#refusal(name, prefetch)
        if (refusal !== undefined) return Result.fail(refusal)
        return Result.map(this.#store.queue(name), (queue) => {
          const consumer = queue.subscribe(prefetch, this.#handler(listener), from)
          this.#consumers.add(consumer)
          return { consumer, cancel: this.#request(() => Result.succeed(this.#cancel(consumer))) }
        })
      },
      ({ consumer }) => this.#drop(consumer),
    )

  readonly get: Link["get"] = (name) =>
    Effect.map(
      this.#request(
        () =>
          Result.flatMap(this.#store.queue(name), (queue) => {
            if (!queue.fetchable) return Result.fail(lockedQueue(queue.spec))
            const hand = new Consumer(queue, 1)
            hand.left = true
            const entry = queue.fetch(hand)
            if (entry === undefined) return Result.succeed(undefined)
            this.#consumers.add(hand)
            return Result.succeed({ hand, entry })
          }),
        (taken) => taken !== undefined && this.#drop(taken.hand),
      ),
      (taken) => taken && this.#delivery(taken.hand, taken.entry, "fetched"),
    )

  readonly close: Effect.Effect<void> = Effect.callback((resume) => {
    this.end()
    this.#line.push(() => resume(Effect.void))
  })

  /** C1. */
  end(): void {
    this.#over = true
    this.#store.release(this.hangUp())
    this.#closed()
  }

  /** Its consumers, which are no longer its own: whoever takes them releases them. */
  hangUp(): ReadonlyArray<Consumer> {
    const consumers = [...this.#consumers]
    this.#consumers.clear()
    return consumers
  }

  #refusal(queue: string, prefetch: number): LinkLost | Refused | undefined {
    const what = `consume from queue ${queue}`
    if (this.#over) return channelOver(what)
    if (Number.isInteger(prefetch) && prefetch >= 1 && prefetch <= largestPrefetch) return undefined
    const next = `Give a whole number from 1 to ${largestPrefetch}.`
    return new Refused({ what, why: `prefetch is ${prefetch}`, next })
  }

  #handler(listener: Listener): Handler {
    return {
      delivery: (consumer, entry) =>
        this.#line.push((gone) => {
          // It is no longer this consumer's when the channel was closed, or an interrupted `consume` has given it back.
          if (gone === undefined && consumer.unsettled.has(entry)) {
            listener.delivery(this.#delivery(consumer, entry, "pushed"))
          }
        }),
      cancelled: (why) =>
        this.#line.push((gone) => {
          if (gone === undefined && !this.#over) listener.cancelled(why)
        }),
    }
  }

  #delivery(consumer: Consumer, entry: Entry, how: "pushed" | "fetched"): Delivery {
    const { queue } = consumer
    const returns = queue.spec.type === "quorum" ? entry.returns : undefined
    let settled = false
    const settle = (how: () => void): void => {
      if (settled) return // C2
      settled = true
      how()
      this.#forget(consumer)
    }
    return {
      // RabbitMQ says 0 only to those who fetch by hand.
      message: deliver(entry.message, returns === 0 && how === "pushed" ? undefined : returns),
      redelivered: entry.redelivered,
      returns,
      ack: () => settle(() => queue.ack(consumer, entry)),
      nack: ({ requeue }) => settle(() => queue.nack(consumer, entry, requeue)),
    }
  }

  #cancel(consumer: Consumer): void {
    consumer.queue.cancel(consumer)
    this.#forget(consumer)
  }

  #forget(consumer: Consumer): void {
    if (consumer.left && consumer.unsettled.size === 0) this.#consumers.delete(consumer)
  }

  /** Nobody waits for it any more. */
  #drop(consumer: Consumer): void {
    consumer.queue.release([consumer])
    this.#consumers.delete(consumer)
  }
}

const lockedQueue = ({ name, type }: QueueSpec): Refused =>
  new Refused({
    what: `get from queue ${name}`,
    why: `basic.get operations are not supported by ${type === "stream" ? "streams" : "quorum queues with single active consumer"}`,
    next: "Subscribe to it instead.",
  })
