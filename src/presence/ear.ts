// Hears what is said to all nodes: a queue for their beats, and on every link another one.
//
// E1. What is said while there is no link is not missed, for whoever begins to hear asks who is there (lookout.ts, W2). So
//     a queue is for one link. Whether the broker could give back the last one, which may lie on a node of its cluster that
//     is down, does not matter. It is deleted where it can be, for RabbitMQ from 4.0 nacks what should go to such a queue,
//     whoever else gets it; else it expires.
// E2. A queue that the broker takes away is followed by the next.

import { Effect, type Scope } from "effect"
import type { Delivery, Incoming, Link } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import type { LinkUser } from "../messaging/connection.ts"
import type { Node } from "../messaging/node.ts"
import { Soon } from "../messaging/soon.ts"
import { untilUp } from "../messaging/until-up.ts"
import { beatPattern } from "../wire/beat.ts"

/** ms without a consumer after which the broker deletes a queue. */
const expires = 10_000
const prefetch = 256
/** Deliveries, and ms, after which they are acked. */
const ackAfter = { count: 64, ms: 10 }
/** ms before the next queue is tried, when the broker would not have one. */
const again = 200
/** ms that an orderly stop waits for the broker. */
const leaveWithin = 1_000

export interface Hearer {
  /** Has whatever else is to be heard put into the queue. */
  readonly bind: (link: Link, queue: string) => Effect.Effect<void, BrokerError>
  readonly began: (link: Link, queue: string) => void
  readonly heard: (message: Incoming) => void
  /** Nothing is heard before it begins again. */
  readonly ended: () => void
}

export class Ear implements LinkUser {
  readonly #node: Node
  readonly #hearer: Hearer
  /** Counts the queues. */
  #queues = 0
  /** What it hears on. */
  #link: Link | undefined
  #open = false
  readonly #acks = new Soon<Delivery>(ackAfter.ms, (deliveries) => {
    for (const delivery of deliveries) delivery.ack()
  })

  constructor(node: Node, hearer: Hearer) {
    this.#node = node
    this.#hearer = hearer
  }

  /** Hears in the current Scope, on this link, or once there is one, and on every later link. */
  readonly hear: Effect.Effect<void, BrokerError, Scope.Scope> = Effect.suspend(() => {
    this.#open = true
    return Effect.andThen(
      Effect.addFinalizer(() => this.#leave),
      this.#node.connection.join(this),
    )
  })

  get #queue(): string {
    return this.#node.names.beats(this.#node.id, this.#queues)
  }

  up(link: Link): Effect.Effect<void, BrokerError> {
    return Effect.gen({ self: this }, function* () {
      if (this.#queues > 0) this.#node.run(Effect.ignore(link.deleteQueue(this.#queue)))
      this.#queues++
      const queue = this.#queue
      yield* link.declareQueue({ name: queue, type: "classic", expires })
      yield* link.bind({ queue, exchange: this.#node.names.presence, routingKey: beatPattern })
      yield* this.#hearer.bind(link, queue)
      const listener = {
        delivery: (delivery: Delivery) => this.#receive(delivery),
        cancelled: (why: string) => this.#cancelled(link, queue, why),
      }
      yield* link.consume(queue, { prefetch }, listener)
      this.#link = link
      if (this.#open) this.#hearer.began(link, queue)
    })
  }

  down(): void {
    this.#link = undefined
    this.#acks.forget()
    this.#hearer.ended()
  }

  #receive(delivery: Delivery): void {
    if (!this.#open) return
    this.#acks.add(delivery, ackAfter.count)
    this.#hearer.heard(delivery.message)
  }

  /** E2 */
  #cancelled(link: Link, queue: string, why: string): void {
    if (this.#link !== link || !this.#open) return
    this.#node.log("Warn", `${queue}: the broker ended the consumer (${why}); subscribing again`)
    this.down()
    this.#node.run(this.#upAgain(link))
  }

  #upAgain(link: Link): Effect.Effect<void> {
    const up = Effect.suspend(() => this.up(link))
    return untilUp(up, () => this.#open && this.#node.connection.link === link, again)
  }

  /** The queue goes, and its consumer with it. */
  readonly #leave: Effect.Effect<void> = Effect.suspend(() => {
    this.#open = false
    this.#link = undefined
    const { link } = this.#node.connection
    if (link === undefined || this.#queues === 0) return Effect.void // the broker deletes it after `expires`
    return Effect.ignore(Effect.timeoutOption(link.deleteQueue(this.#queue), leaveWithin))
  })
}
