// A dead letter: what could not be handled, why, and enough to send it again. The facts that people filter by are
// headers; the rest, with the original, is in the body.
//
// D1. The original is kept whole: an item with its identity, or the bytes and properties that could not be read.
// D2. Headers are scalars of bounded size, so that every broker and frame size takes them.
// D3. A message that the broker dead-lettered itself (expired, too many returns, queue too long) reads as one too.

import { isUtf8 } from "node:buffer"
import { format, fromRoutingKey } from "./address.ts"
import { type EncodedBatch, encodeBatch } from "./batch.ts"
import { isText, maxText } from "./field.ts"
import type { Headers, MailItem } from "./item.ts"
import { decodeItem, encodeItem, isAttempts, isEpoch } from "./item-text.ts"
import { readJson } from "./json.ts"
import { isMalformed, type Malformed, malformed } from "./malformed.ts"
import { type RawProperties, rawProperties } from "./raw-message.ts"

export { type RawProperties, rawProperties } from "./raw-message.ts"

export const deadLetterType = "application/vnd.warren.dead-letter.v1+json"

export const deadReasons = [
  /** The handler failed with something that its protocol does not declare. */
  "crashed",
  /** Refused before any handler saw it. */
  "rejected",
  /** Not a batch, not a plain message, or an item that cannot be read. */
  "undecodable",
  /** It came back more often than it may. */
  "too many attempts",
  /** It waited longer than its sender allowed. */
  "expired",
  /** The broker dropped it from a queue that was too long. */
  "mailbox full",
  /** The broker, or a newer version of Warren, gave a reason that is not known here. */
  "unknown",
] as const
export type DeadReason = (typeof deadReasons)[number]

/** What is dead: one item, or a whole message as it came. */
export type Remains =
  | { readonly kind: "item"; readonly item: MailItem }
  | { readonly kind: "message"; readonly properties: RawProperties; readonly body: Buffer }

export interface DeadLetter {
  readonly reason: DeadReason
  readonly error: { readonly name: string; readonly message: string; readonly stack?: string }
  /** How often its handling was begun, as far as is known. */
  readonly attempts: number
  /** `domain/type/id` of the actor it was for; "" when the broker does not say. */
  readonly address: string
  readonly origin: {
    readonly exchange: string
    readonly routingKey: string
    /** The node that sent it; "" when that cannot be read. */
    readonly node: string
    /** The address of the actor that sent it. */
    readonly sender?: string
  }
  /** When it died, ms since the epoch; 0 when the broker does not say. */
  readonly at: number
  /** How often it was sent again from the dead letters. */
  readonly replays: number
  /** The epoch of the leader of a `single` clique that gave it up; absent when none did. */
  readonly epoch?: number
  readonly remains: Remains
}

/** The AMQP properties and body of a dead letter; it goes to the exchange `warren.dead`, persistent. */
export interface EncodedDeadLetter {
  readonly contentType: typeof deadLetterType
  readonly contentEncoding: "utf-8"
  readonly type: "dead-letter"
  readonly timestamp: number
  readonly headers: Headers
  readonly body: Buffer
}

/** The longest beginning of `text` that fits `bytes` of UTF-8 and does not split a character. */
export const cut = (text: string, bytes: number): string => {
  // No character is shorter than a byte: what is beyond `bytes` characters cannot fit.
  const encoded = Buffer.from(text.slice(0, bytes))
  if (encoded.length <= bytes) return encoded.toString()
  let end = bytes
  while (end > 0 && ((encoded[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return encoded.toString("utf8", 0, end)
}

const maxHeader = 255
const maxError = 1024
const maxMessage = 8 * 1024
const maxStack = 32 * 1024

const encodeRemains = (remains: Remains): string => {
  if (remains.kind === "item") {
    const { item } = remains
    const replyTo = item.kind === "ask" ? `,"replyTo":${JSON.stringify(item.replyTo)}` : ""
    return `"node":${JSON.stringify(item.node)}${replyTo},"item":${encodeItem(item)}`
  }
  const { properties, body } = remains
  const text = isUtf8(body) ? { text: body.toString("utf8") } : { base64: body.toString("base64") }
  return `"message":${JSON.stringify({ properties, ...text })}`
}

/**
 * Where the result is larger than the broker takes (the body is about the size of the original, a third more when that
 * is not UTF-8), nack the original without requeue instead: the broker then moves it as it is (D3).
 */
export const encodeDeadLetter = (letter: DeadLetter): EncodedDeadLetter => {
  const { reason, error, attempts, address, origin, at, replays, epoch } = letter
  const facts = JSON.stringify({
    reason,
    error: {
      name: cut(error.name, maxHeader),
      message: cut(error.message, maxMessage),
      ...(error.stack === undefined ? {} : { stack: cut(error.stack, maxStack) }),
    },
    attempts,
    address,
    origin,
    at,
    replays,
    epoch,
  })
  return {
    contentType: deadLetterType,
    contentEncoding: "utf-8",
    type: "dead-letter",
    timestamp: at,
    headers: {
      "warren-reason": reason,
      "warren-error": cut(`${error.name}: ${error.message}`, maxError),
      "warren-attempts": attempts,
      "warren-address": cut(address, maxHeader),
      "warren-exchange": cut(origin.exchange, maxHeader),
      "warren-key": cut(origin.routingKey, maxHeader),
      "warren-at": at,
      "warren-replays": replays,
      ...(epoch !== undefined && { "warren-epoch": epoch }),
    },
    body: Buffer.from(`${facts.slice(0, -1)},${encodeRemains(letter.remains)}}`),
  }
}

/** An incoming message, as far as it is read. */
export interface DeadMessage extends Omit<RawProperties, "headers"> {
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Buffer
}

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
const textOf = (value: unknown): string => (typeof value === "string" ? value : "")
const countOf = (value: unknown): number => (isAttempts(value) ? value : 0)
const timeOf = (value: unknown): number =>
  typeof value === "number" && Number.isFinite(value) && value > 0 ? value : 0

const decodeRemains = (json: Json): Remains | Malformed => {
  if (isObject(json.message)) {
    const { properties, text, base64 } = json.message
    const body =
      typeof text === "string"
        ? Buffer.from(text)
        : typeof base64 === "string"
          ? Buffer.from(base64, "base64")
          : undefined
    if (body === undefined) return malformed("a dead letter whose message has no body")
    return { kind: "message", properties: rawProperties(isObject(properties) ? properties : {}), body }
  }
  const { node, replyTo } = json
  if (!isText(node, maxText)) return malformed("a dead letter without its original")
  const item = decodeItem(json.item, { node, replyTo: isText(replyTo, 255) ? replyTo : undefined })
  if (item.kind === "malformed") return malformed(`a dead letter whose item cannot be read: ${item.why}`)
  if (item.kind === "ask" || item.kind === "tell" || item.kind === "event") return { kind: "item", item }
  return malformed(`a dead letter of a ${item.kind}`)
}

const decodeOurs = (message: DeadMessage): DeadLetter | Malformed => {
  const read = readJson(message.body)
  if (isMalformed(read)) return read
  if (!isObject(read.value)) return malformed("a dead letter must be an object", read.value)
  const json = read.value
  const remains = decodeRemains(json)
  if (remains.kind === "malformed") return remains
  const error = isObject(json.error) ? json.error : {}
  const origin = isObject(json.origin) ? json.origin : {}
  return {
    reason: deadReasons.find((reason) => reason === json.reason) ?? "unknown",
    error: {
      name: textOf(error.name),
      message: textOf(error.message),
      ...(typeof error.stack === "string" ? { stack: error.stack } : {}),
    },
    attempts: countOf(json.attempts),
    address: textOf(json.address),
    origin: {
      exchange: textOf(origin.exchange),
      routingKey: textOf(origin.routingKey),
      node: textOf(origin.node),
      ...(typeof origin.sender === "string" ? { sender: origin.sender } : {}),
    },
    at: timeOf(json.at),
    replays: countOf(json.replays),
    ...(isEpoch(json.epoch) && { epoch: json.epoch }),
    remains,
  }
}

const brokerReasons: ReadonlyMap<unknown, DeadReason> = new Map([
  ["delivery_limit", "too many attempts"],
  ["expired", "expired"],
  ["maxlen", "mailbox full"],
  ["rejected", "rejected"],
])

/** The entry of `x-death` for the first death; brokers differ in its order and its details, so all of it may lack. */
const firstDeath = (headers: Json, queue: string, why: string): Json => {
  const deaths: ReadonlyArray<unknown> = Array.isArray(headers["x-death"]) ? headers["x-death"] : []
  return deaths.filter(isObject).find((death) => death.queue === queue && death.reason === why) ?? {}
}

const decodeBrokers = (message: DeadMessage, why: string): DeadLetter => {
  const { headers } = message
  const queue = textOf(headers["x-first-death-queue"])
  const death = firstDeath(headers, queue, why)
  const keys = death["routing-keys"]
  const mailbox = queue.slice(queue.indexOf(".mailbox.") + ".mailbox.".length)
  const key = textOf(Array.isArray(keys) ? keys[0] : undefined)
  // A queue that several actors share does not name one; the key may.
  const address = queue.includes(".mailbox.") ? (fromRoutingKey(mailbox) ?? fromRoutingKey(key)) : undefined
  // An event goes back to its group alone, and without its routing key it would not be known there (events/opening.ts).
  const isGroups = queue.split(".")[1] === "group"
  const properties = rawProperties(message)
  return {
    reason: brokerReasons.get(why) ?? "unknown",
    error: { name: "DeadLettered", message: `the broker took it out of ${queue || "its queue"}: ${why}` },
    // Not `x-delivery-count`: by now that counts the returns to the queue of dead letters.
    attempts: countOf(headers["warren-attempts"]),
    address: address === undefined ? "" : format(address),
    origin: {
      exchange: isGroups ? "" : textOf(headers["x-first-death-exchange"]),
      routingKey: isGroups ? queue : key || (address === undefined ? "" : mailbox),
      node: "",
    },
    // AMQP timestamps are seconds.
    at: timeOf(death.time) * 1000,
    replays: countOf(headers["warren-replays"]),
    remains: {
      kind: "message",
      properties: isGroups ? { ...properties, headers: { ...properties.headers, "warren-key": key } } : properties,
      body: message.body,
    },
  }
}

/** Reads our own dead letters, and the messages that the broker dead-lettered. Never throws. */
export const decodeDeadLetter = (message: DeadMessage): DeadLetter | Malformed => {
  if (message.contentType === deadLetterType) return decodeOurs(message)
  const why = message.headers["x-first-death-reason"]
  return typeof why === "string"
    ? decodeBrokers(message, why)
    : malformed(`neither ${deadLetterType} nor dead-lettered by the broker`)
}

/** The AMQP properties and body of a message that is sent again. */
export type Replay = (EncodedBatch | (RawProperties & { readonly body: Buffer })) & { readonly headers: Headers }

/**
 * The message that sends a dead letter again, to `origin.exchange` with `origin.routingKey`: the same identity, no
 * attempts, and one more in the AMQP header `warren-replays`.
 *
 * @param head the message id for the new message, and for an ask the deadline, ms since the epoch.
 */
export const replay = (letter: DeadLetter, head: { readonly messageId: string; readonly deadline: number }): Replay => {
  const { remains } = letter
  const count = { "warren-replays": letter.replays + 1 }
  if (remains.kind === "message") {
    const { "warren-attempts": _, ...headers } = remains.properties.headers ?? {}
    return { ...remains.properties, headers: { ...headers, ...count }, body: remains.body }
  }
  const { item } = remains
  const { messageId, deadline } = head
  const batch =
    item.kind === "ask"
      ? encodeBatch({ node: item.node, replyTo: item.replyTo, messageId }, [
          encodeItem({ ...item, attempts: 0, deadline }),
        ])
      : encodeBatch({ node: item.node, messageId }, [encodeItem({ ...item, attempts: 0 })])
  return { ...batch, headers: count }
}
