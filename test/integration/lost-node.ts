// A broker as one system sees it while a node of the broker's cluster is down that some of its queues live on: no declare,
// bind or consume gets at them. What really becomes of such a queue is that it is deleted.

import { Deferred, Effect, Layer } from "effect"
import { Broker, type Link } from "../../src/broker/broker.ts"
import { type BrokerError, Inaccessible, LinkLost } from "../../src/broker/errors.ts"
import type { Bench } from "./bench.ts"

export class LostNode {
  readonly layer: Layer.Layer<Broker>
  readonly #bench: Bench
  readonly #down = new Set<string>()
  #cut = Deferred.makeUnsafe<never, LinkLost>()
  #links = 0
  #refused = 0

  constructor(bench: Bench) {
    this.#bench = bench
    const wrapped = Effect.map(Broker, (broker) => ({ ...broker, connect: Effect.map(broker.connect, this.#wrap) }))
    this.layer = Layer.provide(Layer.effect(Broker)(wrapped), bench.venue.layer)
  }

  /** Links that the system has had. */
  get links(): number {
    return this.#links
  }

  /** The node goes down that has these queues; the links of the system are on another one. */
  async take(...queues: ReadonlyArray<string>): Promise<void> {
    for (const queue of queues) this.#down.add(queue)
    for (const queue of queues) await this.#bench.run(this.#bench.link.deleteQueue(queue))
  }

  /** The links of the system are lost, and it may have others. */
  cut(): void {
    Deferred.doneUnsafe(this.#cut, Effect.fail(new LinkLost({ why: "cut off by the test" })))
  }

  /** So many declares fail from now on, of whatever queue. */
  refuse(declares: number): void {
    this.#refused = declares
  }

  /** The node is back. */
  giveBack(): void {
    this.#down.clear()
  }

  readonly #wrap = (link: Link): Link => {
    this.#links++
    this.#cut = Deferred.makeUnsafe()
    const unless = <A>(down: () => boolean, effect: Effect.Effect<A, BrokerError>): Effect.Effect<A, BrokerError> =>
      Effect.suspend(() =>
        down() ? Effect.fail(new Inaccessible({ what: "get at a queue", why: "the test has its node down" })) : effect,
      )
    const unlessDown = <A>(queue: string, effect: Effect.Effect<A, BrokerError>) =>
      unless(() => this.#down.has(queue), effect)
    return {
      ...link,
      lost: Effect.raceFirst(link.lost, Deferred.await(this.#cut)),
      declareQueue: (spec) => unless(() => this.#down.has(spec.name) || this.#refused-- > 0, link.declareQueue(spec)),
      inspectQueue: (name) => unlessDown(name, link.inspectQueue(name)),
      deleteQueue: (name) => unlessDown(name, link.deleteQueue(name)),
      bind: (binding) => unlessDown(binding.queue, link.bind(binding)),
      consume: (queue, options, listener) => unlessDown(queue, link.consume(queue, options, listener)),
    }
  }
}
