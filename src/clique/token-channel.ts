// The channel on which a member of a `single` clique waits for the token, and holds it: its own, and closing it is the one
// way to let go of the token (messaging/own-channel.ts, C1).

import type { Effect } from "effect"
import type { Delivery, Link, QueueSpec, QueueState } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import type { LinkUser } from "../messaging/connection.ts"
import type { Node } from "../messaging/node.ts"
import { OwnChannel } from "../messaging/own-channel.ts"
import { readToken, token } from "./token.ts"

/** What it tells. */
export interface Watcher {
  /** The queue is consumed. @param before its state before the own consumer. */
  readonly opened: (before: QueueState) => void
  readonly token: (tag: number, id: string, value: number) => void
  /** The channel, its consumer or the link is gone, and with it what was held. */
  readonly lost: () => void
  /** The broker will never let us. */
  readonly refused: (error: BrokerError) => void
}

/** Tokens that may be in hand at once: one, but for the moments after a needless seed. */
const prefetch = 10

export class TokenChannel implements LinkUser {
  readonly #node: Node
  readonly #queue: QueueSpec
  readonly #watcher: Watcher
  readonly #channel: OwnChannel
  /** Tokens by tag, as long as the channel holds them. */
  readonly #inHand = new Map<number, Delivery>()
  #tags = 0

  constructor(node: Node, queue: QueueSpec, watcher: Watcher) {
    this.#node = node
    this.#queue = queue
    this.#watcher = watcher
    this.#channel = new OwnChannel(node, queue, prefetch, {
      opened: watcher.opened,
      delivery: (delivery) => this.#receive(delivery),
      lost: () => {
        this.#inHand.clear()
        watcher.lost()
      },
      refused: watcher.refused,
    })
  }

  up(link: Link): Effect.Effect<void, BrokerError> {
    return this.#channel.up(link)
  }

  down(): void {
    this.#channel.down()
  }

  open(): void {
    this.#channel.open()
  }

  /** Lets go of everything that is held. */
  close(): Effect.Effect<void> {
    this.#inHand.clear()
    return this.#channel.close()
  }

  ack(tag: number): void {
    this.#take(tag)?.ack()
  }

  /** Gives the token back, to have it again: what comes is the proof that nobody else has it. */
  nack(tag: number): void {
    this.#take(tag)?.nack({ requeue: true })
  }

  seed(base: number): void {
    this.#channel.link?.publish(token(this.#queue.name, base), (failure) => {
      // The next look for a leader finds that there is none.
      if (failure !== undefined) this.#node.log("Warn", `${this.#queue.name}: no token was sent: ${failure.message}`)
    })
  }

  #take(tag: number): Delivery | undefined {
    const delivery = this.#inHand.get(tag)
    this.#inHand.delete(tag)
    return delivery
  }

  #receive(delivery: Delivery): void {
    const read = readToken(delivery.message)
    if (read === undefined) {
      this.#node.log("Warn", `${this.#queue.name}: a message that is no token was thrown away`)
      return delivery.ack()
    }
    const tag = ++this.#tags
    this.#inHand.set(tag, delivery)
    this.#watcher.token(tag, read.id, read.value)
  }
}
