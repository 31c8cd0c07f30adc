// How an outcome is written: in replies, and in the last frame of a stream.

import { decodeReason, encodeReason } from "./failure.ts"
import type { Outcome } from "./item.ts"
import { writeJson } from "./json.ts"

/** The fields of an outcome, to be put behind others. @throws TypeError when it is not JSON. */
export const outcomeText = (outcome: Outcome): string => {
  const text = outcome.tag === "value" ? "" : `,"o":"${outcome.tag}"`
  const value = writeJson(
    outcome.tag === "value" ? outcome.value : outcome.tag === "declared" ? outcome.error : encodeReason(outcome.reason),
  )
  return value === undefined ? text : `${text},"v":${value}`
}

/** Undefined when it is none. */
export const decodeOutcome = (raw: { readonly o?: unknown; readonly v?: unknown }): Outcome | undefined => {
  switch (raw.o) {
    case undefined:
      return { tag: "value", value: raw.v }
    case "declared":
      return { tag: "declared", error: raw.v }
    case "failed":
      return { tag: "failed", reason: decodeReason(raw.v) }
    default:
      return undefined
  }
}
