// The streams in which events are retained: declared by who emits them, and by who reads them, whoever comes first.
//
// R1. A stream is there before the first event that belongs in it is emitted, and declared again on every link.
// R2. The newest event alone is kept for each actor; all else in one stream for all actors of the protocol in a domain.

import { Duration, Effect } from "effect"
import type { Link, QueueSpec } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import type { LinkUser } from "../messaging/connection.ts"
import type { Node } from "../messaging/node.ts"
import type { EventOptions } from "../protocol/message.ts"
import { bindingKey, type EventSource, sourceKey } from "../wire/event-key.ts"
import type { Names } from "../wire/names.ts"
import { orLater } from "./later.ts"
import { Membership } from "./membership.ts"

export interface Stream {
  readonly queue: QueueSpec
  readonly binding: string
  /** ms; undefined where age does not matter. */
  readonly age: number | undefined
}

/** Bytes of a segment: the broker lets go of whole segments. */
const smallestSegment = 10_000
const largestSegment = 500_000_000
/** Bytes that are taken for usual where only the age is bounded. */
const usual = 400_000_000
/** What is kept for the newest event, which is all that is read of it. */
const newest = { bytes: 8_000_000, segment: 4_000_000 }

/** Argument for argument part of the wire (docs/wire.md). */
export const streamOf = (names: Names, source: EventSource, retain: NonNullable<EventOptions["retain"]>): Stream => {
  const of = retain === "last" ? source : { ...source, id: undefined } // R2
  const common = { name: names.retained(sourceKey(of)), type: "stream" } as const
  const binding = bindingKey(of, "#")
  if (retain === "last") return { queue: { ...common, retention: newest }, binding, age: undefined }
  const { bytes } = retain
  const age = retain.age === undefined ? undefined : Duration.toMillis(retain.age)
  const segment = Math.min(largestSegment, Math.max(smallestSegment, Math.ceil((bytes ?? usual) / 8)))
  const retention = {
    ...(age === undefined ? {} : { age: Math.ceil(age / 1000) }),
    ...(bytes === undefined ? {} : { bytes }),
    segment,
  }
  return { queue: { ...common, retention }, binding, age }
}

export const declareStream = (link: Link, names: Names, { queue, binding }: Stream): Effect.Effect<void, BrokerError> =>
  Effect.andThen(
    link.declareQueue(queue),
    link.bind({ queue: queue.name, exchange: names.events, routingKey: binding }),
  )

export class Retention {
  readonly #node: Node
  readonly #streams = new Map<string, Membership>()

  constructor(node: Node) {
    this.#node = node
  }

  /** Until it is there. It is kept up until the node stops. */
  keep(stream: Stream): Effect.Effect<void, BrokerError> {
    return Effect.suspend(() => {
      const { name } = stream.queue
      const known = this.#streams.get(name)
      if (known !== undefined) return known.join
      const { names } = this.#node
      const up: LinkUser["up"] = (link) => orLater(this.#node, link, declareStream(link, names, stream))
      const user: LinkUser = { up, down: () => {} }
      const membership = new Membership(this.#node, user)
      this.#streams.set(name, membership)
      return membership.join
    })
  }

  readonly leave: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach([...this.#streams.values()], ({ leave }) => leave, { discard: true }),
  )
}
