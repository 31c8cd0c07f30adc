// Proves how far the queue of beats has been read: a message that this node sends to its own queue. When it comes back,
// everything that was there before it has been read, however long this process, or the broker, was held up meanwhile.

import type { Link } from "../broker/broker.ts"
import { messageId } from "../messaging/message-ids.ts"
import type { Node } from "../messaging/node.ts"
import { elapsed } from "./alarm.ts"

/** A probe that is back. ms. */
export interface Proof {
  /** When it was sent: until then everything that others had sent is known. */
  readonly sent: number
  /** How much longer than usual it took. So long nothing may have come through. */
  readonly excess: number
}

export class Probe {
  readonly #node: Node
  #queue = ""
  #id: string | undefined
  #sent = 0
  #usual = 0

  constructor(node: Node) {
    this.#node = node
  }

  /** The queue that is read from now on. */
  use(queue: string): void {
    this.#queue = queue
  }

  /** One is on its way. */
  get isOut(): boolean {
    return this.#id !== undefined
  }

  /** How long the way to the broker and back takes, ms. */
  calibrate(usual: number): void {
    this.#usual = usual
  }

  /** @param lost called when the broker did not take it. */
  send(link: Link, lost: () => void): void {
    const id = messageId()
    this.#id = id
    this.#sent = elapsed(this.#node.clock)
    const message = { exchange: "", routingKey: this.#queue, messageId: id, body: Buffer.alloc(0), mandatory: true }
    link.publish(message, (failure) => {
      if (failure === undefined || this.#id !== id) return
      this.#id = undefined
      lost()
    })
  }

  /** A message came back; undefined when it is not the probe that is out. */
  returned(id: string | undefined): Proof | undefined {
    if (id === undefined || id !== this.#id) return undefined
    this.#id = undefined
    const excess = elapsed(this.#node.clock) - this.#sent - this.#usual
    this.#usual += excess / 4 // what stays slow becomes usual, so that nobody is excused for ever
    return { sent: this.#sent, excess }
  }

  forget(): void {
    this.#id = undefined
  }
}
