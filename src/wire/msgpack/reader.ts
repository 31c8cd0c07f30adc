// Reads a body of MessagePack with records and bundled strings (docs/wire.md, "MessagePack"). For JSON values only: binary
// data, dates and other extensions are refused.
//
// U1. Reading never throws, whatever the bytes are.
// U2. Nothing is made because a length says so, only because its bytes are there; and there is an end to what they make.

import { isAscii, isUtf8 } from "node:buffer"
import { type Malformed, malformed } from "../malformed.ts"
import { type Shape, type Source, set, shapeOf } from "./records.ts"
import { firstShape, lastShape } from "./shapes.ts"

/** Arrays and objects inside each other: what the writer allows a payload, and the batch around it. */
const maxDepth = 128
/** Arrays and objects in a body. */
const maxContainers = 262_144
/** Shapes that a body may define, and the keys of one; other writers than ours may have many. */
const maxShapes = 1024
const maxKeys = 1024
/** Characters up to which a part of a text is copied by V8; a longer part would keep the whole text alive. */
const maxCopied = 12

class Unreadable extends Error {}

class Reader implements Source {
  #bytes!: Buffer
  #view!: DataView
  #at = 0
  #end = 0
  /** The bundled strings, where all of them are ASCII. */
  #text: string | undefined
  /** Where the next one begins, in the body. */
  #textAt = 0
  #textStart = 0
  #textEnd = 0
  #shapes: Array<Shape | undefined> = []
  #depth = 0
  #containers = 0
  #defined = 0

  /** @throws Unreadable */
  body(bytes: Buffer): unknown {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#at = this.#depth = this.#containers = this.#defined = this.#textAt = this.#textEnd = 0
    this.#end = bytes.length
    this.#text = undefined
    this.#shapes = []
    const bundled = bytes[0] === 0xd6 && bytes[1] === 0x62
    if (bundled) this.#bundle()
    const value = this.read()
    if (this.#at !== this.#end) throw new Unreadable(this.#at > this.#end ? "it is cut off" : "there is more after it")
    if (this.#textAt !== this.#textEnd) throw new Unreadable("there are strings that nothing uses")
    return value
  }

  /** Lets go of the bytes. */
  forget(): void {
    this.#bytes = nothing
    this.#text = undefined
    this.#shapes = []
  }

  read(): unknown {
    const token = this.#bytes[this.#at++]!
    if (token < firstShape) return token
    if (token <= lastShape) return this.#record(token)
    if (token < 0x90) return this.#map(token - 0x80)
    if (token < 0xa0) return this.#array(token - 0x90)
    if (token < 0xc0) return this.#inline(token - 0xa0)
    if (token >= 0xe0) return token - 0x100
    switch (token) {
      case 0xc0:
        return null
      case 0xc1:
        return this.#string()
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xca:
        return finite(this.#view.getFloat32(this.#skip(4)))
      case 0xcb:
        return finite(this.#view.getFloat64(this.#skip(8)))
      case 0xcc:
        return this.#bytes[this.#skip(1)]
      case 0xcd:
        return this.#view.getUint16(this.#skip(2))
      case 0xce:
        return this.#view.getUint32(this.#skip(4))
      case 0xcf:
        return Number(this.#view.getBigUint64(this.#skip(8)))
      case 0xd0:
        return this.#view.getInt8(this.#skip(1))
      case 0xd1:
        return this.#view.getInt16(this.#skip(2))
      case 0xd2:
        return this.#view.getInt32(this.#skip(4))
      case 0xd3:
        return Number(this.#view.getBigInt64(this.#skip(8)))
      case 0xd4:
        return this.#definition()
      case 0xd9:
        return this.#inline(this.#bytes[this.#skip(1)]!)
      case 0xda:
        return this.#inline(this.#view.getUint16(this.#skip(2)))
      case 0xdb:
        return this.#inline(this.#view.getUint32(this.#skip(4)))
      case 0xdc:
        return this.#array(this.#view.getUint16(this.#skip(2)))
      case 0xdd:
        return this.#array(this.#view.getUint32(this.#skip(4)))
      case 0xde:
        return this.#map(this.#view.getUint16(this.#skip(2)))
      case 0xdf:
        return this.#map(this.#view.getUint32(this.#skip(4)))
      default:
        throw new Unreadable(
          token === undefined ? "it is cut off" : `0x${token.toString(16)} is not for JSON values, at ${this.#at - 1}`,
        )
    }
  }

  /** Where the next so many bytes begin; they are behind us then. */
  #skip(count: number): number {
    const at = this.#at
    if (count > this.#end - at) throw new Unreadable("it is cut off")
    this.#at = at + count
    return at
  }

  /** Where the strings are: behind the value, an empty text and then theirs. */
  #bundle(): void {
    this.#at = 2
    const at = 2 + this.#view.getUint32(this.#skip(4))
    if (at < this.#at || this.#bytes[at] !== 0xa0 || this.#bytes[at + 1] !== 0xdb || at + 6 > this.#end) {
      throw new Unreadable("the strings are not where it says")
    }
    const start = at + 6
    if (this.#view.getUint32(at + 2) !== this.#end - start) throw new Unreadable("the strings are cut off")
    const text = this.#bytes.subarray(start)
    if (isAscii(text)) this.#text = this.#bytes.toString("latin1", start, this.#end)
    else if (!isUtf8(text)) throw new Unreadable("the strings are not UTF-8")
    this.#textStart = this.#textAt = start
    this.#textEnd = this.#end
    this.#end = at
  }

  #string(): string {
    const length = this.#length()
    const from = this.#textAt
    if (length > this.#textEnd - from) throw new Unreadable("a string is longer than what there is")
    if (this.#text === undefined) return this.#mixed(length)
    const to = from + length
    this.#textAt = to
    return length <= maxCopied
      ? this.#text.slice(from - this.#textStart, to - this.#textStart)
      : this.#bytes.toString("latin1", from, to)
  }

  #length(): number {
    const token = this.#bytes[this.#at++]!
    if (token < firstShape) return token
    if (token === 0xcc) return this.#bytes[this.#skip(1)]!
    if (token === 0xcd) return this.#view.getUint16(this.#skip(2))
    if (token === 0xce) return this.#view.getUint32(this.#skip(4))
    throw new Unreadable("the length of a string must be a number")
  }

  /** Of a text that is not all ASCII: its length counts the units of UTF-16, as JavaScript does. */
  #mixed(length: number): string {
    const bytes = this.#bytes
    const from = this.#textAt
    let to = from
    let left = length
    for (; left > 0 && to < this.#textEnd; left--) {
      const byte = bytes[to]!
      if (byte < 0x80) to += 1
      else if (byte < 0xe0) to += 2
      else if (byte < 0xf0) to += 3
      else {
        to += 4
        left--
      }
    }
    if (left !== 0) throw new Unreadable("a string ends within a character")
    this.#textAt = to
    return to - from === length ? bytes.toString("latin1", from, to) : bytes.toString("utf8", from, to)
  }

  /** A string that stands where it is used. */
  #inline(length: number): string {
    const from = this.#skip(length)
    const bytes = this.#bytes.subarray(from, this.#at)
    if (isAscii(bytes)) return this.#bytes.toString("latin1", from, this.#at)
    if (!isUtf8(bytes)) throw new Unreadable("a string is not UTF-8")
    return this.#bytes.toString("utf8", from, this.#at)
  }

  #open(): void {
    if (++this.#depth > maxDepth) throw new Unreadable(`it is nested more than ${maxDepth} deep`)
    if (++this.#containers > maxContainers) throw new Unreadable(`it has more than ${maxContainers} arrays and objects`)
  }

  #array(length: number): ReadonlyArray<unknown> {
    this.#open()
    const array: Array<unknown> = []
    for (let i = 0; i < length; i++) array.push(this.read())
    this.#depth--
    return array
  }

  #map(length: number): object {
    this.#open()
    const object: Record<string, unknown> = {}
    for (let i = 0; i < length; i++) {
      const key = this.read()
      if (typeof key !== "string") throw new Unreadable("a key of a map must be a string")
      set(object, key, this.read())
    }
    this.#depth--
    return object
  }

  #record(id: number): object {
    const shape = this.#shapes[id - firstShape]
    if (shape === undefined) throw new Unreadable(`shape ${id} is not defined`)
    this.#open()
    const object = shape.make(this)
    this.#depth--
    return object
  }

  /** Says what keys a shape has, and is followed by the values of the first object that has it. */
  #definition(): object {
    const type = this.#bytes[this.#at++]
    const id = this.#bytes[this.#at++]!
    if (type !== 0x72 || !(id >= firstShape && id <= lastShape)) {
      throw new Unreadable("an extension other than a record is not for JSON values")
    }
    if (++this.#defined > maxShapes) throw new Unreadable(`it has more than ${maxShapes} shapes`)
    const from = this.#at
    const count = this.#skipKeys()
    const to = this.#at
    this.#shapes[id - firstShape] = shapeOf(this.#bytes.toString("latin1", from, to), () => this.#keys(from, count))
    this.#at = to
    return this.#record(id)
  }

  /** Goes behind a list of short strings. Returns how many there are. */
  #skipKeys(): number {
    const token = this.#bytes[this.#at++]!
    const count =
      token >= 0x90 && token < 0xa0 ? token - 0x90 : token === 0xdc ? this.#view.getUint16(this.#skip(2)) : -1
    if (count < 0 || count > maxKeys) throw new Unreadable(`the keys of a shape must be a list of at most ${maxKeys}`)
    for (let i = 0; i < count; i++) {
      const token = this.#bytes[this.#at++]!
      if (token >= 0xa0 && token < 0xc0) this.#skip(token - 0xa0)
      else if (token === 0xd9) this.#skip(this.#bytes[this.#skip(1)]!)
      else if (token === 0xda) this.#skip(this.#view.getUint16(this.#skip(2)))
      else throw new Unreadable("a key of a shape must be a string of at most 64 KiB")
    }
    return count
  }

  #keys(from: number, count: number): ReadonlyArray<string> {
    this.#at = count < 0x10 ? from + 1 : from + 3
    return Array.from({ length: count }, () => this.read() as string)
  }
}

const finite = (value: number): number => {
  if (!Number.isFinite(value)) throw new Unreadable("a number must be finite")
  return value
}

const nothing = Buffer.alloc(0)
const reader = new Reader()

/** The value wrapped, because `null` and `false` are values too. */
export const readMsgpack = (body: Buffer): { readonly value: unknown } | Malformed => {
  try {
    return { value: reader.body(body) }
  } catch (error) {
    return malformed(`the body is not MessagePack: ${error instanceof Error ? error.message : "unreadable"}`)
  } finally {
    reader.forget()
  }
}
