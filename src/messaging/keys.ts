// The routing keys of the actors that get their mail from one queue, bound anew on every link.
//
// Mail for an actor goes to the queue, cancels to the node.

import { Effect } from "effect"
import type { Link } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import type { Node } from "./node.ts"

/** Keys that are bound side by side: each costs two round trips. */
const sideBySide = 16

export class Keys {
  readonly #node: Node
  readonly #queue: string
  readonly #keys = new Set<string>()
  /** Those that are bound on this link. */
  #bound = new Set<string>()

  constructor(node: Node, queue: string) {
    this.#node = node
    this.#queue = queue
  }

  add(key: string): void {
    this.#keys.add(key)
  }

  /** It stays bound, for the actor may be elsewhere too. It is not bound again. */
  remove(key: string): void {
    this.#keys.delete(key)
  }

  /** All of them, on a new link. Actors may come while the others are bound: it goes on until none is left. */
  bindAll(link: Link): Effect.Effect<void, BrokerError> {
    return Effect.gen({ self: this }, function* () {
      this.#bound = new Set()
      for (let next = this.#unbound(); next.length > 0; next = this.#unbound()) {
        yield* Effect.forEach(next, (key) => this.bind(link, key), { concurrency: sideBySide, discard: true })
      }
    })
  }

  /** One of them, on this link, unless it is. */
  bind(link: Link, key: string): Effect.Effect<void, BrokerError> {
    const { names, inbox } = this.#node
    return Effect.gen({ self: this }, function* () {
      if (this.#bound.has(key)) return
      yield* link.bind({ queue: this.#queue, exchange: names.mail, routingKey: key })
      yield* link.bind({ queue: inbox, exchange: names.control, routingKey: key })
      this.#bound.add(key)
    })
  }

  /** The node has another inbox on this link. */
  moved(link: Link): Effect.Effect<void, BrokerError> {
    const { names, inbox } = this.#node
    const bind = (routingKey: string) => link.bind({ queue: inbox, exchange: names.control, routingKey })
    return Effect.forEach([...this.#bound], bind, { concurrency: sideBySide, discard: true })
  }

  #unbound(): ReadonlyArray<string> {
    return [...this.#keys].filter((key) => !this.#bound.has(key))
  }
}
