// A link to RabbitMQ: two connections that live and die together, one that publishes and one for everything else.
//
// K1. The broker blocks whole connections, and only those that publish: acks, declares and consumers stay out of its way.
// K2. Either connection lost is the link lost: the other one is destroyed, publishes fail, and nobody is called any more.

import { Deferred, Effect } from "effect"
import { v7 as uuid } from "uuid"
import type { Link } from "../broker.ts"
import { type BrokerError, LinkLost } from "../errors.ts"
import { Connection } from "./connection.ts"
import { type Consume, Consumers } from "./consumers.ts"
import { within } from "./deadline.ts"
import { Operations } from "./operations.ts"
import type { Host, Settings } from "./options.ts"
import { Publisher } from "./publisher.ts"
import { explain } from "./refusal.ts"
import { Topology } from "./topology.ts"

export interface OpenLink {
  readonly link: Link
  /** Orderly and bounded: confirms are waited for, acks are flushed, then the sockets go. */
  readonly close: () => Promise<void>
}

/** Rejects with a `BrokerError`, or with the reason of `signal`; in both cases nothing stays open. */
export const openLink = async (host: Host, settings: Settings, signal: AbortSignal): Promise<OpenLink> => {
  const pair = new Pair(host, settings)
  signal.addEventListener("abort", () => pair.lose("nobody waits for it any more"), { once: true })
  try {
    await pair.open(signal)
    return { link: pair.link(), close: () => pair.close() }
  } catch (error) {
    pair.lose("it could not be opened")
    if (signal.aborted) throw signal.reason
    throw explain(`connect to ${host.name}`, error)
  }
}

class Pair {
  readonly #id = uuid()
  readonly #host: Host
  readonly #settings: Settings
  readonly #lost = Deferred.makeUnsafe<never, LinkLost>()
  readonly #blockedListeners: Array<(why: string | undefined) => void> = []
  #publishing: Connection | undefined
  #consuming: Connection | undefined
  #publisher: Publisher | undefined
  #operations: Operations | undefined
  #topology: Topology | undefined
  #consumers: Consumers | undefined
  #loss: LinkLost | undefined
  #closed = false

  constructor(host: Host, settings: Settings) {
    this.#host = host
    this.#settings = settings
  }

  readonly #alive = (): boolean => this.#loss === undefined && !this.#closed

  async open(signal: AbortSignal): Promise<void> {
    const dial = async (role: "publishing" | "consuming") => {
      const { connectionName, operationTimeout } = this.#settings
      const connection = await Connection.dial(
        this.#host,
        { name: `${connectionName} ${role} ${this.#id}`, operationTimeout, signal },
        { lost: (why) => this.lose(`${role} connection: ${why}`), blocked: (why) => this.#block(connection, why) },
      )
      if (!this.#alive()) connection.destroy() // the other one has failed meanwhile
      return connection
    }
    const publishing = dial("publishing").then((connection) => {
      this.#publishing = connection
      return connection
    })
    const consuming = dial("consuming").then((connection) => {
      this.#consuming = connection
      return connection
    })
    await Promise.all([publishing, consuming])
    if (this.#loss !== undefined) throw this.#loss
    await this.#furnish(await publishing, await consuming)
  }

  async #furnish(publishing: Connection, consuming: Connection): Promise<void> {
    const sick = (why: string) => this.lose(why)
    this.#operations = new Operations(consuming, sick)
    this.#topology = new Topology(this.#operations)
    this.#consumers = new Consumers({
      connection: consuming,
      operations: this.#operations,
      topology: this.#topology,
      alive: this.#alive,
    })
    const { maxMessageSize, confirmTimeout } = this.#settings
    const limits = { maxMessageSize, frameMax: publishing.frameMax }
    this.#publisher = new Publisher(publishing, { linkId: this.#id, limits, confirmTimeout, sick })
    await this.#publisher.start()
  }

  /** K2. */
  lose(why: string): void {
    if (!this.#alive()) return
    const loss = new LinkLost({ why })
    this.#loss = loss
    this.#publishing?.destroy()
    this.#consuming?.destroy()
    this.#publisher?.lose(loss)
    Deferred.doneUnsafe(this.#lost, Effect.fail(loss))
  }

  async close(): Promise<void> {
    if (!this.#alive()) return
    const { closeTimeout } = this.#settings
    const deadline = performance.now() + closeTimeout
    const left = () => Math.max(1, deadline - performance.now())
    if (this.#publishing?.blocked === undefined) {
      await within(closeTimeout / 2, "confirm what is in flight", this.#publisher!.idle()).catch(() => {})
    }
    if (!this.#alive()) return
    this.#closed = true
    const channels = await within(left(), "open channels", this.#consumers!.channels()).catch(() => [])
    const published = this.#publisher!.channels
    this.#publisher!.lose(new LinkLost({ why: "the link was closed" }))
    await Promise.all([
      this.#publishing!.close(left(), published),
      this.#consuming!.close(left(), [...channels, ...this.#operations!.channels]),
    ])
  }

  link(): Link {
    const topology = this.#topology!
    const consumers = this.#consumers!
    const publisher = this.#publisher!
    return {
      id: this.#id,
      capabilities: this.#consuming!.capabilities,
      lost: Deferred.await(this.#lost),
      blocked: () => this.#publishing!.blocked,
      onBlocked: (listener) => void this.#blockedListeners.push(listener),
      declareExchange: (spec) => this.#request(() => topology.declareExchange(spec)),
      declareQueue: (spec) => this.#request(() => topology.declareQueue(spec)),
      bind: (binding) => this.#request(() => topology.bind(binding)),
      unbind: (binding) => this.#request(() => topology.unbind(binding)),
      inspectQueue: (name) => this.#request(() => topology.inspectQueue(name)),
      deleteQueue: (name) => this.#request(() => topology.deleteQueue(name)),
      purgeQueue: (name) => this.#request(() => topology.purgeQueue(name)),
      publish: (message, settled) => publisher.publish(message, settled),
      consume: this.#consumeBy(consumers.consume),
      openChannel: this.#request((signal) => consumers.open(signal)).pipe(
        Effect.map(({ consume, close }) => ({
          consume: this.#consumeBy(consume),
          close: Effect.suspend(() => (this.#alive() ? this.#request(close) : Effect.void)),
        })),
      ),
      get: (queue) => this.#request(() => consumers.get(queue)),
    }
  }

  #consumeBy(consume: Consume): Link["consume"] {
    return (queue, options, listener) =>
      this.#request((signal) => consume(queue, options, listener, signal)).pipe(
        Effect.map((cancel) => ({ cancel: this.#request(cancel) })),
      )
  }

  /** Once the link is lost, that is the answer to everything; unless the broker has just said what can never work. */
  #request<A>(work: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, BrokerError> {
    return Effect.tryPromise({
      try: (signal) => {
        if (this.#closed) throw new LinkLost({ why: "the link was closed" })
        if (this.#loss !== undefined) throw this.#loss
        return work(signal)
      },
      catch: (error) => {
        const failure = explain("use the link", error)
        return failure instanceof LinkLost && this.#loss !== undefined ? this.#loss : failure
      },
    })
  }

  #block(connection: Connection | undefined, why: string | undefined): void {
    if (connection === undefined || connection !== this.#publishing || !this.#alive()) return
    this.#publisher?.blocked(why !== undefined)
    for (const listener of this.#blockedListeners) listener(why)
  }
}
