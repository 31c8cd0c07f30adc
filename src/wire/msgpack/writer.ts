// Packs one value: what JSON can say, as MessagePack with records and bundled strings (docs/wire.md, "MessagePack").
//
// P1. A value comes out at the far end as JSON would have brought it. What would not (`toJSON`, lone surrogates, too deep)
//     is not packed: the caller then writes JSON, which also says what is no JSON at all (a cycle, a bigint).
// P2. Nothing that a value does while it is looked at (a getter that throws, or that sends a message) disturbs others.

import { firstShape, type Shapes, type Step } from "./shapes.ts"

/** Arrays and objects inside each other. */
export const maxDepth = 100
/** Arrays and objects in one value. */
const maxContainers = 65_536

/** A value that was packed, to be put into a batch with others of the same table. */
export class Packed {
  readonly shapes: Shapes
  /** Which shapes it uses: a bit for each, the first 32 and the rest. */
  readonly low: number
  readonly high: number
  /** Everything but the strings, a character for a byte. */
  readonly structure: string
  /** All its strings, one after the other. */
  readonly text: string
  /** Of both. */
  readonly bytes: number

  constructor(shapes: Shapes, low: number, high: number, structure: string, text: string, textBytes: number) {
    this.shapes = shapes
    this.low = low
    this.high = high
    this.structure = structure
    this.text = text
    this.bytes = structure.length + textBytes
  }
}

/** Bytes for any token with its number. */
const tokenRoom = 16
const initialRoom = 16 * 1024
/** A buffer that grew larger than this is not kept. */
const maxKept = 1024 * 1024

const refused = new Error("not for MessagePack")

class Writer {
  #shapes!: Shapes
  #bytes: Buffer = Buffer.allocUnsafeSlow(initialRoom)
  #view: DataView = new DataView(this.#bytes.buffer)
  #at = 0
  #text = ""
  #low = 0
  #high = 0
  #depth = 0
  #containers = 0
  #busy = false

  pack(shapes: Shapes, value: unknown): Packed | undefined {
    if (this.#busy) return undefined // a getter sends: P2
    this.#busy = true
    this.#shapes = shapes
    this.#at = this.#low = this.#high = this.#depth = this.#containers = 0
    this.#text = ""
    try {
      this.#write(value)
      const text = this.#text
      const textBytes = Buffer.byteLength(text)
      if (textBytes !== text.length && !isWellFormed(text)) return undefined
      return new Packed(shapes, this.#low, this.#high, this.#bytes.toString("latin1", 0, this.#at), text, textBytes)
    } catch {
      return undefined
    } finally {
      this.#busy = false
      this.#text = ""
      if (this.#bytes.length > maxKept) this.#use(Buffer.allocUnsafeSlow(initialRoom))
    }
  }

  #write(value: unknown): void {
    if (this.#at + tokenRoom > this.#bytes.length) this.#grow()
    switch (typeof value) {
      case "string":
        return this.#string(value)
      case "number":
        return this.#number(value)
      case "boolean":
        this.#bytes[this.#at++] = value ? 0xc3 : 0xc2
        return
      case "object":
        if (value === null) this.#bytes[this.#at++] = 0xc0
        else this.#container(value)
        return
      default:
        throw refused
    }
  }

  #string(value: string): void {
    const { length } = value
    // A pair that is cut in two would read as one again.
    if (length > 0 && (value.charCodeAt(length - 1) & 0xfc00) === 0xd800) throw refused
    this.#bytes[this.#at++] = 0xc1
    this.#whole(length)
    this.#text += value
  }

  #number(value: number): void {
    if (value >>> 0 === value) return this.#whole(value)
    if (value >= -0x20 && value < 0 && (value | 0) === value) {
      this.#bytes[this.#at++] = 0x100 + value
      return
    }
    if (!Number.isFinite(value)) {
      this.#bytes[this.#at++] = 0xc0
      return
    }
    if ((value | 0) === value) {
      this.#bytes[this.#at++] = 0xd2
      this.#view.setInt32(this.#at, value)
      this.#at += 4
      return
    }
    this.#bytes[this.#at++] = 0xcb
    this.#view.setFloat64(this.#at, value)
    this.#at += 8
  }

  /** A whole number from 0 to 2^32 - 1. */
  #whole(value: number): void {
    const bytes = this.#bytes
    if (value < firstShape) {
      bytes[this.#at++] = value
    } else if (value < 0x100) {
      bytes[this.#at++] = 0xcc
      bytes[this.#at++] = value
    } else if (value < 0x10000) {
      bytes[this.#at++] = 0xcd
      bytes[this.#at++] = value >> 8
      bytes[this.#at++] = value & 0xff
    } else {
      bytes[this.#at++] = 0xce
      this.#view.setUint32(this.#at, value)
      this.#at += 4
    }
  }

  #container(value: object): void {
    if (++this.#depth > maxDepth || ++this.#containers > maxContainers) throw refused
    if (typeof (value as { readonly toJSON?: unknown }).toJSON === "function") throw refused
    const kind = Object.getPrototypeOf(value)
    if (kind === Object.prototype || kind === null) this.#object(value as Readonly<Record<string, unknown>>)
    else if (kind === Array.prototype && Array.isArray(value)) this.#array(value)
    else throw refused
    this.#depth--
  }

  #array(value: ReadonlyArray<unknown>): void {
    const { length } = value
    this.#head(length, 0x90, 0xdc)
    for (let i = 0; i < length; i++) {
      const entry = value[i]
      this.#write(isMissing(entry) ? null : entry)
    }
  }

  #object(value: Readonly<Record<string, unknown>>): void {
    const shapes = this.#shapes
    const at = this.#at++
    const text = this.#text
    const low = this.#low
    const high = this.#high
    const containers = this.#containers
    let step: Step | undefined = shapes.root
    for (const key in value) {
      const inner = value[key]
      if (isMissing(inner)) continue
      step = step.lastKey === key ? step.last : shapes.step(step, key)
      if (step === undefined) break
      this.#write(inner)
    }
    const id = step === undefined ? 0 : shapes.number(step)
    if (id === 0) {
      this.#at = at
      this.#text = text
      this.#low = low
      this.#high = high
      this.#containers = containers
      return this.#map(value)
    }
    this.#bytes[at] = id
    if (id < 0x60) this.#low |= 1 << (id - 0x40)
    else this.#high |= 1 << (id - 0x60)
  }

  #map(value: Readonly<Record<string, unknown>>): void {
    this.#shapes.stray()
    const keys = Object.keys(value).filter((key) => !isMissing(value[key]))
    this.#head(keys.length, 0x80, 0xde)
    for (const key of keys) {
      this.#write(key)
      this.#write(value[key])
    }
  }

  #head(length: number, small: number, large: number): void {
    if (length < 0x10) {
      this.#bytes[this.#at++] = small | length
    } else if (length < 0x10000) {
      this.#bytes[this.#at++] = large
      this.#view.setUint16(this.#at, length)
      this.#at += 2
    } else {
      this.#bytes[this.#at++] = large + 1
      this.#view.setUint32(this.#at, length)
      this.#at += 4
    }
  }

  #grow(): void {
    const larger = Buffer.allocUnsafeSlow(this.#bytes.length * 2)
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#use(larger)
  }

  #use(bytes: Buffer): void {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer)
  }
}

/** What JSON leaves out of an object, and makes null in an array. */
const isMissing = (value: unknown): boolean =>
  value === undefined || typeof value === "function" || typeof value === "symbol"

/** Node has it, the language version that we compile for has not. */
const isWellFormed = (text: string): boolean => (text as string & { isWellFormed(): boolean }).isWellFormed()

const writer = new Writer()

/** Undefined for what must be written as JSON instead (P1). */
export const pack = (shapes: Shapes, value: unknown): Packed | undefined => writer.pack(shapes, value)
