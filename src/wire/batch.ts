// The batch: one AMQP message that carries the items of one node for one queue. A single item is a batch of one. Its body
// is JSON, or MessagePack for those who asked for it: the same value either way.
//
// B1. All items of a batch have the same `node` and the same `replyTo`; neither is in an item's text.
// B2. Decoding never throws. One unreadable item costs itself, not its neighbours.
// B3. Only the exact content types below are batches; another version of it is refused by name, never guessed at.

import { isText, maxText } from "./field.ts"
import type { Frame } from "./frame.ts"
import type { Item } from "./item.ts"
import { decodeItem } from "./item-text.ts"
import { readJson } from "./json.ts"
import { isMalformed, type Malformed, malformed } from "./malformed.ts"
import { packBatch, unpack } from "./msgpack.ts"
import type { PlainCopy } from "./plain-copy.ts"

export { encodeItem } from "./item-text.ts"

export const batchType = "application/vnd.warren.v1+json"
export const packedType = "application/vnd.warren.v1+msgpack"
/** Items in one batch. Warren itself sends fewer; this bounds what a small body can cost its reader. */
export const maxItems = 4096

export interface BatchHead {
  /** For mail and cancels: the node of every item in it. For replies: the node that answers. */
  readonly node: string
  /** The queue for the replies; needed when there is an ask in it. */
  readonly replyTo?: string
  /** For people who follow a message in the broker's own tools. */
  readonly messageId: string
}

/** The AMQP properties and body of a batch; `persistent` and where it goes are the sender's to add. */
export interface EncodedBatch {
  readonly contentType: typeof batchType | typeof packedType
  /** Of text only. */
  readonly contentEncoding?: "utf-8"
  readonly messageId: string
  readonly replyTo?: string
  readonly body: Buffer
}

/** @param texts items as `encodeItem` wrote them. */
export const encodeBatch = (head: BatchHead, texts: ReadonlyArray<string>): EncodedBatch => {
  const body = Buffer.from(`{"node":${JSON.stringify(head.node)},"items":[${texts.join(",")}]}`)
  const { messageId, replyTo } = head
  return replyTo === undefined
    ? { contentType: batchType, contentEncoding: "utf-8", messageId, body }
    : { contentType: batchType, contentEncoding: "utf-8", messageId, replyTo, body }
}

/** A batch in MessagePack, or in JSON where that says it better. @param items of `itemValue`. */
export const encodePackedBatch = (head: BatchHead, items: ReadonlyArray<PlainCopy>): EncodedBatch => {
  const values = items.map(({ value }) => value)
  const body = packBatch(head.node, values)
  if (body === undefined)
    return encodeBatch(
      head,
      values.map((value) => JSON.stringify(value)),
    )
  const { messageId, replyTo } = head
  return replyTo === undefined
    ? { contentType: packedType, messageId, body }
    : { contentType: packedType, messageId, replyTo, body }
}

/** The parts of an incoming message that say what is in it. */
export interface BatchMessage {
  readonly contentType?: string
  readonly replyTo?: string
  readonly messageId?: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Buffer
}

export interface Batch {
  readonly node: string
  readonly items: ReadonlyArray<Item | Frame | Malformed>
}

/** Whether it is a batch of the version that is spoken here. */
export const isBatch = (message: { readonly contentType?: string }): boolean =>
  message.contentType === batchType || isPacked(message)

/** Whether it is a batch in MessagePack. */
export const isPacked = (message: { readonly contentType?: string }): boolean => message.contentType === packedType

/** What to say of a batch in another version of the wire, or undefined when it is none. */
export const otherVersion = (contentType: string): string | undefined => {
  const version = /^application\/vnd\.warren\.v(\d{1,9})\+(?:json|msgpack)$/.exec(contentType)?.[1]
  return version === undefined || version === "1"
    ? undefined
    : `the message is in wire version ${version}, and this node reads version 1 (${batchType}); upgrade the older one`
}

/** @param json the body as a value; `decodeBatch` without the AMQP around it. */
export const decodeItems = (json: unknown, replyTo: string | undefined): Batch | Malformed => {
  if (typeof json !== "object" || json === null) return malformed("a batch must be an object", json)
  const { node, items } = json as { readonly node?: unknown; readonly items?: unknown }
  if (!isText(node, maxText)) return malformed(`"node" of a batch must be a string of 1 to ${maxText} characters`)
  if (!Array.isArray(items)) return malformed('"items" of a batch must be an array')
  if (items.length > maxItems) return malformed(`a batch of ${items.length} items; ${maxItems} are allowed`)
  const shared = { node, replyTo }
  const decoded: Array<Item | Frame | Malformed> = []
  for (const item of items) decoded.push(decodeItem(item, shared))
  return { node, items: decoded }
}

export const decodeBatch = (message: BatchMessage): Batch | Malformed => {
  const { contentType, replyTo } = message
  if (!isBatch(message)) {
    const given = contentType ?? ""
    return malformed(otherVersion(given) ?? `content type ${JSON.stringify(given)} is not ${batchType}`)
  }
  const read = isPacked(message) ? unpack(message.body) : readJson(message.body)
  if (isMalformed(read)) return read
  return decodeItems(read.value, isText(replyTo, 255) ? replyTo : undefined)
}
