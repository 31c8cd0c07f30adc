// One item as a value for MessagePack: the same keys that `encodeItem` writes as text (docs/wire.md, "The batch").
//
// V1. What is absent is undefined here, and left out by the writer. All items of a kind have all keys of that kind, in one
//     order: such objects are quick to go through.

import { encodeReason } from "./failure.ts"
import type { Item, MailItem, ReplyItem } from "./item.ts"

const mailValue = (item: MailItem): object => {
  const { id: i, name: n, sender: f, headers: h, attempts: t, to: a, payload: p } = item
  const attempts = t === 0 ? undefined : t
  if (item.kind === "tell") return { k: "t", i, n, f, h: filled(h), t: attempts, a, p }
  const { deadline: d, chain: c, path: w } = item
  return { k: "a", i, n, d, c: filled(c), w: filled(w), f, h: filled(h), t: attempts, a, p }
}

const filled = (value: object | undefined): object | undefined =>
  value === undefined || Object.keys(value).length === 0 ? undefined : value

const replyValue = ({ id: i, outcome, service, via: q, reads: e }: ReplyItem): object => {
  // To the microsecond, as in text.
  const s = service === undefined ? undefined : Math.round(service * 1000) / 1000
  switch (outcome.tag) {
    case "value":
      return { k: "r", i, s, q, e, o: undefined, v: outcome.value }
    case "declared":
      return { k: "r", i, s, q, e, o: "declared", v: outcome.error }
    case "failed":
      return { k: "r", i, s, q, e, o: "failed", v: encodeReason(outcome.reason) }
  }
}

export const itemValue = (item: Item): object => {
  switch (item.kind) {
    case "ask":
    case "tell":
      return mailValue(item)
    case "reply":
      return replyValue(item)
    case "cancel":
      return { k: "c", i: item.id }
  }
}
