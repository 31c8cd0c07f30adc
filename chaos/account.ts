// Settles what was sent against what the store took: what was lost, what came twice, what came out of order. Pure.

import type { Handled } from "./store.ts"

/** The entries that the broker confirmed and no leader wrote. */
export const lost = (confirmed: Iterable<number>, handled: readonly Handled[]): readonly number[] => {
  const written = new Set(handled.map(({ entry }) => entry))
  return [...confirmed].filter((entry) => !written.has(entry))
}

/** From 0 up to `count` - 1, without those that were refused. */
export const confirmedOf = (count: number, refused: readonly number[]): readonly number[] => {
  const without = new Set(refused)
  return Array.from({ length: count }, (_, entry) => entry).filter((entry) => !without.has(entry))
}

export interface Repetitions {
  readonly all: number
  /** Those whose handler could not know. */
  readonly unmarked: number
}

export const repetitions = (handled: readonly Handled[]): Repetitions => {
  const seen = new Set<number>()
  let all = 0
  let unmarked = 0
  for (const { entry, again } of handled) {
    if (seen.has(entry)) {
      all += 1
      if (!again) unmarked += 1
    }
    seen.add(entry)
  }
  return { all, unmarked }
}

/** Entries that were handled for the first time after a later one had been. */
export const disorder = (handled: readonly Handled[]): readonly number[] => {
  const seen = new Set<number>()
  const late: number[] = []
  let highest = Number.NEGATIVE_INFINITY
  for (const { entry } of handled) {
    if (seen.has(entry)) continue
    seen.add(entry)
    if (entry < highest) late.push(entry)
    else highest = entry
  }
  return late
}

/** ms: the longest time between two moments in which nothing was written. */
export const longestGap = (handled: readonly Handled[], from: number, to: number): number => {
  const moments = [from, ...handled.map(({ at }) => at).filter((at) => at > from && at < to), to]
  return moments.reduce(
    (longest, at, index) => (index === 0 ? longest : Math.max(longest, at - moments[index - 1]!)),
    0,
  )
}
