// JSON text in and out of bytes, strict about UTF-8 and indifferent to depth.
//
// J1. Bytes that are not UTF-8 are refused, not repaired: a replacement character would change a payload silently.
// J2. What `readJson` took, `writeJson` can write again, however deep it is nested. (JSON.parse does not recurse,
//     JSON.stringify does: a deep payload from outside could otherwise not be put into a dead letter.)

import { isAscii, isUtf8 } from "node:buffer"
import { type Malformed, malformed } from "./malformed.ts"

/** The value wrapped, because `null` and `false` are values too. */
export const readJson = (body: Buffer): { readonly value: unknown } | Malformed => {
  try {
    // Latin-1 is the fast way to a string, and the same thing for ASCII.
    if (isAscii(body)) return { value: JSON.parse(body.toString("latin1")) }
    if (!isUtf8(body)) return malformed("the body is not UTF-8")
    return { value: JSON.parse(body.toString("utf8")) }
  } catch (error) {
    // V8 quotes the text around the error: enough to find it, too little to leak the body.
    return malformed(`the body is not JSON: ${error instanceof Error ? error.message : "unreadable"}`)
  }
}

/**
 * Like `JSON.stringify`: undefined for what JSON has no word for (undefined, a function, a symbol).
 *
 * @throws TypeError for a cycle or a bigint.
 */
export const writeJson = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value)
  } catch (error) {
    if (error instanceof RangeError) return writeDeep(value)
    throw error
  }
}

interface Frame {
  readonly container: object
  readonly entries: ReadonlyArray<readonly [prefix: string, value: unknown]>
  readonly close: string
  next: number
}

const open = (container: object): Frame => {
  const list = Array.isArray(container)
  const entries: Array<readonly [string, unknown]> = []
  for (const key of Object.keys(container)) {
    const value = (container as Readonly<Record<string, unknown>>)[key]
    const missing = value === undefined || typeof value === "function" || typeof value === "symbol"
    if (list) entries.push(["", missing ? null : value])
    else if (!missing) entries.push([`${JSON.stringify(key)}:`, value])
  }
  return { container, entries, close: list ? "]" : "}", next: 0 }
}

/** The slow way, with a stack of its own. It takes plain data: arrays without holes, objects without `toJSON`. */
const writeDeep = (value: unknown): string | undefined => {
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const text: Array<string> = [Array.isArray(value) ? "[" : "{"]
  const stack = [open(value)]
  const above = new Set<object>([value])
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const entry = frame.entries[frame.next]
    if (entry === undefined) {
      text.push(frame.close)
      above.delete(frame.container)
      stack.pop()
      continue
    }
    const [prefix, inner] = entry
    text.push(frame.next === 0 ? prefix : `,${prefix}`)
    frame.next += 1
    if (typeof inner !== "object" || inner === null) {
      text.push(JSON.stringify(inner))
    } else {
      if (above.has(inner)) throw new TypeError("a payload must be JSON, but this one contains itself")
      text.push(Array.isArray(inner) ? "[" : "{")
      above.add(inner)
      stack.push(open(inner))
    }
  }
  return text.join("")
}
