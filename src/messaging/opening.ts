// Opens what a mailbox queue delivers: a batch of a node, or a plain message of any AMQP client. Pure; never throws.

import { v7 as uuid } from "uuid"
import type { Incoming } from "../broker/broker.ts"
import { fromRoutingKey } from "../wire/address.ts"
import { batchType, decodeBatch, isBatch, isPacked, otherVersion } from "../wire/batch.ts"
import type { Remains } from "../wire/dead-letter.ts"
import type { MailItem } from "../wire/item.ts"
import { writeJson } from "../wire/json.ts"
import { isMalformed, type Malformed } from "../wire/malformed.ts"
import { decodePlain } from "../wire/plain.ts"
import { rawProperties } from "../wire/raw-message.ts"

/** Where an answer goes: to a node's inbox by ask id, or to the reply queue of a plain client. */
export type ReplyAddress =
  | {
      readonly kind: "node"
      readonly queue: string
      readonly id: number
      /** The ask came in MessagePack. */
      readonly packed: boolean
    }
  | { readonly kind: "plain"; readonly queue: string; readonly correlationId: string | undefined }

/** A part that cannot be read: an ask is refused, anything else becomes a dead letter. */
export interface Unreadable {
  readonly why: string
  readonly answer: ReplyAddress | undefined
  /** The routing key of the actor it is for, if it says. */
  readonly to?: string
  readonly remains: Remains
}

export interface Mail {
  readonly items: ReadonlyArray<MailItem>
  readonly unreadable: ReadonlyArray<Unreadable>
  /** Set for a plain message: what its reply has to carry. */
  readonly plain: { readonly correlationId: string | undefined } | undefined
  /** It came in MessagePack, and so do the replies to it. */
  readonly packed: boolean
  /** How often it was sent again from the dead letters. */
  readonly replays: number
}

export const replaysOf = (message: Incoming): number => {
  const replays = message.headers["warren-replays"]
  return typeof replays === "number" && Number.isSafeInteger(replays) && replays > 0 ? replays : 0
}

export const whole = (message: Incoming): Remains => ({
  kind: "message",
  properties: rawProperties(message),
  body: message.body,
})

/** @param now ms since the epoch. */
export const openMail = (message: Incoming, now: number): Mail => {
  const { contentType } = message
  const isOurs = isBatch(message) || (contentType !== undefined && otherVersion(contentType) !== undefined)
  return isOurs ? openBatch(message) : openPlain(message, now)
}

const openBatch = (message: Incoming): Mail => {
  const replays = replaysOf(message)
  const packed = isPacked(message)
  const batch = decodeBatch(message)
  if (isMalformed(batch)) {
    const unreadable = [{ why: batch.why, answer: undefined, remains: whole(message) }]
    return { items: [], unreadable, plain: undefined, packed, replays }
  }
  const items: Array<MailItem> = []
  const unreadable: Array<Unreadable> = []
  for (const item of batch.items) {
    if (item.kind === "ask" || item.kind === "tell") items.push(item)
    else if (item.kind === "malformed")
      unreadable.push({ ...refusal(item), remains: partOf(message, batch.node, item) })
    else
      unreadable.push({
        why: `a ${item.kind} does not belong in a mailbox`,
        answer: undefined,
        remains: whole(message),
      })
  }
  return { items, unreadable, plain: undefined, packed, replays }
}

const refusal = ({ why, ask, raw }: Malformed): Omit<Unreadable, "remains"> => {
  const to = typeof raw === "object" && raw !== null && "a" in raw ? raw.a : undefined
  return {
    why,
    answer: ask === undefined ? undefined : { kind: "node", queue: ask.replyTo, id: ask.id, packed: false },
    ...(typeof to === "string" && fromRoutingKey(to) !== undefined ? { to } : {}),
  }
}

/** The unreadable item as a batch of its own, in JSON: its neighbours live. */
export const partOf = (message: Incoming, node: string, { raw }: Malformed): Remains => {
  const body = raw === undefined ? undefined : writeJson({ node, items: [raw] })
  return body === undefined
    ? whole(message)
    : {
        kind: "message",
        properties: { ...rawProperties(message), contentType: batchType, contentEncoding: "utf-8" },
        body: Buffer.from(body),
      }
}

const openPlain = (message: Incoming, now: number): Mail => {
  const { correlationId, replyTo } = message
  const plain = { correlationId }
  const replays = replaysOf(message)
  const opened = decodePlain(message, now, { fallback: uuid() })
  if (!isMalformed(opened)) return { items: [opened.item], unreadable: [], plain, packed: false, replays }
  const answer: ReplyAddress | undefined = replyTo ? { kind: "plain", queue: replyTo, correlationId } : undefined
  return {
    items: [],
    unreadable: [{ why: opened.why, answer, remains: whole(message) }],
    plain,
    packed: false,
    replays,
  }
}
