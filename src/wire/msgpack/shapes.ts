// The shapes of the objects that one destination is sent: their keys travel once per batch, and an object that has them
// is a number and its values.
//
// S1. A number stands for the same keys as long as the table lives. Items are packed one by one and put together later,
//     so a number must not depend on what else is in the batch.
// S2. A table is bounded. Objects that find no number in it are written as maps, keys and all.

/** The numbers that one byte has room for: what MessagePack keeps for whole numbers from 64 to 127. */
export const firstShape = 0x40
export const lastShape = 0x7f
/** Keys of one shape. */
export const maxKeys = 64
/** Key sequences that are told apart. */
const maxSteps = 2048
/** Objects without a number after which a full table is given up: what is sent has changed. */
const maxStrays = 10_000

/** A place in the tree of key sequences. The key that followed last is looked at first, without a search. */
export class Step {
  readonly above: Step | undefined
  readonly key: string
  /** How many keys lead here. */
  readonly length: number
  lastKey: string | undefined = undefined
  last: Step | undefined = undefined
  /** The number of the shape that ends here; 0 = none yet. */
  id = 0
  #next: Map<string, Step> | undefined = undefined

  constructor(above: Step | undefined, key: string) {
    this.above = above
    this.key = key
    this.length = above === undefined ? 0 : above.length + 1
  }

  find(key: string): Step | undefined {
    return this.#next?.get(key)
  }

  add(step: Step): void {
    this.#next ??= new Map()
    this.#next.set(step.key, step)
  }

  keys(): ReadonlyArray<string> {
    const keys: Array<string> = []
    for (let step: Step = this; step.above !== undefined; step = step.above) keys.unshift(step.key)
    return keys
  }
}

export class Shapes {
  readonly root = new Step(undefined, "")
  /** The keys of each shape, from `firstShape` on. */
  readonly keys: Array<ReadonlyArray<string>> = []
  #steps = 0
  #strays = 0

  /** Goes on by one key; undefined when the table has no room for it. */
  step(from: Step, key: string): Step | undefined {
    if (from.lastKey === key) return from.last
    const step = from.find(key) ?? this.#grow(from, key)
    if (step === undefined) return undefined
    from.lastKey = key
    from.last = step
    return step
  }

  /** The number of a shape; 0 when the table has none left. */
  number(end: Step): number {
    if (end.id !== 0) return end.id
    if (firstShape + this.keys.length > lastShape) return 0
    end.id = firstShape + this.keys.length
    this.keys.push(end.keys())
    return end.id
  }

  /** An object was written as a map. */
  stray(): void {
    this.#strays++
  }

  /** Whether a fresh table would do better. */
  get stale(): boolean {
    return this.#strays > maxStrays
  }

  #grow(from: Step, key: string): Step | undefined {
    if (this.#steps >= maxSteps || from.length >= maxKeys) return undefined
    this.#steps++
    const step = new Step(from, key)
    from.add(step)
    return step
  }
}
