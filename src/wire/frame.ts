// Frames: what the two ends of a stream say to each other. They are items like asks and replies, go to the inbox of the far
// end's node, and share batches with whatever else goes there. docs/wire.md ("Streams") is their reference.
//
// F1. Each end gives the session a number of its own, and a frame names both. So a stray one can be answered, and nobody
//     can speak for an end that he does not know.
// F2. What has to come once and in order has a number, counted from 1 by its sender. What ends a session for good, and
//     what asks how far the other is, has none and is understood at any time.
// F3. Reading checks the type and the size of every field, and never throws. A frame that says for which session it is,
//     but not what, is that session's failure.

import { decodeReason, encodeReason } from "./failure.ts"
import { isText, maxKey, quoted } from "./field.ts"
import type { Outcome } from "./item.ts"
import { type Malformed, malformed } from "./malformed.ts"
import { decodeOutcome, outcomeText } from "./outcome-text.ts"

/** How much may be sent, counted from the beginning of the stream. */
export interface Credit {
  readonly items: number
  /** Of JSON text: what the sender says of its items. */
  readonly bytes: number
}

/** What an ask says that wants more than one payload or one reply. */
export interface Opening {
  /** The payload comes in frames. */
  readonly up: boolean
  /** The reply is wanted in frames: what may be sent at first. */
  readonly credit: Credit | undefined
}

/** What has a number: it is understood once, and in its turn. */
export type Numbered<Items> =
  /**
   * The callee's first: from now on there is a session. With credit for the payload, if that comes in frames, and the
   * epoch of the callee, if it leads a `single` clique.
   */
  | {
      readonly says: "open"
      readonly number: number
      readonly credit: Credit | undefined
      readonly epoch?: number | undefined
    }
  | { readonly says: "items"; readonly number: number; readonly items: Items; readonly bytes: number }
  /** So much may be sent now. */
  | { readonly says: "credit"; readonly number: number; readonly credit: Credit }
  /** The receiver of the items wants no more of them. */
  | { readonly says: "stop"; readonly number: number }
  /** The last one: of the caller, the payload is complete; of the callee, the session is over. */
  | { readonly says: "end"; readonly number: number; readonly outcome: Outcome }

export type Said<Items> =
  | Numbered<Items>
  /** There is no such session, or not any more. */
  | { readonly says: "abort"; readonly reason: Extract<Outcome, { tag: "failed" }>["reason"] }
  /** The number of the last frame that was sent; and whether the other end is to say the same. */
  | { readonly says: "sent"; readonly number: number; readonly answer: boolean }

/** What was said and cannot be understood. */
export interface Garbled {
  readonly says: "garbled"
  readonly why: string
}

/** A frame that has come. */
export interface Frame {
  readonly kind: "frame"
  /** The node that sent it. */
  readonly node: string
  /** The receiver's number of the session. */
  readonly to: number
  /** The sender's number of the session. */
  readonly from: number
  /** The sender's inbox. */
  readonly inbox: string
  readonly said: Said<ReadonlyArray<unknown>> | Garbled
}

/** What all frames of one end begin with. */
export const frameHead = (to: number, from: number, inbox: string): string =>
  `{"k":"f","i":${to},"j":${from},"r":${quoted(inbox)}`

const pair = ({ items, bytes }: Credit): string => `[${items},${bytes}]`

/**
 * The JSON text of a frame.
 *
 * @param said with items as JSON texts.
 * @throws TypeError when an outcome is not JSON.
 */
export const encodeFrame = (head: string, said: Said<ReadonlyArray<string>>): string => {
  switch (said.says) {
    case "open": {
      const credit = said.credit === undefined ? "" : `,"c":${pair(said.credit)}`
      return `${head},"m":"o","q":${said.number}${credit}${said.epoch === undefined ? "" : `,"l":${said.epoch}`}}`
    }
    case "items":
      return `${head},"m":"i","q":${said.number},"b":${said.bytes},"v":[${said.items.join(",")}]}`
    case "credit":
      return `${head},"m":"c","q":${said.number},"c":${pair(said.credit)}}`
    case "stop":
      return `${head},"m":"s","q":${said.number}}`
    case "end":
      return `${head},"m":"e","q":${said.number}${outcomeText(said.outcome)}}`
    case "abort":
      return `${head},"m":"a","v":${JSON.stringify(encodeReason(said.reason))}}`
    case "sent":
      return `${head},"m":"n","q":${said.number}${said.answer ? ',"y":true' : ""}}`
  }
}

/** The field of an ask that opens a stream. */
export const encodeOpening = ({ up, credit }: Opening): string =>
  `{${up ? '"u":true' : ""}${up && credit !== undefined ? "," : ""}${credit === undefined ? "" : `"c":${pair(credit)}`}}`

/** The same as a value. */
export const openingValue = ({ up, credit }: Opening): object => ({
  ...(up ? { u: true } : {}),
  ...(credit === undefined ? {} : { c: [credit.items, credit.bytes] }),
})

/** Undefined when it is none. */
export const decodeOpening = (json: unknown): Opening | undefined => {
  if (typeof json !== "object" || json === null) return undefined
  const { u, c } = json as { readonly u?: unknown; readonly c?: unknown }
  const credit = c === undefined ? undefined : decodeCredit(c)
  if ((u !== undefined && typeof u !== "boolean") || credit === "wrong") return undefined
  return { up: u === true, credit }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isNumber = (value: unknown): value is number => isCount(value) && value > 0

const decodeCredit = (json: unknown): Credit | "wrong" => {
  if (!Array.isArray(json)) return "wrong"
  const [items, bytes] = json as ReadonlyArray<unknown>
  return isCount(items) && isCount(bytes) ? { items, bytes } : "wrong"
}

/** What JSON.parse may have left under the keys that are read. */
interface Raw {
  readonly i?: unknown
  readonly j?: unknown
  readonly r?: unknown
  readonly m?: unknown
  readonly q?: unknown
  readonly c?: unknown
  readonly b?: unknown
  readonly v?: unknown
  readonly o?: unknown
  readonly y?: unknown
}

/** @param json an object with a whole number `i`. */
export const decodeFrame = (json: object, node: string): Frame | Malformed => {
  const raw: Raw = json
  if (!isCount(raw.j)) return malformed('the session "j" of a frame must be a whole number', json)
  if (!isText(raw.r, maxKey)) return malformed(`the inbox "r" of a frame must be 1 to ${maxKey} characters`, json)
  return { kind: "frame", node, to: raw.i as number, from: raw.j, inbox: raw.r, said: decodeSaid(raw) }
}

const garbled = (why: string): Garbled => ({ says: "garbled", why })

const decodeSaid = (raw: Raw): Frame["said"] => {
  if (raw.m === "a") return { says: "abort", reason: decodeReason(raw.v) }
  if (raw.m === "n") {
    return isCount(raw.q)
      ? { says: "sent", number: raw.q, answer: raw.y === true }
      : garbled('what was sent, "q", must be a whole number')
  }
  if (!isNumber(raw.q)) return garbled('the number "q" of a frame must be a whole number above 0')
  return decodeNumbered(raw, raw.q)
}

const decodeNumbered = (raw: Raw, number: number): Frame["said"] => {
  switch (raw.m) {
    case "o":
    case "c": {
      const credit = raw.c === undefined && raw.m === "o" ? undefined : decodeCredit(raw.c)
      if (credit === "wrong") return garbled('the credit "c" must be two whole numbers, items and bytes')
      return raw.m === "o" ? { says: "open", number, credit } : { says: "credit", number, credit: credit as Credit }
    }
    case "i":
      if (!Array.isArray(raw.v) || raw.v.length === 0)
        return garbled('the items "v" must be an array that is not empty')
      if (!isCount(raw.b)) return garbled('the bytes "b" must be a whole number')
      return { says: "items", number, items: raw.v as ReadonlyArray<unknown>, bytes: raw.b }
    case "s":
      return { says: "stop", number }
    case "e": {
      const outcome = decodeOutcome(raw)
      return outcome === undefined
        ? garbled('the outcome "o" must be absent, "declared" or "failed"')
        : { says: "end", number, outcome }
    }
    default:
      return garbled('what a frame says, "m", must be "o", "i", "c", "s", "e", "a" or "n"')
  }
}
