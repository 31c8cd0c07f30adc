// The consuming side of a link: who consumes on which channel, and one channel for taking messages by hand.
//
// M1. A queue is known to exist before a channel is asked for it: a missing one would end all the consumers there.
// M2. Nobody joins a channel of somebody's own; when it is over, it does not come back.

import type { Channel } from "rabbitmq-client"
import type { ConsumeOptions, Delivery, Listener } from "../broker.ts"
import { channelOver, Refused } from "../errors.ts"
import { type Cancel, ConsumingChannel, type Subscription, type Surroundings } from "./consuming-channel.ts"
import { toDelivery } from "./delivery.ts"
import { isBystander } from "./refusal.ts"

/** Few channels for the broker, and few neighbours that suffer when one of them dies. */
const seatsPerChannel = 64
const largestPrefetch = 65_535
/** A channel that dies while a consumer joins it is not that consumer's fault: it joins another one. */
const attempts = 3

/** Resolves to the function that cancels it. An aborted `signal` leaves no consumer behind. */
export type Consume = (
  queue: string,
  options: ConsumeOptions,
  listener: Listener,
  signal: AbortSignal,
) => Promise<Cancel>

export interface OwnChannel {
  readonly consume: Consume
  readonly close: () => Promise<void>
}

/** All rejects with a `BrokerError`. */
export class Consumers {
  readonly #surroundings: Surroundings
  readonly #shared = new Set<ConsumingChannel>()
  readonly #own = new Set<ConsumingChannel>()
  #hand: Promise<Channel> | undefined

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
  }

  readonly consume: Consume = (queue, options, listener, signal) => {
    const { operations, alive } = this.#surroundings
    const what = `consume from queue ${queue}`
    return operations.guard(what, async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.#join(() => this.#free(), what, { ...options, queue, listener }, signal)
        } catch (error) {
          if (!isBystander(error) || attempt === attempts || !alive()) throw error
        }
      }
    })
  }

  /** M2. An aborted `signal` leaves no channel behind. */
  async open(signal: AbortSignal): Promise<OwnChannel> {
    const { operations } = this.#surroundings
    const channel = this.#add(this.#own)
    await operations.guard("open a channel", () => channel.opening)
    if (signal.aborted) await channel.close()
    const still = (what: string): ConsumingChannel => {
      if (channel.over !== undefined) throw channelOver(what, channel.over)
      return channel
    }
    return {
      consume: (queue, options, listener, signal) => {
        const what = `consume from queue ${queue}`
        return operations.guard(what, async () => {
          try {
            still(what)
            return await this.#join(() => still(what), what, { ...options, queue, listener }, signal)
          } catch (error) {
            throw isBystander(error) ? channelOver(what, channel.over) : error
          }
        })
      },
      close: () => channel.close(),
    }
  }

  async get(queue: string): Promise<Delivery | undefined> {
    const { connection, operations, topology, alive } = this.#surroundings
    const what = `get from queue ${queue}`
    await topology.ensure(queue) // M1
    topology.consumable(what, queue)
    return operations.guard(what, async () => {
      this.#hand ??= connection.channel(() => {
        this.#hand = undefined
      })
      const channel = await this.#hand.catch((error: unknown) => {
        this.#hand = undefined
        throw error
      })
      const received = await connection.bounded(what, channel.basicGet(queue))
      if (received === undefined) return undefined
      return toDelivery(received, { channel, alive, queueType: topology.typeOf(queue) })
    })
  }

  /** What is to be closed with the connection. */
  async channels(): Promise<ReadonlyArray<Channel>> {
    const opening = Array.from([...this.#shared, ...this.#own], (channel) => channel.opening)
    if (this.#hand !== undefined) opening.push(this.#hand)
    const settled = await Promise.allSettled(opening)
    return settled.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []))
  }

  async #join(
    channel: () => ConsumingChannel,
    what: string,
    subscription: Subscription,
    signal: AbortSignal,
  ): Promise<Cancel> {
    const { queue, prefetch } = subscription
    const { topology } = this.#surroundings
    if (!Number.isInteger(prefetch) || prefetch < 1 || prefetch > largestPrefetch) {
      const next = `Give a whole number from 1 to ${largestPrefetch}.`
      throw new Refused({ what, why: `prefetch is ${prefetch}`, next })
    }
    await topology.ensure(queue) // M1
    try {
      return await channel().consume(what, subscription, signal)
    } catch (error) {
      topology.forget(queue)
      throw error
    }
  }

  /** A shared channel with a free seat, which is to be taken at once. */
  #free(): ConsumingChannel {
    for (const channel of this.#shared) if (channel.seats < seatsPerChannel) return channel
    return this.#add(this.#shared)
  }

  /** It is in the set until it is over. */
  #add(to: Set<ConsumingChannel>): ConsumingChannel {
    const channel: ConsumingChannel = new ConsumingChannel(this.#surroundings, () => to.delete(channel))
    to.add(channel)
    return channel
  }
}
