// An event as a message of its own that any AMQP client can read and write: JSON body, AMQP headers. docs/wire.md ("Events")
// is the reference for such clients.
//
// P1. Nothing of it is trusted, and reading it never throws.
// P2. Headers `x-*` are the broker's and `warren-*` are ours: subscribers see neither, and nobody can emit them so.

import { otherVersion } from "./batch.ts"
import { isText } from "./field.ts"
import type { EventItem, Headers } from "./item.ts"
import { readJson, writeJson } from "./json.ts"
import { isMalformed, type Malformed, malformed } from "./malformed.ts"
import { headersOf, isJson, ownHeader } from "./plain.ts"

/** The AMQP properties and body of an event; it goes to the exchange `warren.events` with its key. */
export interface EncodedEvent {
  readonly contentType: "application/json"
  readonly contentEncoding: "utf-8"
  readonly type: string
  readonly messageId: string
  readonly timestamp: number
  readonly headers: Headers
  readonly body: Buffer
}

/** Why an event cannot have these headers, or undefined. */
export const headersProblem = (headers: Headers): string | undefined => {
  const own = Object.keys(headers).find((name) => ownHeader.test(name))
  return own === undefined
    ? undefined
    : `header ${JSON.stringify(own)}: "x-" and "warren-" are not for headers of one's own`
}

/** @throws TypeError when the payload is not JSON. */
export const encodePlainEvent = (item: EventItem): EncodedEvent => {
  const { at = 0, epoch, headers, name, node, id, payload } = item
  return {
    contentType: "application/json",
    contentEncoding: "utf-8",
    type: name,
    messageId: `${node}:${id}`,
    timestamp: at,
    headers: { ...headers, "warren-at": at, ...(epoch === undefined ? {} : { "warren-epoch": epoch }) },
    body: Buffer.from(writeJson(payload) ?? ""),
  }
}

/** The parts of an incoming message that are read. */
export interface PlainEvent {
  readonly contentType?: string
  readonly messageId?: string
  /** ms since the epoch. */
  readonly timestamp?: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Buffer
}

/** Ours are those of items (item.ts, W1). */
const identityOf = (messageId: string): { readonly node: string; readonly id: number } => {
  const [, node, id] = /^(.+):(\d{1,15})$/s.exec(messageId) ?? []
  return node === undefined ? { node: `plain:${messageId}`, id: 0 } : { node, id: Number(id) }
}

const isTime = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value) && value > 0

/** @param name of the event, from its key. @param fallback gives an identity to a message that brings none. */
export const decodePlainEvent = (message: PlainEvent, name: string, fallback: () => string): EventItem | Malformed => {
  const { contentType = "", headers: given } = message
  if (contentType !== "" && !isJson(contentType)) {
    return malformed(otherVersion(contentType) ?? `content type ${JSON.stringify(contentType)}: send application/json`)
  }
  const read = message.body.length === 0 ? { value: undefined } : readJson(message.body)
  if (isMalformed(read)) return read
  const at = [given["warren-at"], message.timestamp].find(isTime)
  const epoch = given["warren-epoch"]
  const headers = headersOf(given)
  return {
    kind: "event",
    ...identityOf(isText(message.messageId, 255) ? message.messageId : fallback()),
    name,
    payload: read.value,
    ...(at === undefined ? {} : { at }),
    ...(isTime(epoch) && Number.isSafeInteger(epoch) ? { epoch } : {}),
    ...(headers === undefined ? {} : { headers }),
  }
}
