// The way to one actor. It begins with the actor's own routing key; once a reply has told that the actor shares its queue
// with others, mail for all of them takes one lane, and so one message.
//
// R1. Both keys lead to the same queue, but two lanes have no order between them: the way changes only while nothing is
//     on the old one (promise 5).
// R2. A shared queue that is gone is forgotten, and the actor's own key tried again.

import { type Address, format, routingKey } from "../wire/address.ts"
import type { Lane } from "./lane.ts"
import type { Node } from "./node.ts"

export class Route {
  readonly address: Address
  /** The actor's own routing key, which names it on a shared lane. */
  readonly key: string
  readonly #node: Node
  #own: Lane

  constructor(node: Node, address: Address) {
    this.address = address
    this.key = routingKey(address)
    this.#node = node
    this.#own = node.post.mailTo(this.key)
  }

  /** The lane to take now. */
  lane(): Lane {
    const own = this.#current()
    return own.via !== undefined && own.idle ? own.via : own // R1
  }

  isShared(lane: Lane): boolean {
    return lane.key !== this.#own.key
  }

  /** @param via the key of the queue that the actor shares. */
  learn(via: string): void {
    const own = this.#current()
    if (own.via?.destination.routingKey !== via) own.via = this.#node.post.mailTo(via)
  }

  /** Whether the actor would like its mail in MessagePack. Kept with the lane, for all who call it. */
  get packs(): boolean {
    return this.#current().packs
  }

  set packs(packs: boolean) {
    this.#current().packs = packs
  }

  /** R2. The lane to try again, or undefined when there is no other. */
  detour(lane: Lane): Lane | undefined {
    const own = this.#current()
    if (lane.key === own.key) return undefined
    own.via = undefined
    return own
  }

  #current(): Lane {
    this.#own = this.#node.outbox.current(this.#own)
    return this.#own
  }

  toString(): string {
    return format(this.address)
  }
}
