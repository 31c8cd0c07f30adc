// Why an ask failed, over the wire: an `AskReason` as JSON and back.
//
// R1. Reading never throws. A reason that this version does not know, or cannot read, becomes `Crashed`: the one that
//     promises least (`retrySafe: false`, the handler may have run).

import { Exit, Schema } from "effect"
import { AskReason, Crashed } from "../protocol/errors.ts"

const codec = Schema.toCodecJson(AskReason)
const encode = Schema.encodeSync(codec)
const decode = Schema.decodeUnknownExit(codec)

/** A plain object with `_tag` and the fields of the class. */
export const encodeReason = (reason: AskReason): Schema.Json => encode(reason)

const tagOf = (json: unknown): string | undefined => {
  if (typeof json !== "object" || json === null) return undefined
  const tag = (json as { readonly _tag?: unknown })._tag
  return typeof tag === "string" ? tag.slice(0, 64) : undefined
}

/** @param json anything. */
export const decodeReason = (json: unknown): AskReason => {
  const tag = tagOf(json)
  // The tag is looked at first, because describing a mismatch of a union costs more than knowing of it.
  if (tag !== undefined && known.has(tag)) {
    const exit = decode(json)
    if (Exit.isSuccess(exit)) return exit.value
  }
  return new Crashed({
    why:
      tag === undefined
        ? "the peer answered with a failure that says no reason"
        : `the peer answered ${JSON.stringify(tag)}, which this version of Warren cannot read`,
  })
}

const known: ReadonlySet<string> = new Set([
  "TimedOut",
  "NoSuchActor",
  "MailboxFull",
  "Rejected",
  "Crashed",
  "Cancelled",
  "Disconnected",
] satisfies ReadonlyArray<AskReason["_tag"]>)
