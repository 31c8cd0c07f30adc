// The node's inbox: replies to its asks, cancels for the actors it runs, and the question who is there.
//
// I1. The queue outlives a link (`expires`), so replies that arrive while the node is away are waiting for it.
// I2. Replies are acked some at a time, and soon: one that comes again after a lost link is ignored (pending.ts, P2), and
//     an ack for each would cost a system call at both ends, while its caller waits for the next reply.
// I3. It keeps its name for as long as the broker gives it back. Once it cannot (it was deleted, it expired, the node of
//     the broker's cluster that it lives on is down) there is a new one, with a new name. What was in the old one is lost,
//     or comes too late: the asks that are open are sent again (repeat.ts). It is deleted where it can be: RabbitMQ from
//     4.0 nacks what should go to a queue whose node is down, whoever else gets it.

import { Effect } from "effect"
import type { Delivery, Link } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import { decodeBatch } from "../wire/batch.ts"
import { whoKey } from "../wire/beat.ts"
import type { Frame } from "../wire/frame.ts"
import type { Item } from "../wire/item.ts"
import { isMalformed, type Malformed } from "../wire/malformed.ts"
import type { LinkUser } from "./connection.ts"
import type { ReplyQueue } from "./lane.ts"
import type { Node } from "./node.ts"
import { repeatAsks } from "./repeat.ts"
import { Soon } from "./soon.ts"
import { untilUp } from "./until-up.ts"

/** ms without a consumer after which the broker deletes the inbox of a node that is gone. */
const expires = 60_000
const prefetch = 256
/** Deliveries, and ms, after which they are acked. */
const ackAfter = { count: 64, ms: 10 }
/** ms that an orderly stop waits for the broker. */
const leaveWithin = 1_000
/** ms before it is looked for where the broker has ended its consumer: what is being deleted may still be there. */
const lookAfter = 200

export class Inbox implements LinkUser, ReplyQueue {
  readonly #node: Node
  /** Counts the queues. */
  #generation = 0
  #name: string
  /** What was sent to the last one may be lost. */
  #moved = false
  #left = false
  /** I2. */
  readonly #acks = new Soon<Delivery>(ackAfter.ms, (deliveries) => {
    for (const delivery of deliveries) delivery.ack()
  })

  constructor(node: Node) {
    this.#node = node
    this.#name = node.names.inbox(node.id, 1)
  }

  get name(): string {
    return this.#name
  }

  up(link: Link): Effect.Effect<void, BrokerError> {
    const { names, id } = this.#node
    return Effect.gen({ self: this }, function* () {
      if (!(yield* this.#isThere(link))) {
        this.#next(link)
        yield* link.declareQueue({ name: this.#name, type: "classic", expires })
      }
      const queue = this.#name
      yield* link.bind({ queue, exchange: names.presence, routingKey: whoKey })
      yield* link.bind({ queue, exchange: names.control, routingKey: id })
      yield* link.consume(
        queue,
        { prefetch },
        {
          delivery: (delivery) => this.#receive(delivery),
          cancelled: (why) => this.#cancelled(link, why),
        },
      )
      if (this.#moved) repeatAsks(this.#node)
      this.#moved = false
    })
  }

  #isThere(link: Link): Effect.Effect<boolean, BrokerError> {
    if (this.#generation === 0) return Effect.succeed(false)
    const gone = Effect.succeed(false)
    return Effect.as(link.inspectQueue(this.#name), true).pipe(
      Effect.catchTags({ NotFound: () => gone, Inaccessible: () => gone }),
    )
  }

  /** I3 */
  #next(link: Link): void {
    const last = this.#name
    this.#name = this.#node.names.inbox(this.#node.id, ++this.#generation)
    if (this.#generation === 1) return
    this.#moved = true
    this.#node.log(
      "Warn",
      `${last} is gone, or its node is down: the inbox is ${this.#name} now, and open asks go again`,
    )
    this.#node.run(Effect.ignore(link.deleteQueue(last)))
  }

  down(): void {
    this.#acks.forget()
  }

  /** Deletes the queue: nobody waits for a reply any more. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    this.#left = true
    const { link } = this.#node.connection
    if (link === undefined) return Effect.void // the broker deletes it after `expires`
    return Effect.ignore(Effect.timeoutOption(link.deleteQueue(this.#name), leaveWithin))
  })

  #cancelled(link: Link, why: string): void {
    if (this.#left) return
    this.#node.log("Warn", `${this.#name}: the broker ended the consumer (${why}); subscribing again`)
    const before = this.#name
    const moved = Effect.suspend(() => (this.#name === before ? Effect.void : this.#node.connection.moved(link)))
    this.#node.run(Effect.andThen(this.#upAgain(link), Effect.ignore(moved)))
  }

  /** As long as it is this link that is up. */
  #upAgain(link: Link): Effect.Effect<void> {
    const up = Effect.suspend(() => this.up(link))
    const wanted = () => !this.#left && this.#node.connection.link === link
    return Effect.andThen(Effect.sleep(lookAfter), untilUp(up, wanted, lookAfter))
  }

  #receive(delivery: Delivery): void {
    this.#acks.add(delivery, ackAfter.count)
    if (delivery.message.exchange === this.#node.names.presence) return this.#node.onWho()
    const batch = decodeBatch(delivery.message)
    // Nobody can be answered from here: what cannot be read is only told.
    if (isMalformed(batch)) return this.#node.log("Warn", `the inbox got a message it cannot read: ${batch.why}`)
    for (const item of batch.items) this.#take(item, batch.node)
  }

  #take(item: Item | Frame | Malformed, from: string): void {
    switch (item.kind) {
      case "frame":
        return this.#node.onFrame(item)
      case "reply":
        return this.#node.pending.reply(item)
      case "cancel":
        return this.#node.cancels.receive(item)
      case "goal-order":
      case "goal-status":
      case "goal-feedback":
        return this.#node.onGoal(item, from)
      default:
        this.#node.log("Warn", `the inbox got ${item.kind === "malformed" ? item.why : `a stray ${item.kind}`}`)
    }
  }
}
