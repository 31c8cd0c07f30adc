// A batch in MessagePack: the shapes of its objects, the items one after the other, and their strings behind them.

import { firstShape, type Shapes } from "./shapes.ts"
import type { Packed } from "./writer.ts"

const byte = String.fromCharCode

const inline = (text: string): string => {
  const bytes = Buffer.from(text)
  const { length } = bytes
  const head =
    length < 0x20 ? byte(0xa0 | length) : length < 0x100 ? byte(0xd9, length) : byte(0xda, length >> 8, length & 0xff)
  return head + bytes.toString("latin1")
}

const list = (length: number): string => (length < 0x10 ? byte(0x90 | length) : byte(0xdc, length >> 8, length & 0xff))

const definitions = new WeakMap<ReadonlyArray<string>, string>()
/** A record of nothing but nulls: whoever reads it knows the shape from then on. */
const definition = (id: number, keys: ReadonlyArray<string>): string => {
  const known = definitions.get(keys)
  if (known !== undefined) return known
  const text = `${byte(0xd4, 0x72, id)}${list(keys.length)}${keys.map(inline).join("")}${byte(0xc0).repeat(keys.length)}`
  definitions.set(keys, text)
  return text
}

const shapesOf = (shapes: Shapes, low: number, high: number): string => {
  let text = ""
  let count = 0
  for (let i = 0; i < shapes.keys.length; i++) {
    const used = i < 32 ? low & (1 << i) : high & (1 << (i - 32))
    if (used === 0) continue
    text += definition(firstShape + i, shapes.keys[i]!)
    count++
  }
  return list(count) + text
}

const keyNode = inline("node")
const keyShapes = inline("shapes")
const keyItems = inline("items")

/** @param items packed with one and the same table. */
export const joinPacked = (node: string, items: ReadonlyArray<Packed>): Buffer => {
  let low = 0
  let high = 0
  let structure = ""
  let text = ""
  for (const item of items) {
    low |= item.low
    high |= item.high
    structure += item.structure
    text += item.text
  }
  const shapes = items[0] === undefined ? list(0) : shapesOf(items[0].shapes, low, high)
  const head = `${byte(0x83)}${keyNode}${inline(node)}${keyShapes}${shapes}${keyItems}${list(items.length)}`
  const value = head.length + structure.length
  const textBytes = Buffer.byteLength(text)
  const body = Buffer.allocUnsafe(6 + value + 6 + textBytes)
  body[0] = 0xd6
  body[1] = 0x62
  body.writeUInt32BE(4 + value, 2)
  body.write(head, 6, "latin1")
  body.write(structure, 6 + head.length, "latin1")
  let at = 6 + value
  body[at++] = 0xa0
  body[at++] = 0xdb
  at = body.writeUInt32BE(textBytes, at)
  body.write(text, at, "utf8")
  return body
}
