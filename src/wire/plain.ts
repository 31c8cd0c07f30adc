// Plain messages: what any AMQP client sends to a mailbox without knowing of batches, and what it gets back.
// docs/wire.md ("Plain messages") is the reference for such clients.
//
// P1. Nothing of a plain message is trusted, and reading it never throws.
// P2. Its identity is the sender's to give: `messageId`, or for an ask its reply queue and correlation id. A tell's
//     correlation id is no identity (many tells of one trace share it).
// P3. Headers `x-*` are the broker's and `warren-*` are ours: handlers see neither.

import { otherVersion } from "./batch.ts"
import { encodeReason } from "./failure.ts"
import { isText, maxName, maxText } from "./field.ts"
import type { AskItem, Headers, MailItem, Outcome, Scalar, TellItem } from "./item.ts"
import { isAttempts, isHeader, maxEntries } from "./item-text.ts"
import { readJson, writeJson } from "./json.ts"
import { isMalformed, type Malformed, malformed } from "./malformed.ts"

/** The parts of an incoming message that are read. */
export interface PlainMessage {
  readonly contentType?: string
  readonly type?: string
  readonly messageId?: string
  readonly correlationId?: string
  readonly replyTo?: string
  /** ms. */
  readonly expiration?: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Buffer
}

export interface PlainOptions {
  /** The identity of a message that brings none: something unique, such as a UUID. */
  readonly fallback: string
  /** ms that the caller of an ask waits when it does not say. Default 30,000. */
  readonly timeout?: number
}

export interface Plain {
  readonly item: MailItem
  /** To be put on the reply. */
  readonly correlationId?: string
}

export const isJson = (contentType: string): boolean => /^application\/json[ \t]*(;|$)/i.test(contentType)

const nodeOf = (message: PlainMessage, replyTo: string | undefined, fallback: string): string => {
  if (isText(message.messageId, 255)) return `plain:${message.messageId}`
  if (replyTo !== undefined && isText(message.correlationId, 255)) return `plain:${replyTo}/${message.correlationId}`
  return `plain:${fallback.slice(0, maxText - "plain:".length)}`
}

/** Not for handlers to see (P3). */
export const ownHeader = /^(x|warren)-/i

export const headersOf = (given: Readonly<Record<string, unknown>>): Headers | undefined => {
  const headers: Record<string, Scalar> = {}
  let count = 0
  for (const name of Object.keys(given)) {
    if (ownHeader.test(name)) continue
    const value = given[name]
    if (!isHeader(name, value)) continue
    if (count === maxEntries) break
    headers[name] = value
    count += 1
  }
  return count === 0 ? undefined : headers
}

const deadlineOf = (message: PlainMessage, now: number, timeout: number): number | Malformed => {
  const header = message.headers["warren-deadline"]
  const { expiration } = message
  const waits = typeof expiration === "number" && expiration >= 0 ? now + expiration : undefined
  if (header === undefined) return waits ?? now + timeout
  if (typeof header !== "number" || !Number.isFinite(header)) {
    return malformed("the header warren-deadline must be a number, ms since the epoch")
  }
  return waits === undefined ? header : Math.min(header, waits)
}

const payloadOf = (message: PlainMessage): { readonly value: unknown } | Malformed => {
  const { contentType } = message
  if (typeof contentType === "string" && contentType !== "" && !isJson(contentType)) {
    const why = otherVersion(contentType) ?? `content type ${JSON.stringify(contentType)}: send application/json`
    return malformed(why)
  }
  return message.body.length === 0 ? { value: undefined } : readJson(message.body)
}

/** @param now ms since the epoch. */
export const decodePlain = (message: PlainMessage, now: number, options: PlainOptions): Plain | Malformed => {
  const payload = payloadOf(message)
  if (isMalformed(payload)) return payload
  const { type: name, correlationId } = message
  if (!isText(name, maxName)) return malformed('the property "type" must be the name of the message')
  const deadline = deadlineOf(message, now, options.timeout ?? 30_000)
  if (typeof deadline !== "number") return deadline
  const replyTo = isText(message.replyTo, 255) ? message.replyTo : undefined
  const headers = headersOf(message.headers)
  const attempts = message.headers["warren-attempts"]
  const tell: TellItem = {
    kind: "tell",
    node: nodeOf(message, replyTo, options.fallback),
    id: 0,
    name,
    payload: payload.value,
    ...(headers === undefined ? {} : { headers }),
    ...(isAttempts(attempts) && attempts > 0 ? { attempts } : {}),
  }
  const item: AskItem | TellItem = replyTo === undefined ? tell : { ...tell, kind: "ask", deadline, replyTo }
  return isText(correlationId, 255) ? { item, correlationId } : { item }
}

/** The AMQP properties and body of a reply; it goes to the default exchange with the ask's `replyTo` as key. */
export interface EncodedReply {
  readonly contentType: "application/json"
  readonly contentEncoding: "utf-8"
  readonly type: "reply"
  readonly correlationId?: string
  readonly headers: Headers
  readonly body: Buffer
}

const bodyOf = (outcome: Outcome): unknown => {
  switch (outcome.tag) {
    case "value":
      return outcome.value
    case "declared":
      return outcome.error
    case "failed": {
      const { message, retrySafe } = outcome.reason
      return { ...(encodeReason(outcome.reason) as object), message, retrySafe }
    }
  }
}

/**
 * The absence of a value is `null` in the body: a plain client expects JSON in a reply that says it is JSON.
 *
 * @param epoch of the leader that answers.
 */
export const encodePlainReply = (outcome: Outcome, correlationId?: string, epoch?: number): EncodedReply => ({
  contentType: "application/json",
  contentEncoding: "utf-8",
  type: "reply",
  ...(correlationId === undefined ? {} : { correlationId }),
  headers: {
    "warren-outcome": outcome.tag,
    ...(outcome.tag === "failed" && { "warren-reason": outcome.reason._tag }),
    ...(epoch !== undefined && { "warren-epoch": epoch }),
  },
  body: Buffer.from(writeJson(bodyOf(outcome)) ?? "null"),
})
