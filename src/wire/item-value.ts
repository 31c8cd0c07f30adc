// One item as a value for MessagePack: the same keys that `encodeItem` writes as text (docs/wire.md, "The batch").
//
// V1. What is absent has no key.

import { encodeReason } from "./failure.ts"
import { openingValue } from "./frame.ts"
import type { Item, MailItem, Outcome, ReplyItem } from "./item.ts"
import { mailKinds } from "./item-text.ts"
import { PlainCopy } from "./plain-copy.ts"
import { remindedValue } from "./reminded.ts"

/** Undefined for what only JSON can say: write it with `encodeItem`, which also says what is no JSON at all. */
export const itemValue = (item: Item): PlainCopy | undefined => {
  try {
    return new PlainCopy(keyed(item))
  } catch {
    return undefined
  }
}

type Keyed = Record<string, unknown>

/** What nodes say to each other is always in JSON. */
const leftToJson = new Error("only JSON says this")

const keyed = (item: Item): Keyed => {
  switch (item.kind) {
    case "ask":
    case "tell":
    case "event":
      return mailValue(item)
    case "reply":
      return replyValue(item)
    case "cancel":
      return { k: "c", i: item.id }
    default:
      throw leftToJson
  }
}

const mailValue = (item: MailItem): Keyed => {
  const value: Keyed = { k: mailKinds[item.kind], i: item.id, n: item.name }
  if (item.kind === "ask") {
    value.d = item.deadline
    if (isFilled(item.chain)) value.c = item.chain
    if (isFilled(item.path)) value.w = item.path
    if (item.opening !== undefined) value.x = openingValue(item.opening)
    if (item.abandon !== undefined) value.y = item.abandon
  }
  if (item.kind === "tell" && item.reminder !== undefined) value.u = remindedValue(item.reminder)
  if (item.kind === "event" && item.at !== undefined) value.m = item.at
  if (item.sender !== undefined) value.f = item.sender
  if (item.epoch !== undefined) value.l = item.epoch
  if (isFilled(item.headers)) value.h = item.headers
  if (item.attempts !== undefined && item.attempts !== 0) value.t = item.attempts
  if (item.to !== undefined) value.a = item.to
  if (item.payload !== undefined) value.p = item.payload
  return value
}

const isFilled = (value: object | undefined): boolean => value !== undefined && Object.keys(value).length > 0

const replyValue = ({ id, outcome, service, via, reads, epoch }: ReplyItem): Keyed => {
  const value: Keyed = { k: "r", i: id }
  if (service !== undefined) value.s = Math.round(service * 1000) / 1000 // to the microsecond, as in text
  if (via !== undefined) value.q = via
  if (reads !== undefined) value.e = reads
  if (epoch !== undefined) value.l = epoch
  if (outcome.tag !== "value") value.o = outcome.tag
  const content = contentOf(outcome)
  if (content !== undefined) value.v = content
  return value
}

const contentOf = (outcome: Outcome): unknown => {
  switch (outcome.tag) {
    case "value":
      return outcome.value
    case "declared":
      return outcome.error
    case "failed":
      return encodeReason(outcome.reason)
  }
}
