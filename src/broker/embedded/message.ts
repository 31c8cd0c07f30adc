// A message as the broker keeps it: what was sent, copied at the door on the way in and again on the way out.
//
// M1. Sender, broker and receivers share no bytes and no mutable object.
// M2. What AMQP would change, changes here too: timestamps lose their milliseconds, undefined properties are absent.
// M3. A dead letter carries RabbitMQ's headers (`x-death`, `x-first-death-*`) and no expiration any more.

import type { Incoming, Outgoing, Properties } from "../broker.ts"

export type DeathReason = "rejected" | "expired" | "delivery_limit" | "maxlen"

export interface Stored {
  readonly exchange: string
  readonly routingKey: string
  readonly body: Buffer
  readonly headers: Readonly<Record<string, unknown>>
  readonly properties: Omit<Properties, "headers" | "expiration">
  /** ms. */
  readonly expiration: number | undefined
}

/** One line of `x-death`: how often this queue let the message go for this reason. Frozen, so it may be shared (M1). */
interface Death {
  readonly count: number
  readonly reason: DeathReason
  readonly queue: string
  /** Seconds since the epoch. */
  readonly time: number
  readonly exchange: string
  readonly "routing-keys": ReadonlyArray<string>
  readonly "original-expiration"?: string
}

const textFields = [
  "contentType",
  "contentEncoding",
  "correlationId",
  "replyTo",
  "messageId",
  "type",
  "appId",
] as const satisfies ReadonlyArray<keyof Properties>

export const store = (message: Outgoing): Stored => {
  const properties: { -readonly [Key in keyof Stored["properties"]]: Stored["properties"][Key] } = {
    persistent: message.persistent === true,
  }
  for (const field of textFields) {
    const text = message[field]
    if (text !== undefined) properties[field] = text
  }
  if (message.timestamp !== undefined) properties.timestamp = Math.floor(message.timestamp / 1000) * 1000
  return {
    exchange: message.exchange,
    routingKey: message.routingKey,
    body: Buffer.from(message.body),
    headers: { ...message.headers },
    properties,
    expiration: message.expiration,
  }
}

/** @param deliveryCount what a quorum queue puts into `x-delivery-count`; undefined leaves the header out. */
export const deliver = (stored: Stored, deliveryCount: number | undefined): Incoming => {
  const headers: Record<string, unknown> = { ...stored.headers }
  if (deliveryCount !== undefined) headers["x-delivery-count"] = deliveryCount
  const message: { -readonly [Key in keyof Incoming]: Incoming[Key] } = {
    ...stored.properties,
    exchange: stored.exchange,
    routingKey: stored.routingKey,
    body: Buffer.from(stored.body),
    headers,
  }
  if (stored.expiration !== undefined) message.expiration = stored.expiration
  return message
}

/** The message as it leaves a queue for the dead-letter exchange. */
export const bury = (
  stored: Stored,
  death: { readonly queue: string; readonly reason: DeathReason; readonly now: number },
  to: { readonly exchange: string; readonly routingKey: string },
): Stored => {
  const earlier = deaths(stored)
  const same = earlier.find((each) => each.queue === death.queue && each.reason === death.reason)
  const latest: Death = Object.freeze({
    count: (same?.count ?? 0) + 1,
    reason: death.reason,
    queue: death.queue,
    time: Math.floor(death.now / 1000),
    exchange: stored.exchange,
    "routing-keys": Object.freeze([stored.routingKey]),
    ...(stored.expiration !== undefined && { "original-expiration": String(stored.expiration) }),
  })
  return {
    ...stored,
    exchange: to.exchange,
    routingKey: to.routingKey,
    expiration: undefined,
    headers: {
      "x-first-death-exchange": stored.exchange,
      "x-first-death-queue": death.queue,
      "x-first-death-reason": death.reason,
      // After the defaults: the first death stays the first.
      ...stored.headers,
      "x-death": Object.freeze([latest, ...earlier.filter((each) => each !== same)]),
    },
  }
}

/** RabbitMQ drops a dead letter that came back to a queue by itself; only a consumer's reject may make it go round. */
export const circles = (stored: Stored, queue: string): boolean => {
  const list = deaths(stored)
  const last = list.findIndex((each) => each.queue === queue)
  return last >= 0 && list.slice(0, last + 1).every((each) => each.reason !== "rejected")
}

/** Only what `bury` wrote: senders can set scalars alone. */
const deaths = (stored: Stored): ReadonlyArray<Death> => {
  const header = stored.headers["x-death"]
  return Array.isArray(header) ? (header as ReadonlyArray<Death>) : []
}
