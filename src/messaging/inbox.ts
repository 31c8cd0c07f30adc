// The node's inbox: replies to its asks, cancels for the actors it runs, and the question who is there.
//
// I1. The queue outlives a link (`expires`), so replies that arrive while the node is away are waiting for it.
// I2. Replies are acked some at a time, and soon: one that comes again after a lost link is ignored (pending.ts, P2), and
//     an ack for each would cost a system call at both ends, while its caller waits for the next reply.

import { Effect } from "effect"
import type { Delivery, Link } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import { decodeBatch } from "../wire/batch.ts"
import { whoKey } from "../wire/beat.ts"
import { isMalformed } from "../wire/malformed.ts"
import type { LinkUser } from "./connection.ts"
import type { Node } from "./node.ts"
import { Soon } from "./soon.ts"

/** ms without a consumer after which the broker deletes the inbox of a node that is gone. */
const expires = 60_000
const prefetch = 256
/** Deliveries, and ms, after which they are acked. */
const ackAfter = { count: 64, ms: 10 }
/** ms that an orderly stop waits for the broker. */
const leaveWithin = 1_000

export class Inbox implements LinkUser {
  readonly #node: Node
  #left = false
  /** I2. */
  readonly #acks = new Soon<Delivery>(ackAfter.ms, (deliveries) => {
    for (const delivery of deliveries) delivery.ack()
  })

  constructor(node: Node) {
    this.#node = node
  }

  up(link: Link): Effect.Effect<void, BrokerError> {
    const { inbox, names } = this.#node
    return Effect.gen({ self: this }, function* () {
      yield* link.declareQueue({ name: inbox, type: "classic", expires })
      yield* link.bind({ queue: inbox, exchange: names.presence, routingKey: whoKey })
      yield* link.consume(
        inbox,
        { prefetch },
        {
          delivery: (delivery) => this.#receive(delivery),
          cancelled: (why) => this.#cancelled(link, why),
        },
      )
    })
  }

  down(): void {
    this.#acks.forget()
  }

  /** Deletes the queue: nobody waits for a reply any more. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    this.#left = true
    const { link } = this.#node.connection
    if (link === undefined) return Effect.void // the broker deletes it after `expires`
    return Effect.ignore(Effect.timeoutOption(link.deleteQueue(this.#node.inbox), leaveWithin))
  })

  #cancelled(link: Link, why: string): void {
    if (this.#left) return
    this.#node.log("Warn", `${this.#node.inbox}: the broker ended the consumer (${why}); subscribing again`)
    this.#node.run(Effect.ignore(this.up(link)))
  }

  #receive(delivery: Delivery): void {
    this.#acks.add(delivery, ackAfter.count)
    if (delivery.message.exchange === this.#node.names.presence) return this.#node.onWho()
    const batch = decodeBatch(delivery.message)
    // Nobody can be answered from here: what cannot be read is only told.
    if (isMalformed(batch)) return this.#node.log("Warn", `the inbox got a message it cannot read: ${batch.why}`)
    for (const item of batch.items) {
      if (item.kind === "reply") this.#node.pending.reply(item)
      else if (item.kind === "cancel") this.#node.cancels.receive(item)
      else this.#node.log("Warn", `the inbox got ${item.kind === "malformed" ? item.why : `a stray ${item.kind}`}`)
    }
  }
}
