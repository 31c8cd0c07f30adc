// Chance that can be had again: the same seed makes the same decisions. How long things take is not in its hand.

export interface Random {
  /** From 0 up to 1. */
  readonly next: () => number
  /** A whole number from 0 up to `count` - 1. */
  readonly below: (count: number) => number
  readonly between: (from: number, to: number) => number
  readonly pick: <A>(items: readonly [A, ...A[]]) => A
  /** One of the names, each as often as its weight says. */
  readonly weighted: <K extends string>(weights: Readonly<Record<K, number>>) => K
}

/** Every name gets a course of its own from one seed, so that leaving a case out changes no other. */
export const seedFor = (seed: number, name: string): number =>
  [...name].reduce(
    (hash, letter) => Math.imul(hash ^ letter.codePointAt(0)!, 0x01000193) >>> 0,
    (seed ^ 0x811c9dc5) >>> 0,
  )

/** @param seed a whole number from 0 to 2^32 - 1 */
export const randomOf = (seed: number): Random => {
  let state = seed >>> 0
  // A Weyl sequence whose steps are mixed: 32 bits of state, and good enough to choose what breaks next.
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (count: number) => Math.floor(next() * count)
  return {
    next,
    below,
    between: (from, to) => from + next() * (to - from),
    pick: (items) => items[below(items.length)]!,
    weighted: (weights) => {
      const entries = Object.entries(weights) as [keyof typeof weights, number][]
      let left = next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [name, weight] of entries) {
        if (left < weight) return name
        left -= weight
      }
      return entries.at(-1)![0]
    },
  }
}
