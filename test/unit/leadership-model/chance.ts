// The one source of chance of a run: the same seed, the same run.

export class Chance {
  #state: number

  constructor(seed: number) {
    // Neighbouring seeds are spread far apart; a state of 0 would stay 0.
    this.#state = Math.imul(seed, 0x9e3779b1) || 1
    for (let i = 0; i < 4; i++) this.fraction()
  }

  /** From 0 up to 1, without 1. An xorshift of 32 bits. */
  fraction(): number {
    let bits = this.#state
    bits ^= bits << 13
    bits ^= bits >>> 17
    bits ^= bits << 5
    this.#state = bits
    return (bits >>> 0) / 2 ** 32
  }

  /** A whole number from 0 up to `limit`, without `limit`. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit)
  }

  /** True in that share of the cases. */
  is(share: number): boolean {
    return this.fraction() < share
  }

  pick<A>(all: ReadonlyArray<A>): A | undefined {
    return all[this.below(all.length)]
  }

  shuffled<A>(all: ReadonlyArray<A>): Array<A> {
    return all
      .map((one) => ({ one, place: this.fraction() }))
      .sort((a, b) => a.place - b.place)
      .map(({ one }) => one)
  }
}
