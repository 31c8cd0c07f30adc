// What the protocol and the broker can carry, checked before a client library sees a message: the library would cut
// long names silently, or close the channel under every neighbour because of one bad header.
//
// L1. Pure, and the same for every broker, so that what the embedded one accepts the real one accepts too.
// L2. The usual message is judged by the lengths of its strings alone; bytes are counted only near a limit.

import type { Outgoing, Scalar } from "./broker.ts"
import { Oversized } from "./errors.ts"

export interface Limits {
  /** Bytes of a body. RabbitMQ's default is 16 MiB from 4.0 and 128 MiB before (`max_message_size`). */
  readonly maxMessageSize: number
  /** Bytes of one AMQP frame; all properties and headers of a message travel in one. */
  readonly frameMax: number
}

export const defaultLimits: Limits = { maxMessageSize: 16 * 1024 * 1024, frameMax: 131_072 }

/** For a quorum queue without a limit of deliveries: the largest that every version takes; -1 drops messages on 3.10. */
export const unlimitedDeliveries = 2_147_483_647

/** AMQP short strings have one byte for their length. */
const shortString = 255
/** A UTF-16 unit becomes at most three bytes of UTF-8. */
const bytesPerUnit = 3
/** Frame envelope (8), class and body size (12), property flags (2), and what the fixed-size properties take. */
const frameOverhead = 64
/** Fractions beyond this have no exact AMQP encoding in the client library. */
const largestFraction = 2 ** 50
/** ms; the broker keeps expiry in 32 bits. */
const longestExpiry = 2 ** 32 - 1
/** RabbitMQ reads these headers as lists of further routing keys, and closes the channel when they are not. */
const reservedHeaders = new Set(["CC", "BCC"])

const textFields = [
  "exchange",
  "routingKey",
  "contentType",
  "contentEncoding",
  "correlationId",
  "replyTo",
  "messageId",
  "type",
  "appId",
] as const

/** Says why the broker cannot carry this message, or undefined when it can. */
export const checkOutgoing = (message: Outgoing, limits: Limits): Oversized | undefined => {
  if (message.body.byteLength > limits.maxMessageSize) {
    return new Oversized({
      what: "body",
      why: `${message.body.byteLength} bytes, the limit is ${limits.maxMessageSize}; raise maxMessageSize here and max_message_size on the broker, or send a reference`,
    })
  }
  const problem = checkTexts(message)
  if (problem !== undefined) return problem
  const { expiration, timestamp } = message
  if (expiration !== undefined && !isWhole(expiration, longestExpiry)) {
    return new Oversized({ what: "expiration", why: `${expiration} is not a whole number of ms from 0 to 2^32 - 1` })
  }
  if (timestamp !== undefined && !isWhole(timestamp, Number.MAX_SAFE_INTEGER)) {
    return new Oversized({ what: "timestamp", why: `${timestamp} is not a whole number of ms since the epoch` })
  }
  if (message.headers === undefined) return undefined
  return checkHeaders(message.headers, message, limits)
}

/** L2: field by field, as a loop over names costs more than all the rest of a publish. */
const checkTexts = (message: Outgoing): Oversized | undefined => {
  const { exchange, routingKey, contentType, contentEncoding, correlationId, replyTo, messageId, type, appId } = message
  const allShort =
    isShort(exchange) &&
    isShort(routingKey) &&
    isShort(contentType) &&
    isShort(contentEncoding) &&
    isShort(correlationId) &&
    isShort(replyTo) &&
    isShort(messageId) &&
    isShort(type) &&
    isShort(appId)
  if (allShort) return undefined
  for (const field of textFields) {
    const why = checkShortString(message[field] ?? "")
    if (why !== undefined) return new Oversized({ what: field, why })
  }
  return undefined
}

const isShort = (text: string | undefined): boolean => text === undefined || text.length * bytesPerUnit <= shortString

/** Says why this cannot be a name or key on the broker, or undefined. */
export const checkShortString = (text: string): string | undefined => {
  if (isShort(text)) return undefined
  const bytes = Buffer.byteLength(text)
  return bytes <= shortString ? undefined : `${bytes} bytes of UTF-8, AMQP carries ${shortString}`
}

const checkHeaders = (
  headers: Readonly<Record<string, Scalar>>,
  message: Outgoing,
  limits: Limits,
): Oversized | undefined => {
  let atMost = frameOverhead + textFields.length * (1 + shortString)
  for (const name of Object.keys(headers)) {
    const value = headers[name]
    const why =
      checkShortString(name) ?? (reservedHeaders.has(name) ? "RabbitMQ reserves this name" : checkValue(value))
    if (why !== undefined) return new Oversized({ what: `header ${name.slice(0, 80)}`, why })
    atMost += 14 + name.length * bytesPerUnit + (typeof value === "string" ? value.length * bytesPerUnit : 0)
  }
  if (atMost <= limits.frameMax) return undefined
  const bytes = propertyBytes(message)
  if (bytes <= limits.frameMax) return undefined
  return new Oversized({
    what: "headers",
    why: `${bytes} bytes with the other properties, one frame carries ${limits.frameMax}`,
  })
}

const checkValue = (value: unknown): string | undefined => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined
    case "number":
      if (!Number.isFinite(value)) return `${value} is not a finite number`
      if (Number.isSafeInteger(value) || Math.abs(value) < largestFraction) return undefined
      return `${value} is neither a safe integer nor below 2^50; send it as a string`
    default:
      return `a header is a string, a number or a boolean, not ${value === null ? "null" : typeof value}`
  }
}

/** The exact size on the wire, rounded up by what the fixed-size properties might take. */
const propertyBytes = (message: Outgoing): number => {
  let bytes = frameOverhead
  for (const field of textFields) {
    const text = message[field]
    if (text !== undefined && field !== "exchange" && field !== "routingKey") bytes += 1 + Buffer.byteLength(text)
  }
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    bytes += 2 + Buffer.byteLength(name) + (typeof value === "string" ? 4 + Buffer.byteLength(value) : 8)
  }
  return bytes
}

const isWhole = (n: number, max: number): boolean => Number.isInteger(n) && n >= 0 && n <= max
