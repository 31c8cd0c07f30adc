// MessagePack for batches, as msgpackr writes and reads it: its plain JavaScript, without the native addon it can load.
//
// M1. Reading never throws, whatever the bytes are, and brings nothing but what JSON could have brought.
// M2. No length and no definition in a body makes its reader work or allocate out of proportion to its bytes. What a reader
//     would refuse for that is not written.

import { Packr, RESET_BUFFER_MODE, Unpackr } from "msgpackr/pack"
import { type Malformed, malformed } from "./malformed.ts"

/** Arrays and objects inside each other: what a writer allows an item, and the batch around it. */
const maxDepth = 128
/** Records that a body may define: msgpackr compiles a function for each that is used more than twice. */
const maxDefinitions = 1024
/** Items from which on records and bundled strings pay: below it, reading them costs more than the keys do. */
const worthRecords = 4
/** A buffer that grew larger than this is not kept, bytes. */
const maxKept = 1024 * 1024

const options = { structuredClone: false, moreTypes: false, useToJSON: false, variableMapSize: true } as const
// Without shared structures: each body says all that it needs to be read. The strings of a bundle are parts of one text
// of up to 21,760 characters for whoever reads them: V8 keeps it for as long as any part of 13 or more is in use.
const records = new Packr({ ...options, useRecords: true, bundleStrings: true })
const maps = new Packr({ ...options, useRecords: false })
const reader = new Unpackr({ structuredClone: false, mapsAsObjects: true, int64AsType: "number" })

/**
 * Undefined when they have too many sets of keys: write JSON then.
 *
 * @param items the values of plain copies: anything else may throw, or spoil what is packed later.
 */
export const packBatch = (node: string, items: ReadonlyArray<object>): Buffer | undefined => {
  const packr = items.length < worthRecords ? maps : records
  const packed = packr.pack({ node, items }, RESET_BUFFER_MODE)
  const body = Buffer.from(packed) // its own buffer is for the next batch
  if (body.length > maxKept) packr.useBuffer(Buffer.allocUnsafeSlow(64 * 1024))
  return definesTooMuch(body) ? undefined : body
}

/** The value wrapped, because `null` and `false` are values too. */
export const unpack = (body: Buffer): { readonly value: unknown } | Malformed => {
  try {
    if (definesTooMuch(body)) return unreadable(`it defines more than ${maxDefinitions} records`)
    const value: unknown = reader.unpack(body)
    return isPlain(value, 0) ? { value } : unreadable("it holds what JSON does not know, or is nested too deep")
  } catch (error) {
    return unreadable(error instanceof Error ? error.message : "unreadable")
  }
}

const unreadable = (why: string): Malformed => malformed(`the body is not MessagePack: ${why}`)

const definitions = [Buffer.from("d472", "hex"), Buffer.from("d572", "hex")]
/** Counts what looks like a definition: all that there are, and now and then the bytes of a number. */
const definesTooMuch = (body: Buffer): boolean => {
  let count = 0
  for (const definition of definitions) {
    for (let at = body.indexOf(definition); at >= 0; at = body.indexOf(definition, at + 2)) {
      if (++count > maxDefinitions) return true
    }
  }
  return false
}

/** msgpackr has extensions for dates, sets, errors and more, for all who use it in a process: so look at what it made. */
const isPlain = (value: unknown, depth: number): boolean => {
  if (typeof value !== "object" || value === null) return isScalar(value)
  if (depth >= maxDepth) return false
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const entry = value[i]
      if (!isScalar(entry) && !isPlain(entry, depth + 1)) return false
    }
    return true
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return false
  for (const key in value) {
    const entry = (value as Readonly<Record<string, unknown>>)[key]
    if (!isScalar(entry) && !isPlain(entry, depth + 1)) return false
  }
  return true
}

const isScalar = (value: unknown): boolean =>
  typeof value === "string" ||
  (typeof value === "number" && Number.isFinite(value)) ||
  typeof value === "boolean" ||
  value === null
