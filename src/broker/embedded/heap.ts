// A binary heap: the least item first, in O(log n). Items that compare equal leave in any order.

export class Heap<A> {
  readonly #items: Array<A> = []
  readonly #rank: (item: A) => number

  constructor(rank: (item: A) => number) {
    this.#rank = rank
  }

  get size(): number {
    return this.#items.length
  }

  peek(): A | undefined {
    return this.#items[0]
  }

  push(item: A): void {
    const items = this.#items
    const rank = this.#rank(item)
    let at = items.length
    items.push(item)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = items[parent]!
      if (this.#rank(above) <= rank) break
      items[at] = above
      at = parent
    }
    items[at] = item
  }

  pop(): A | undefined {
    const items = this.#items
    const least = items[0]
    const last = items.pop()
    if (items.length > 0 && last !== undefined) this.#sink(last)
    return least
  }

  clear(): void {
    this.#items.length = 0
  }

  /** Puts an item into the empty root and lets it fall to its place. */
  #sink(item: A): void {
    const items = this.#items
    const rank = this.#rank(item)
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && this.#rank(items[child + 1]!) < this.#rank(items[child]!)) child++
      const below = items[child]!
      if (rank <= this.#rank(below)) break
      items[at] = below
      at = child
    }
    items[at] = item
  }
}
