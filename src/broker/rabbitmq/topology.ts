// Exchanges and queues as RabbitMQ wants them said.
//
// T1. `x-queue-type` is always sent (a vhost may have another default), and so is the delivery limit of a quorum queue
//     (3.10 has none, 4.x has 20). Scalars only.
//     So is how long a quorum queue waits for the consumers of a broker node that is down, before it gives what they hold to
//     others: by itself 4.3 waits for a minute, and those before do not wait, and do not know the argument.
// T2. Durable, never exclusive, never auto-deleted: transient shared queues are refused by default from 4.3.
// T3. The type of each queue that was declared here is remembered: a delivery does not say what its queue counts.

import type { Channel } from "rabbitmq-client"
import {
  type Binding,
  type ExchangeSpec,
  offsetHeader,
  type QueueSpec,
  type QueueState,
  type Scalar,
  type StreamStart,
} from "../broker.ts"
import { NotFound, Refused } from "../errors.ts"
import { checkShortString } from "../limits.ts"
import type { Operations } from "./operations.ts"

/** As in RabbitMQ 4: every version then does the same. */
const defaultDeliveryLimit = 20
/** ms; longer than it takes two nodes to find each other again. */
const disconnectedTimeout = 1_000

/** The arguments of `queue.declare`. */
export const queueArguments = (spec: QueueSpec): Record<string, Scalar> => {
  const args: Record<string, Scalar> = { "x-queue-type": spec.type }
  if (spec.type === "quorum") {
    args["x-delivery-limit"] = spec.deliveryLimit ?? defaultDeliveryLimit
    args["x-consumer-disconnected-timeout"] = disconnectedTimeout
  }
  if (spec.expires !== undefined) args["x-expires"] = spec.expires
  if (spec.maxLength !== undefined) {
    args["x-max-length"] = spec.maxLength
    args["x-overflow"] = spec.overflow === "oldest" ? "drop-head" : "reject-publish"
  }
  if (spec.deadLetter !== undefined) {
    args["x-dead-letter-exchange"] = spec.deadLetter.exchange
    args["x-dead-letter-routing-key"] = spec.deadLetter.routingKey
  }
  if (spec.singleActiveConsumer === true) args["x-single-active-consumer"] = true
  const { age, bytes, segment } = spec.retention ?? {}
  if (age !== undefined) args["x-max-age"] = `${age}s`
  if (bytes !== undefined) args["x-max-length-bytes"] = bytes
  if (segment !== undefined) args["x-stream-max-segment-size-bytes"] = segment
  return args
}

/** The arguments of `basic.consume`. */
export const consumeArguments = (from: StreamStart | undefined): Record<string, Scalar> =>
  from === undefined ? {} : { [offsetHeader]: typeof from === "object" ? `${from.seconds}s` : from }

export class Topology {
  readonly #operations: Operations
  readonly #types = new Map<string, QueueSpec["type"]>()
  readonly #known = new Set<string>()

  constructor(operations: Operations) {
    this.#operations = operations
  }

  /** What kind of queue it is, if it was declared here (T3). */
  typeOf(queue: string): QueueSpec["type"] | undefined {
    return this.#types.get(queue)
  }

  async declareExchange({ name, type }: ExchangeSpec): Promise<void> {
    const what = `declare exchange ${name}`
    nameable(what, name)
    await this.#operations.run(what, (channel) => channel.exchangeDeclare({ exchange: name, type, durable: true }))
  }

  async declareQueue(spec: QueueSpec): Promise<QueueState> {
    const what = `declare queue ${spec.name}`
    nameable(what, spec.name)
    const declare = (channel: Channel) =>
      channel.queueDeclare({ queue: spec.name, durable: true, arguments: queueArguments(spec) })
    // One that is replicated may take its time while it is made.
    const ok = await (spec.type === "classic"
      ? this.#operations.about(what, declare)
      : this.#operations.run(what, declare))
    this.#types.set(spec.name, spec.type)
    this.#known.add(spec.name)
    return { messages: ok.messageCount, consumers: ok.consumerCount }
  }

  async bind(binding: Binding): Promise<void> {
    const what = `bind queue ${binding.queue} to exchange ${binding.exchange}`
    nameable(what, binding.queue, binding.exchange, binding.routingKey)
    await this.#operations.run(what, (channel) => channel.queueBind(binding))
  }

  async unbind(binding: Binding): Promise<void> {
    const what = `unbind queue ${binding.queue} from exchange ${binding.exchange}`
    nameable(what, binding.queue, binding.exchange, binding.routingKey)
    await this.#operations.run(what, (channel) => channel.queueUnbind(binding))
  }

  async inspectQueue(name: string): Promise<QueueState> {
    const what = `inspect queue ${name}`
    nameable(what, name)
    try {
      const ok = await this.#operations.about(what, (channel) => channel.queueDeclare({ queue: name, passive: true }))
      this.#known.add(name)
      return { messages: ok.messageCount, consumers: ok.consumerCount }
    } catch (error) {
      if (error instanceof NotFound) this.forget(name)
      throw error
    }
  }

  async deleteQueue(name: string): Promise<void> {
    const what = `delete queue ${name}`
    nameable(what, name)
    await this.#operations.about(what, (channel) => channel.queueDelete(name))
    this.#types.delete(name)
    this.forget(name)
  }

  async purgeQueue(name: string): Promise<void> {
    const what = `purge queue ${name}`
    nameable(what, name)
    this.consumable(what, name)
    await this.#operations.run(what, (channel) => channel.queuePurge(name))
  }

  /** Rejects with `NotFound` before a shared channel would be closed by a queue that is not there. */
  async ensure(name: string): Promise<void> {
    if (!this.#known.has(name)) await this.inspectQueue(name)
  }

  /** What a stream does not know closes the whole connection; so it is refused here, if the queue was declared here. */
  consumable(what: string, name: string): void {
    if (this.typeOf(name) !== "stream") return
    throw new Refused({ what, why: "it is a stream", next: "Consume it, or let its retention do it." })
  }

  /** It may be gone. */
  forget(name: string): void {
    this.#known.delete(name)
  }
}

/** The client library would cut a longer name, and so mean another queue. */
const nameable = (what: string, name: string, ...keys: ReadonlyArray<string>): void => {
  for (const text of [name, ...keys]) {
    const why = checkShortString(text)
    if (why !== undefined) throw new Refused({ what, why, next: "Choose a shorter name." })
  }
  if (name === "") throw new Refused({ what, why: "the name is empty", next: "Give it a name." })
}
