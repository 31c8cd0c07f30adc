// What many rounds come to: medians, and ratios of measurements of the same round.

import type { Figure, Figures, Measurement } from "./plan.ts"

/** The middle value; of an even number of values the mean of the two in the middle. NaN for none. */
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  if (sorted.length === 0) return Number.NaN
  return Number.isInteger(middle) ? (sorted[middle - 1]! + sorted[middle]!) / 2 : sorted[Math.floor(middle)]!
}

/** Where a row of a table stands. */
export interface Position {
  readonly case: string
  readonly group: string
  readonly contender: string
  readonly level: number
}

/** One contender at one level: the medians of its rounds. */
export interface Row extends Position {
  readonly rounds: number
  readonly figures: Figures
  /** Warren's rate divided by this one's: the median of the ratios of each round. */
  readonly ratio?: number
}

export const at = (measurements: readonly Measurement[], position: Position): readonly Measurement[] =>
  measurements.filter(
    (one) =>
      one.case === position.case &&
      one.group === position.group &&
      one.contender === position.contender &&
      one.level === position.level,
  )

/** The ratios of one's rate to the other's, for each round in which both were measured. */
export const pairedRatios = (ones: readonly Measurement[], others: readonly Measurement[]): readonly number[] =>
  ones.flatMap(({ round, figures }) => {
    const other = others.find((each) => each.round === round)?.figures.rate
    return figures.rate === undefined || !other ? [] : [figures.rate / other]
  })

const medians = (measurements: readonly Measurement[]): Figures => {
  const names = new Set(measurements.flatMap(({ figures }) => Object.keys(figures) as Figure[]))
  const values = (name: Figure) =>
    measurements.flatMap(({ figures }) => (figures[name] === undefined ? [] : [figures[name]]))
  return Object.fromEntries([...names].map((name) => [name, median(values(name))]))
}

/** @param baseline the contender whose rate is divided by the others' */
export const summarise = (measurements: readonly Measurement[], baseline = "warren"): readonly Row[] => {
  const positions = new Map<string, Position>()
  for (const { case: name, group, contender, level } of measurements)
    positions.set(JSON.stringify([name, group, contender, level]), { case: name, group, contender, level })
  return [...positions.values()].map((position) => {
    const own = at(measurements, position)
    const ratios = pairedRatios(at(measurements, { ...position, contender: baseline }), own)
    return {
      ...position,
      rounds: own.length,
      figures: medians(own),
      ...(ratios.length > 0 && { ratio: median(ratios) }),
    }
  })
}
