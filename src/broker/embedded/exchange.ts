// An exchange: which queues a routing key leads to. Pure data, no messages pass through here.
//
// X1. A queue is named at most once per message, however many of its bindings match.

import { matches, wordsOf } from "../../protocol/topic.ts"
import type { ExchangeSpec } from "../broker.ts"

/** Routes of a topic exchange that are remembered; one key more and it starts afresh. */
const rememberedRoutes = 4096

const nowhere: ReadonlyArray<string> = []

interface TopicBinding {
  readonly pattern: ReadonlyArray<string>
  readonly queues: Set<string>
}

export class Exchange {
  readonly spec: ExchangeSpec
  /** Binding key -> queues, in the order in which they were bound. */
  readonly #bindings = new Map<string, TopicBinding>()
  readonly #routes = new Map<string, ReadonlyArray<string>>()

  constructor(spec: ExchangeSpec) {
    this.spec = spec
  }

  bind(queue: string, key: string): void {
    let binding = this.#bindings.get(key)
    if (binding === undefined) {
      binding = { pattern: wordsOf(key), queues: new Set() }
      this.#bindings.set(key, binding)
    }
    binding.queues.add(queue)
    this.#routes.clear()
  }

  unbind(queue: string, key: string): void {
    const binding = this.#bindings.get(key)
    if (binding === undefined || !binding.queues.delete(queue)) return
    if (binding.queues.size === 0) this.#bindings.delete(key)
    this.#routes.clear()
  }

  /** Drops all bindings of a queue that is deleted. */
  forget(queue: string): void {
    for (const key of [...this.#bindings.keys()]) this.unbind(queue, key)
  }

  /** The queues that take a message with this key. */
  route(key: string): ReadonlyArray<string> {
    const known = this.#routes.get(key)
    if (known !== undefined) return known
    const queues = this.#find(key)
    // Fanout ignores keys, so senders may put anything there: nothing is worth remembering beyond a bound.
    if (this.#routes.size >= rememberedRoutes) this.#routes.clear()
    this.#routes.set(key, queues)
    return queues
  }

  #find(key: string): ReadonlyArray<string> {
    if (this.spec.type === "direct") {
      const binding = this.#bindings.get(key)
      return binding === undefined ? nowhere : [...binding.queues]
    }
    const words = wordsOf(key)
    const found = new Set<string>()
    for (const { pattern, queues } of this.#bindings.values()) {
      if (this.spec.type === "fanout" || matches(pattern, words)) for (const queue of queues) found.add(queue)
    }
    return [...found]
  }
}
