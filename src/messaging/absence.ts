// The time for which the broker cannot give a queue, because the node of its cluster that has it is down. Who wants it
// waits; nobody else does.
//
// A1. It is tried again now and then, and of all such queues of this node one at a time: RabbitMQ works at a try for a
//     minute. Where one is there again, the next follows at once.
// A2. It is said once when it begins, and once when it is over.

import { Effect, Semaphore } from "effect"
import type { Link } from "../broker/broker.ts"
import type { Inaccessible } from "../broker/errors.ts"
import type { Node } from "./node.ts"

/** ms before a queue is tried again, and after a try in vain until that of another queue. */
const pause = { own: 2_000, others: 250 }

/** Whose turn it is to try (A1). */
export class Turns {
  readonly #turn = Semaphore.makeUnsafe(1)

  take(effect: Effect.Effect<void>): Effect.Effect<void> {
    return this.#turn.withPermit(effect)
  }
}

export class Absence {
  readonly #node: Node
  readonly #queue: string
  #lasts = false

  constructor(node: Node, queue: string) {
    this.#node = node
    this.#queue = queue
  }

  get lasts(): boolean {
    return this.#lasts
  }

  /** It begins, or goes on. @param attempt tries again on this link, and tells what comes of it. */
  noticed(link: Link, { message }: Inaccessible, attempt: Effect.Effect<void>): void {
    if (!this.#lasts) this.#node.log("Warn", `${message}. The actors of this queue wait; it is tried again`)
    this.#lasts = true
    const inVain = Effect.suspend(() => (this.#lasts ? Effect.sleep(pause.others) : Effect.void))
    const current = Effect.suspend(() => (this.#node.connection.link === link ? attempt : Effect.void))
    const turn = this.#node.feeds.turns.take(Effect.andThen(current, inVain))
    this.#node.run(Effect.andThen(Effect.sleep(pause.own), turn))
  }

  ended(): void {
    if (this.#lasts) this.#node.log("Info", `${this.#queue} is there again`)
    this.#lasts = false
  }
}
