// A copy of plain data for MessagePack, taken when an item is sent and packed with its batch later.
//
// C1. What is in a copy comes out at the far end as JSON would have brought it. What would not (`toJSON`, undefined, half
//     a surrogate pair ...) is not copied: JSON then says it, or says that it cannot be said.
// C2. What its owner does to the original afterwards does not change the copy, and packing a copy runs no code of theirs.

/** Arrays and objects inside each other. */
export const maxDepth = 100

const leftToJson = new Error("only JSON can say this")

export class PlainCopy {
  readonly value: object
  /** About as many as it takes: rather too many, while its text is ASCII. */
  bytes = 0

  /** @throws when it holds something that only JSON can say, and whatever a getter in it throws. */
  constructor(original: object) {
    this.value = this.#container(original, 0)
  }

  #copy(value: unknown, depth: number): unknown {
    switch (typeof value) {
      case "string":
        return this.#text(value)
      case "number":
        if (!Number.isFinite(value)) throw leftToJson
        this.bytes += 9
        return value
      case "boolean":
        this.bytes++
        return value
      case "object":
        if (value !== null) return this.#container(value, depth)
        this.bytes++
        return value
      default:
        throw leftToJson
    }
  }

  #text(text: string): string {
    if (!isWellFormed(text)) throw leftToJson
    this.bytes += text.length + 3
    return text
  }

  #container(value: object, depth: number): object {
    if (depth >= maxDepth || typeof (value as { readonly toJSON?: unknown }).toJSON === "function") throw leftToJson
    this.bytes += 3
    const kind: unknown = Object.getPrototypeOf(value)
    if (kind === Object.prototype || kind === null) return this.#object(value, depth + 1)
    if (kind === Array.prototype && Array.isArray(value)) return this.#array(value, depth + 1)
    throw leftToJson
  }

  #array(entries: ReadonlyArray<unknown>, depth: number): ReadonlyArray<unknown> {
    const copy: Array<unknown> = []
    for (let i = 0; i < entries.length; i++) copy.push(this.#copy(entries[i], depth))
    return copy
  }

  #object(value: object, depth: number): object {
    const copy: Record<string, unknown> = { ...value }
    for (const key in copy) {
      if (unsafe.has(key)) throw leftToJson
      this.#text(key)
      const entry = copy[key]
      const copied = this.#copy(entry, depth)
      if (copied !== entry) copy[key] = copied
    }
    return copy
  }
}

/** Readers rename the one key; with the other msgpackr 2.1 confuses its table of records. */
const unsafe: ReadonlySet<string> = new Set(["__proto__", "__keys__"])

/** Node has it, the language version that we compile for has not. */
const isWellFormed = (text: string): boolean => (text as string & { isWellFormed(): boolean }).isWellFormed()
