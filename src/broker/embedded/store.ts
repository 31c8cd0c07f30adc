// The broker itself: exchanges, queues, and the way of a message between them. It knows neither links nor the event loop.
//
// D1. A dead letter goes to the queue's dead-letter exchange, or nowhere when there is none or it leads nowhere. A quorum
//     queue takes dead letters above its bound, a classic one drops them, as on RabbitMQ.
// D2. Nobody binds to the default exchange, declares `amq.*`, or uses a name that AMQP cannot carry.

import { Result } from "effect"
import type { Binding, ExchangeSpec, QueueSpec, QueueState } from "../broker.ts"
import { type BrokerError, NotFound, Refused } from "../errors.ts"
import type { Alarms } from "./alarms.ts"
import { exchangeClash, misnamed, queueClash, unspeakable } from "./arguments.ts"
import type { Consumer } from "./consumer.ts"
import { Exchange } from "./exchange.ts"
import { bury, circles, type DeathReason, type Stored } from "./message.ts"
import type { Served } from "./served.ts"
import { ServedQueue, type Surroundings } from "./served-queue.ts"
import { ServedStream } from "./served-stream.ts"

/** `refused`: at least one queue was full. Those with room have it all the same. */
export type Outcome = "taken" | "refused" | "unroutable"

type Answer<A> = Result.Result<A, BrokerError>

export class Store implements Surroundings {
  readonly #alarms: Alarms
  readonly #exchanges = new Map<string, Exchange>()
  readonly #queues = new Map<string, Served>()

  constructor(alarms: Alarms) {
    this.#alarms = alarms
    for (const type of ["direct", "topic", "fanout"] as const) {
      this.#exchanges.set(`amq.${type}`, new Exchange({ name: `amq.${type}`, type }))
    }
  }

  queues(): Iterable<Served> {
    return this.#queues.values()
  }

  queue(name: string): Answer<Served> {
    const queue = this.#queues.get(name)
    if (queue !== undefined) return Result.succeed(queue)
    return Result.fail(unspeakable(`find queue ${name}`, name) ?? new NotFound({ what: `queue ${name}` }))
  }

  declareExchange(spec: ExchangeSpec): Answer<void> {
    const existing = this.#exchanges.get(spec.name)
    const problem = existing !== undefined ? exchangeClash(spec, existing.spec) : misnamed("exchange", spec.name)
    if (problem !== undefined) return Result.fail(problem)
    if (existing === undefined) this.#exchanges.set(spec.name, new Exchange({ ...spec }))
    return Result.void
  }

  declareQueue(spec: QueueSpec): Answer<QueueState> {
    const existing = this.#queues.get(spec.name)
    const problem = existing !== undefined ? queueClash(spec, existing.spec) : misnamed("queue", spec.name)
    if (problem !== undefined) return Result.fail(problem)
    existing?.touch()
    const queue = existing ?? this.#make(structuredClone(spec))
    this.#queues.set(spec.name, queue)
    return Result.succeed(queue.state())
  }

  #make(spec: QueueSpec): Served {
    return spec.type === "stream" ? new ServedStream(spec, this.#alarms) : new ServedQueue(spec, this.#alarms, this)
  }

  bind({ queue, exchange, routingKey }: Binding): Answer<void> {
    const problem = forbidden(`bind queue ${queue} to exchange ${exchange}`, { queue, exchange, routingKey })
    if (problem !== undefined) return Result.fail(problem)
    const source = this.#exchanges.get(exchange)
    if (source === undefined) return Result.fail(new NotFound({ what: `exchange ${exchange}` }))
    return Result.map(this.queue(queue), () => source.bind(queue, routingKey))
  }

  unbind({ queue, exchange, routingKey }: Binding): Answer<void> {
    const problem = forbidden(`unbind queue ${queue} from exchange ${exchange}`, { queue, exchange, routingKey })
    if (problem !== undefined) return Result.fail(problem)
    this.#exchanges.get(exchange)?.unbind(queue, routingKey)
    return Result.void
  }

  inspect(name: string): Answer<QueueState> {
    return Result.map(this.queue(name), (queue) => {
      queue.touch()
      return queue.state()
    })
  }

  purge(name: string): Answer<void> {
    return Result.flatMap(this.queue(name), (queue) => {
      if (queue.spec.type === "stream") return Result.fail(endless(`purge queue ${name}`))
      return Result.succeed(queue.purge())
    })
  }

  delete(name: string, why = `queue ${name} was deleted`): Answer<void> {
    const problem = unspeakable(`delete queue ${name}`, name)
    if (problem !== undefined) return Result.fail(problem)
    const queue = this.#queues.get(name)
    this.#queues.delete(name)
    for (const exchange of this.#exchanges.values()) exchange.forget(name)
    queue?.close(why)
    return Result.void
  }

  /** The default exchange is always there. */
  hasExchange(name: string): boolean {
    return name === "" || this.#exchanges.has(name)
  }

  publish(message: Stored): Outcome {
    const queues = this.#route(message)
    if (queues.length === 0) return "unroutable"
    let outcome: Outcome = "taken"
    for (const queue of queues) {
      if (queue.full) outcome = "refused"
      else queue.enqueue(message)
    }
    return outcome
  }

  /** Everything that these consumers of one link have in hand comes back. */
  release(consumers: Iterable<Consumer>): void {
    const byQueue = new Map<Served, Array<Consumer>>()
    for (const consumer of consumers) {
      const together = byQueue.get(consumer.queue)
      if (together === undefined) byQueue.set(consumer.queue, [consumer])
      else together.push(consumer)
    }
    for (const [queue, together] of byQueue) queue.release(together)
  }

  died(message: Stored, reason: DeathReason, from: QueueSpec): void {
    if (from.deadLetter === undefined) return
    const letter = bury(message, { queue: from.name, reason, now: this.#alarms.now() }, from.deadLetter)
    for (const queue of this.#route(letter)) {
      const { name, type } = queue.spec
      if (reason !== "rejected" && circles(letter, name)) continue
      if (type !== "classic" || !queue.full) queue.enqueue(letter)
    }
  }

  unused(queue: ServedQueue): void {
    this.delete(queue.spec.name, `queue ${queue.spec.name} expired`)
  }

  #route({ exchange, routingKey }: Stored): ReadonlyArray<Served> {
    if (exchange === "") {
      const queue = this.#queues.get(routingKey)
      return queue === undefined ? [] : [queue]
    }
    const names = this.#exchanges.get(exchange)?.route(routingKey) ?? []
    // A binding goes with its queue, so each name is there.
    return names.map((name) => this.#queues.get(name)!)
  }
}

const endless = (what: string): Refused =>
  new Refused({ what, why: "it is a stream", next: "Consume it, or let its retention do it." })

/** D2. */
const forbidden = (what: string, { queue, exchange, routingKey }: Binding): Refused | undefined =>
  exchange === ""
    ? new Refused({
        what,
        why: "operation not permitted on the default exchange",
        next: "Every queue is bound to it by its own name already; name another exchange.",
      })
    : unspeakable(what, queue, exchange, routingKey)
