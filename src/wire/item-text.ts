// One item as JSON text, and back. This is the hot path: written by hand, one JSON.stringify per item, no schema.
//
// T1. One item, one text: whatever is in it, it never makes the texts beside it unreadable. What JSON cannot say
//     (a NaN deadline) is written as null, and the receiver refuses that item alone.
// T2. Reading checks the type and the size of every field, builds a new object, and never throws.
// T3. What is absent is not written, and comes back as absent. Falsy values are values.
//
// The keys are short because they are on every item; docs/wire.md ("The batch") is their reference.

import { isFiniteNumber, isText, maxKey, maxName, maxText, number, quoted } from "./field.ts"
import { decodeFrame, decodeOpening, encodeOpening, type Frame } from "./frame.ts"
import { decodeFeedback, decodeOrder, decodeStatus, encodeGoalItem } from "./goal-item.ts"
import type { AskItem, EventItem, Headers, Item, MailItem, ReplyItem, TellItem } from "./item.ts"
import { writeJson } from "./json.ts"
import { type Malformed, malformed } from "./malformed.ts"
import { decodeOutcome, outcomeText } from "./outcome-text.ts"
import { readReminded, remindedValue } from "./reminded.ts"

/** Entries in a chain or a path, and headers of one item. */
export const maxEntries = 64
const maxAttempts = 1_000_000

export const mailKinds = { ask: "a", tell: "t", event: "e" } as const satisfies Record<MailItem["kind"], string>

const encodeMail = (item: MailItem): string => {
  let text = `{"k":"${mailKinds[item.kind]}","i":${number(item.id)},"n":${quoted(item.name)}`
  if (item.kind === "ask") {
    text += `,"d":${number(item.deadline)}`
    if (item.chain !== undefined && item.chain.length > 0) text += `,"c":${JSON.stringify(item.chain)}`
    if (item.path !== undefined && item.path.length > 0) text += `,"w":${JSON.stringify(item.path)}`
    if (item.opening !== undefined) text += `,"x":${encodeOpening(item.opening)}`
    if (item.abandon !== undefined) text += `,"y":"${item.abandon}"`
  }
  if (item.kind === "tell" && item.reminder !== undefined)
    text += `,"u":${JSON.stringify(remindedValue(item.reminder))}`
  if (item.kind === "event" && item.at !== undefined) text += `,"m":${number(item.at)}`
  if (item.sender !== undefined) text += `,"f":${quoted(item.sender)}`
  if (item.epoch !== undefined) text += `,"l":${number(item.epoch)}`
  if (item.headers !== undefined) {
    const headers = JSON.stringify(item.headers)
    if (headers !== "{}") text += `,"h":${headers}`
  }
  if (item.attempts !== undefined && item.attempts !== 0) text += `,"t":${number(item.attempts)}`
  if (item.to !== undefined) text += `,"a":${quoted(item.to)}`
  const payload = writeJson(item.payload)
  return payload === undefined ? `${text}}` : `${text},"p":${payload}}`
}

const encodeReply = (item: ReplyItem): string => {
  const { outcome } = item
  let text = `{"k":"r","i":${number(item.id)}`
  // To the microsecond: the digits below it are noise that costs bytes.
  if (item.service !== undefined) text += `,"s":${number(Math.round(item.service * 1000) / 1000)}`
  if (item.via !== undefined) text += `,"q":${quoted(item.via)}`
  if (item.reads !== undefined) text += `,"e":"${item.reads}"`
  if (item.epoch !== undefined) text += `,"l":${number(item.epoch)}`
  return `${text}${outcomeText(outcome)}}`
}

/**
 * The JSON text of an item, to be joined by `encodeBatch`. Its length is a good estimate of its bytes for ASCII.
 *
 * @throws TypeError when a payload, value or error is not JSON (a cycle, a bigint).
 */
export const encodeItem = (item: Item): string => {
  switch (item.kind) {
    case "ask":
    case "tell":
    case "event":
      return encodeMail(item)
    case "reply":
      return encodeReply(item)
    case "cancel":
      return `{"k":"c","i":${number(item.id)}}`
    case "goal-order":
    case "goal-status":
    case "goal-feedback":
      return encodeGoalItem(item)
  }
}

/** What all items of a batch share. */
export interface Shared {
  readonly node: string
  readonly replyTo: string | undefined
}

/** What JSON.parse may have left under the keys that are read. */
interface Raw {
  readonly k?: unknown
  readonly i?: unknown
  readonly n?: unknown
  readonly p?: unknown
  readonly d?: unknown
  readonly c?: unknown
  readonly w?: unknown
  readonly f?: unknown
  readonly h?: unknown
  readonly t?: unknown
  readonly o?: unknown
  readonly v?: unknown
  readonly s?: unknown
  readonly a?: unknown
  readonly l?: unknown
  readonly q?: unknown
  readonly e?: unknown
  readonly x?: unknown
  readonly y?: unknown
  readonly m?: unknown
  readonly u?: unknown
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const isId = (value: unknown): value is number => Number.isSafeInteger(value)

const isList = (value: unknown): value is ReadonlyArray<string> =>
  Array.isArray(value) && value.length <= maxEntries && value.every((entry) => isText(entry, maxText))

/** `__proto__` is no name: assigning it elsewhere would set a prototype. */
export const isHeader = (name: string, value: unknown): value is string | number | boolean =>
  name !== "__proto__" && (typeof value === "string" || typeof value === "boolean" || isFiniteNumber(value))

const isHeaders = (value: unknown): value is Headers => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false
  const names = Object.keys(value)
  if (names.length > maxEntries) return false
  for (const name of names) {
    if (!isHeader(name, (value as Readonly<Record<string, unknown>>)[name])) return false
  }
  return true
}

const wrongEpoch = 'the epoch "l" must be a whole number above 0, within 2^53'
export const isEpoch = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0

export const isAttempts = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= maxAttempts

/** What is wrong with the fields that asks and tells share, or undefined. */
const wrongMail = (raw: Raw): string | undefined => {
  if (!isText(raw.n, maxName)) return `the name "n" must be a string of 1 to ${maxName} characters`
  if (raw.f !== undefined && !isText(raw.f, maxText)) return `the sender "f" must be a string of 1 to ${maxText}`
  if (raw.l !== undefined && !isEpoch(raw.l)) return wrongEpoch
  if (raw.h !== undefined && !isHeaders(raw.h)) {
    return `the headers "h" must be an object of at most ${maxEntries} strings, finite numbers and booleans`
  }
  if (raw.t !== undefined && !isAttempts(raw.t)) return `the attempts "t" must be a whole number up to ${maxAttempts}`
  if (raw.a !== undefined && !isText(raw.a, maxKey))
    return `the address "a" must be a string of 1 to ${maxKey} characters`
  return undefined
}

const addMail = (item: Mutable<AskItem> | Mutable<TellItem> | Mutable<EventItem>, raw: Raw): void => {
  if (raw.f !== undefined) item.sender = raw.f as string
  if (raw.l !== undefined) item.epoch = raw.l as number
  if (raw.h !== undefined) item.headers = raw.h as Headers
  if (raw.t !== undefined && raw.t !== 0) item.attempts = raw.t as number
  if (raw.a !== undefined) item.to = raw.a as string
}

const decodeAsk = (raw: Raw, id: number, { node, replyTo }: Shared): AskItem | Malformed => {
  if (replyTo === undefined) return malformed("an ask in a batch whose replyTo is missing", raw)
  const wrong =
    wrongMail(raw) ??
    (isFiniteNumber(raw.d) ? undefined : 'the deadline "d" must be a number, ms since the epoch') ??
    (raw.c === undefined || isList(raw.c) ? undefined : `the chain "c" must be at most ${maxEntries} strings`) ??
    (raw.w === undefined || isList(raw.w) ? undefined : `the path "w" must be at most ${maxEntries} strings`)
  const opening = raw.x === undefined ? undefined : decodeOpening(raw.x)
  const what = raw.x !== undefined && opening === undefined ? 'the opening "x" of a stream cannot be read' : wrong
  if (what !== undefined) return { ...malformed(what, raw), ask: { node, id, replyTo } }
  const item: Mutable<AskItem> = {
    kind: "ask",
    node,
    id,
    name: raw.n as string,
    payload: raw.p,
    deadline: raw.d as number,
    replyTo,
  }
  if (raw.c !== undefined) item.chain = raw.c as ReadonlyArray<string>
  if (raw.w !== undefined) item.path = raw.w as ReadonlyArray<string>
  if (opening !== undefined) item.opening = opening
  if (raw.y === "cancel") item.abandon = raw.y
  addMail(item, raw)
  return item
}

const decodeTell = (raw: Raw, id: number, node: string): TellItem | Malformed => {
  const wrong = wrongMail(raw)
  if (wrong !== undefined) return malformed(wrong, raw)
  const reminder = raw.u === undefined ? undefined : readReminded(raw.u)
  if (raw.u !== undefined && reminder === undefined) return malformed('the reminder "u" cannot be read', raw)
  const item: Mutable<TellItem> = { kind: "tell", node, id, name: raw.n as string, payload: raw.p }
  if (reminder !== undefined) item.reminder = reminder
  addMail(item, raw)
  return item
}

const decodeEvent = (raw: Raw, id: number, node: string): EventItem | Malformed => {
  const wrong = wrongMail(raw)
  if (wrong !== undefined) return malformed(wrong, raw)
  if (raw.m !== undefined && !isFiniteNumber(raw.m))
    return malformed('the moment "m" must be a number, ms since 1970', raw)
  const item: Mutable<EventItem> = { kind: "event", node, id, name: raw.n as string, payload: raw.p }
  if (raw.m !== undefined) item.at = raw.m
  addMail(item, raw)
  return item
}

const decodeReply = (raw: Raw, id: number): ReplyItem | Malformed => {
  const outcome = decodeOutcome(raw)
  if (outcome === undefined) return malformed('the outcome "o" must be absent, "declared" or "failed"', raw)
  const item: Mutable<ReplyItem> = { kind: "reply", id, outcome }
  if (raw.s !== undefined) {
    if (!isFiniteNumber(raw.s) || raw.s < 0)
      return malformed('the service time "s" must be a number, 0 ms or more', raw)
    item.service = raw.s
  }
  if (raw.q !== undefined) {
    if (!isText(raw.q, maxKey)) return malformed(`the queue "q" must be a string of 1 to ${maxKey} characters`, raw)
    item.via = raw.q
  }
  if (raw.l !== undefined) {
    if (!isEpoch(raw.l)) return malformed(wrongEpoch, raw)
    item.epoch = raw.l
  }
  // A newer version may know more ways to write: JSON is always right.
  if (raw.e === "msgpack") item.reads = raw.e
  return item
}

/** @param json one entry of a batch's `items`, as JSON.parse gave it. */
export const decodeItem = (json: unknown, shared: Shared): Item | Frame | Malformed => {
  if (typeof json !== "object" || json === null) return malformed("an item must be an object", json)
  const raw: Raw = json
  const id = raw.i
  if (!isId(id)) return malformed('the id "i" must be a whole number within 2^53', json)
  switch (raw.k) {
    case "a":
      return decodeAsk(raw, id, shared)
    case "t":
      return decodeTell(raw, id, shared.node)
    case "e":
      return decodeEvent(raw, id, shared.node)
    case "r":
      return decodeReply(raw, id)
    case "c":
      return { kind: "cancel", node: shared.node, id }
    case "f":
      return decodeFrame(json, shared.node)
    case "o":
      return decodeOrder(json, id, shared.replyTo)
    case "g":
      return decodeStatus(json, id)
    case "b":
      return decodeFeedback(json, id)
    default:
      return malformed('the kind "k" is none that is known; a newer version of Warren may know more', json)
  }
}
