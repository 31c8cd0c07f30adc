// The consuming side of a link: consumers that share channels, and one channel for taking messages by hand.
//
// N1. `basic.qos` holds for the consumers that come after it on the same channel, so that qos and consume are one step.
// N2. A queue is known to exist before a shared channel is asked for it: a missing one would end all its neighbours.
// N3. When a channel dies under its consumers, each of them is told `cancelled`, once; when the link dies, none is.
// N4. A delivery that overtakes the end of its consumer is put back, never dropped: it would stay unsettled for ever.

import { setImmediate as nextTurn } from "node:timers/promises"
import type { AsyncMessage, Channel } from "rabbitmq-client"
import type { Delivery, Listener } from "../broker.ts"
import { Refused } from "../errors.ts"
import type { Connection } from "./connection.ts"
import { toDelivery } from "./delivery.ts"
import type { Operations } from "./operations.ts"
import { explain, isBystander, said } from "./refusal.ts"
import type { Topology } from "./topology.ts"

/** Few channels for the broker, and few neighbours that suffer when one of them dies. */
const seatsPerChannel = 64
const largestPrefetch = 65_535
/** A channel that dies while a consumer joins it is not that consumer's fault: it joins another one. */
const attempts = 3

interface Member {
  readonly queue: string
  readonly listener: Listener
  ended: boolean
}

interface Shared {
  readonly opening: Promise<Channel>
  readonly members: Map<string, Member>
  /** Taken or promised. */
  seats: number
  /** N1: the last of the steps that wait for each other. */
  steps: Promise<unknown>
  died: boolean
}

export class Consumers {
  readonly #connection: Connection
  readonly #operations: Operations
  readonly #topology: Topology
  readonly #alive: () => boolean
  readonly #shared = new Set<Shared>()
  #hand: Promise<Channel> | undefined

  constructor(connection: Connection, operations: Operations, topology: Topology, alive: () => boolean) {
    this.#connection = connection
    this.#operations = operations
    this.#topology = topology
    this.#alive = alive
  }

  /** Resolves to the function that cancels it. An aborted `signal` leaves no consumer behind. */
  async consume(
    queue: string,
    prefetch: number,
    listener: Listener,
    signal: AbortSignal,
  ): Promise<() => Promise<void>> {
    const what = `consume from queue ${queue}`
    if (!Number.isInteger(prefetch) || prefetch < 1 || prefetch > largestPrefetch) {
      throw new Refused({
        what,
        why: `prefetch is ${prefetch}`,
        next: `Give a whole number from 1 to ${largestPrefetch}.`,
      })
    }
    for (let attempt = 1; ; attempt++) {
      await this.#topology.ensure(queue) // N2
      try {
        return await this.#join(what, queue, prefetch, listener, signal)
      } catch (error) {
        this.#topology.forget(queue)
        if (!isBystander(error) || attempt === attempts || !this.#alive()) throw explain(what, error)
      }
    }
  }

  async get(queue: string): Promise<Delivery | undefined> {
    const what = `get from queue ${queue}`
    await this.#topology.ensure(queue) // N2
    return this.#operations.guard(what, async () => {
      this.#hand ??= this.#connection.channel(() => {
        this.#hand = undefined
      })
      const channel = await this.#hand.catch((error: unknown) => {
        this.#hand = undefined
        throw error
      })
      const received = await this.#connection.bounded(what, channel.basicGet(queue))
      if (received === undefined) return undefined
      return toDelivery(received, { channel, alive: this.#alive, queueType: this.#topology.typeOf(queue) })
    })
  }

  /** What is to be closed with the connection. */
  async channels(): Promise<ReadonlyArray<Channel>> {
    const opening = Array.from(this.#shared, (shared) => shared.opening)
    if (this.#hand !== undefined) opening.push(this.#hand)
    const settled = await Promise.allSettled(opening)
    return settled.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []))
  }

  async #join(
    what: string,
    queue: string,
    prefetch: number,
    listener: Listener,
    signal: AbortSignal,
  ): Promise<() => Promise<void>> {
    const shared = this.#seat()
    const member: Member = { queue, listener, ended: false }
    try {
      const channel = await shared.opening
      const step = shared.steps.then(() => this.#subscribe(what, channel, queue, prefetch, member))
      shared.steps = step.catch(() => {})
      const tag = await step
      shared.members.set(tag, member)
      const cancel = () => this.#cancel(shared, channel, tag, member)
      if (signal.aborted) await cancel()
      return cancel
    } catch (error) {
      member.ended = true
      shared.seats--
      throw error
    }
  }

  /** A channel with a free seat, which is taken. */
  #seat(): Shared {
    for (const shared of this.#shared) {
      if (shared.died || shared.seats >= seatsPerChannel) continue
      shared.seats++
      return shared
    }
    const opening = this.#connection.channel((error) => this.#channelDied(shared, error))
    const shared: Shared = { opening, members: new Map(), seats: 1, steps: Promise.resolve(), died: false }
    this.#shared.add(shared)
    opening.then(
      (channel) => channel.on("basic.cancel", (tag) => this.#brokerCancelled(shared, tag)),
      (error: unknown) => this.#channelDied(shared, error),
    )
    return shared
  }

  async #subscribe(what: string, channel: Channel, queue: string, prefetch: number, member: Member): Promise<string> {
    await this.#connection.bounded(what, channel.basicQos({ prefetchCount: prefetch }))
    const queueType = this.#topology.typeOf(queue)
    const origin = { channel, alive: this.#alive, queueType }
    const received = (message: AsyncMessage) => {
      if (!this.#alive()) return
      const delivery = toDelivery(message, origin)
      if (member.ended)
        delivery.nack({ requeue: true }) // N4
      else member.listener.delivery(delivery)
    }
    const ok = await this.#connection.bounded(what, channel.basicConsume({ queue }, received))
    return ok.consumerTag
  }

  async #cancel(shared: Shared, channel: Channel, tag: string, member: Member): Promise<void> {
    if (member.ended) return
    if (channel.active && this.#alive()) {
      await this.#operations.guard(`cancel the consumer of queue ${member.queue}`, async () => {
        await this.#connection.bounded("cancel", channel.basicCancel(tag))
        await nextTurn() // what came before cancel-ok is delivered in this turn
      })
    }
    this.#leave(shared, tag, member)
  }

  /** The queue was deleted, or its node went away. */
  #brokerCancelled(shared: Shared, tag: string): void {
    const member = shared.members.get(tag)
    if (member === undefined || member.ended) return
    this.#leave(shared, tag, member)
    this.#topology.forget(member.queue)
    if (this.#alive()) member.listener.cancelled(`the broker cancelled the consumer of queue ${member.queue}`)
  }

  #channelDied(shared: Shared, error: unknown): void {
    if (shared.died) return
    shared.died = true
    this.#shared.delete(shared)
    // The library closes the channels of a lost connection before it says that the connection is lost.
    setImmediate(() => {
      const why = `its channel was closed: ${error === undefined ? "a neighbour on it failed" : said(error)}`
      for (const [tag, member] of shared.members) {
        if (member.ended) continue
        this.#leave(shared, tag, member)
        if (this.#alive()) member.listener.cancelled(why) // N3
      }
    })
  }

  #leave(shared: Shared, tag: string, member: Member): void {
    member.ended = true
    shared.members.delete(tag)
    shared.seats--
  }
}
