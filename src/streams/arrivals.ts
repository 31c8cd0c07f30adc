// The numbers of the frames that come, for one end of a stream. Pure.
//
// R1. Each frame is taken once and in its turn. What comes again is dropped; what comes too early waits: after a reconnect
//     a broker may hand out fresh messages before what it has to put back.
// R2. What is missing shows: by what came after it, or by what the far end says it has sent.

/** Frames that may be ahead of the one whose turn it is. More than a window can hold. */
const mostEarly = 8192

export class Arrivals<F extends { readonly number: number }> {
  #next = 1
  #announced = 0
  readonly #early = new Map<number, F>()

  /** Whether a frame with this number has come before. */
  knows(number: number): boolean {
    return number < this.#next || this.#early.has(number)
  }

  /** Whether it may come: numbers that nobody can have reached yet are forged. */
  allows(number: number): boolean {
    return number < this.#next + mostEarly
  }

  /** Those whose turn has come with this one, in order. @param frame one that may come, and has not before. */
  take(frame: F): ReadonlyArray<F> {
    if (frame.number !== this.#next) {
      this.#early.set(frame.number, frame)
      return []
    }
    this.#next++
    if (this.#early.size === 0) return [frame]
    const frames = [frame]
    for (let next = this.#early.get(this.#next); next !== undefined; next = this.#early.get(this.#next)) {
      this.#early.delete(this.#next++)
      frames.push(next)
    }
    return frames
  }

  /** The far end says that it has sent so many. */
  announce(sent: number): void {
    this.#announced = Math.max(this.#announced, sent)
  }

  /** Something is known to have been sent, and has not come. */
  get isMissing(): boolean {
    return this.#early.size > 0 || this.#announced >= this.#next
  }
}
