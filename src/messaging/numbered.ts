// Things under whole numbers that mostly count up, such as asks by their id. It does what a Map would do, but gives up at
// once what is taken out.
//
// N1. A Map that many things pass through is the dearest part of an ask: whenever its table is full V8 makes another one,
//     and the old table, dead but still in the old space, keeps its successor and all that is in it from being collected
//     as young. Everything that an ask holds is then copied twice, and waits for a full collection.
// N2. A number has its place in a ring. What still has it when the ring has gone round stays too long for that to matter,
//     and moves to a Map.

const places = 4096

export class Numbered<T> {
  readonly #numbers: Array<number> = []
  readonly #things: Array<T | undefined> = []
  readonly #late = new Map<number, T>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(number: number): T | undefined {
    const place = placeOf(number)
    return this.#numbers[place] === number && this.#things[place] !== undefined
      ? this.#things[place]
      : this.#late.size === 0
        ? undefined
        : this.#late.get(number)
  }

  /** @param number not in use yet. */
  add(number: number, thing: T): void {
    if (this.#things.length === 0) this.#open()
    const place = placeOf(number)
    const before = this.#things[place]
    if (before !== undefined) this.#late.set(this.#numbers[place]!, before)
    this.#numbers[place] = number
    this.#things[place] = thing
    this.#size++
  }

  delete(number: number): void {
    const place = placeOf(number)
    if (this.#numbers[place] === number && this.#things[place] !== undefined) this.#things[place] = undefined
    else if (!this.#late.delete(number)) return
    this.#size--
  }

  /** In no particular order. */
  values(): ReadonlyArray<T> {
    return [...this.#things.filter((thing) => thing !== undefined), ...this.#late.values()]
  }

  #open(): void {
    for (let place = 0; place < places; place++) {
      this.#numbers.push(0)
      this.#things.push(undefined)
    }
  }
}

/** Numbers from outside may be negative, or larger than 2^32. */
const placeOf = (number: number): number => (number >>> 0) % places
