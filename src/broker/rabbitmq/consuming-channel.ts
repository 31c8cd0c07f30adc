// One channel and the consumers on it, which end with it.
//
// N1. `basic.qos` holds for the consumers that come after it on the same channel, so that qos and consume are one step.
// N2. When the channel dies under its consumers, each of them is told `cancelled`, once; when the link dies, or when the
//     channel is closed from here, none is.
// N3. A delivery that overtakes the end of its consumer is put back, never dropped: it would stay unsettled for ever. While
//     the channel is being closed it is dropped: the broker puts back all that is not settled.
// N4. The tags of consumers grow: RabbitMQ 3.10 puts back what several consumers of a closed channel held in the order of
//     their tags, and a consumer that was cancelled may still hold what is older.
// N5. Requests wait for each other, and closing waits for all of them. One that fails while the library closes would have
//     both ends close the channel, and the library takes the second answer for a fault of the connection.

import { setImmediate as nextTurn } from "node:timers/promises"
import type { AsyncMessage, Channel } from "rabbitmq-client"
import type { ConsumeOptions, Listener } from "../broker.ts"
import { channelOver } from "../errors.ts"
import type { Connection } from "./connection.ts"
import { toDelivery } from "./delivery.ts"
import type { Operations } from "./operations.ts"
import { said } from "./refusal.ts"
import { consumeArguments, type Topology } from "./topology.ts"

/** What all channels of a link share. */
export interface Surroundings {
  readonly connection: Connection
  readonly operations: Operations
  readonly topology: Topology
  /** False once the link is lost or closed. */
  readonly alive: () => boolean
}

/** What a consumer is to be, and for whom. */
export interface Subscription extends ConsumeOptions {
  readonly queue: string
  readonly listener: Listener
}

/** Ends a consumer; what was delivered may still be settled. */
export type Cancel = () => Promise<void>

interface Member extends Subscription {
  readonly tag: string
  ended: boolean
}

export class ConsumingChannel {
  /** Rejects with what the library says. */
  readonly opening: Promise<Channel>
  readonly #surroundings: Surroundings
  readonly #ended: () => void
  /** Resolved when the channel is gone, whoever closed it. */
  readonly #gone: Promise<void>
  /** Whom the broker delivers to, by tag. */
  readonly #members = new Map<string, Member>()
  #tags = 0
  #seats = 0
  /** N5: the last of the requests that wait for each other. */
  #last: Promise<unknown> = Promise.resolve()
  #over: string | undefined
  #closing: Promise<void> | undefined

  /** @param ended nobody can join it any more. */
  constructor(surroundings: Surroundings, ended: () => void) {
    this.#surroundings = surroundings
    this.#ended = ended
    let gone = () => {}
    this.#gone = new Promise((resolve) => {
      gone = resolve
    })
    this.opening = surroundings.connection.channel((error) => {
      gone()
      this.#died(error)
    })
    this.opening.then(
      (channel) => channel.on("basic.cancel", (tag) => this.#brokerCancelled(tag)),
      (error: unknown) => this.#died(error),
    )
  }

  /** Consumers here, with those that are about to be. */
  get seats(): number {
    return this.#seats
  }

  /** Why nobody can join it any more, or undefined. */
  get over(): string | undefined {
    return this.#over
  }

  /** Rejects with what the library says, if that is not why it is closed from here. The seat is taken at once. */
  async consume(what: string, subscription: Subscription, signal: AbortSignal): Promise<Cancel> {
    const member: Member = { ...subscription, tag: this.#nextTag(), ended: false }
    this.#seats++
    try {
      const channel = await this.opening
      await this.#inTurn(() => this.#subscribe(what, channel, member))
      const cancel = () => this.#cancel(channel, member)
      if (signal.aborted) await cancel()
      return cancel
    } catch (error) {
      this.#leave(member)
      throw error
    }
  }

  /** Resolves when the broker has everything back; rejects with a `BrokerError` when it does not say so in time. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { connection, operations, alive } = this.#surroundings
    this.#over ??= "its channel was closed"
    this.#ended()
    for (const member of [...this.#members.values()]) this.#leave(member)
    if (!alive()) return
    const what = "close a channel"
    const closed = this.#inTurn(async () => {
      const channel = await this.opening
      // The library's own promise stays open for ever when both ends close at the same time.
      void channel.close()
      await this.#gone
    })
    await operations.guard(what, () => connection.bounded(what, closed))
  }

  async #subscribe(what: string, channel: Channel, member: Member): Promise<void> {
    const { connection, topology, alive } = this.#surroundings
    const { queue, prefetch, from, listener, tag } = member
    await connection.bounded(what, channel.basicQos({ prefetchCount: prefetch })) // N1
    const origin = { channel, alive, queueType: topology.typeOf(queue) }
    const received = (message: AsyncMessage) => {
      if (!alive() || this.#closing !== undefined) return // N3
      const delivery = toDelivery(message, origin)
      if (member.ended) delivery.nack({ requeue: true })
      else listener.delivery(delivery)
    }
    const consumer = { queue, consumerTag: tag, arguments: consumeArguments(from) }
    await connection.bounded(what, channel.basicConsume(consumer, received))
    if (this.#closing !== undefined) throw channelOver(what, this.#over)
    this.#members.set(tag, member)
  }

  async #cancel(channel: Channel, member: Member): Promise<void> {
    if (member.ended) return
    const { connection, operations, alive } = this.#surroundings
    const what = `cancel the consumer of queue ${member.queue}`
    await operations.guard(what, () =>
      this.#inTurn(async () => {
        if (member.ended || !channel.active || !alive()) return
        await connection.bounded(what, channel.basicCancel(member.tag))
        await nextTurn() // what came before cancel-ok is delivered in this turn
      }),
    )
    this.#leave(member)
  }

  /** The queue was deleted, its node went away, or it had something in hand for too long. */
  #brokerCancelled(tag: string): void {
    const member = this.#members.get(tag)
    if (member === undefined) return
    const { topology, alive } = this.#surroundings
    const { queue, listener } = member
    this.#leave(member)
    topology.forget(queue)
    if (alive()) listener.cancelled(`the broker cancelled the consumer of queue ${queue}`)
  }

  #died(error: unknown): void {
    const why = `its channel was closed: ${error === undefined ? "a neighbour on it failed" : said(error)}`
    this.#over ??= why
    this.#ended()
    // The library closes the channels of a lost connection before it says that the connection is lost.
    setImmediate(() => {
      for (const member of [...this.#members.values()]) {
        this.#leave(member)
        if (this.#surroundings.alive()) member.listener.cancelled(why) // N2
      }
    })
  }

  /** N5. */
  #inTurn<A>(request: () => Promise<A>): Promise<A> {
    const turn = this.#last.then(request)
    this.#last = turn.catch(() => {})
    return turn
  }

  #leave(member: Member): void {
    if (member.ended) return
    member.ended = true
    this.#members.delete(member.tag)
    this.#seats--
  }

  /** N4: longer than any number that is reached, so that the order of texts is that of numbers. */
  #nextTag(): string {
    return `warren-${String(this.#tags++).padStart(12, "0")}`
  }
}
