// The newest of many values: whoever iterates gets it, and each time the newest one since.
//
// N1. Whoever is quick misses nothing: what comes in one turn of the event loop is given out one value a turn, for as long
//     as somebody is there who waits for it.
// N2. Whoever is slow misses what lies in between, and never falls behind: when nobody waits, only the newest is kept.
// N3. Falsy values are values. Each iteration stands for itself. The last value is given out before the end.

/** Values that somebody who waits has not been given yet. */
const most = 64

export class Newest<T> {
  /** What came, and has not had its turn. */
  readonly #coming: Array<T> = []
  #value: T | undefined
  /** Counts the values that had their turn; 0: there was none yet. */
  #version = 0
  #ending = false
  #over = false
  #scheduled = false
  readonly #waiting = new Set<() => void>()

  set(value: T): void {
    if (this.#ending) return
    this.#coming.push(value)
    if (this.#coming.length > most) this.#coming.shift()
    this.#schedule()
  }

  end(): void {
    this.#ending = true
    this.#schedule()
  }

  /** @param read makes of each value what is given out; what it throws ends that iteration. */
  iterable<A>(read: (value: T) => A): AsyncIterable<A> {
    return { [Symbol.asyncIterator]: () => this.#iterator(read) }
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#turn())
  }

  /** N1, N2 */
  #turn(): void {
    this.#scheduled = false
    const due = this.#coming.splice(0, this.#waiting.size > 0 ? 1 : this.#coming.length)
    if (due.length > 0) {
      this.#value = due.at(-1)
      this.#version++
    }
    if (this.#coming.length > 0) this.#schedule()
    else this.#over = this.#ending
    for (const wake of [...this.#waiting]) wake()
  }

  #iterator<A>(read: (value: T) => A): AsyncIterator<A, undefined> {
    let seen = 0
    let closed = false
    let wake = () => {}
    const news = () =>
      new Promise<void>((resolve) => {
        wake = () => {
          this.#waiting.delete(wake)
          resolve()
        }
        this.#waiting.add(wake)
      })
    const end = { done: true, value: undefined } as const
    return {
      next: async () => {
        while (!closed && seen === this.#version) {
          if (this.#over) return end
          await news()
        }
        if (closed) return end
        seen = this.#version
        try {
          return { done: false, value: read(this.#value as T) }
        } catch (error) {
          closed = true
          throw error
        }
      },
      return: async () => {
        closed = true
        wake()
        return end
      },
    }
  }
}
