// What a trial found, as tables and as data. Pure.

import { table } from "../bench/markdown.ts"
import type { Bound, Figures, Judged } from "./gates.ts"

/** What became of one case. */
export interface Outcome {
  readonly name: string
  readonly title: string
  readonly seconds: number
  readonly figures: Figures
  readonly notes: readonly string[]
  readonly gates: readonly Judged[]
  /** Why it did not come to its end. */
  readonly failure?: string
}

export interface Report {
  /** ISO date and time. */
  readonly date: string
  readonly seed: number
  /** Of the full length. */
  readonly share: number
  readonly broker: string
  readonly machine: string
  readonly outcomes: readonly Outcome[]
}

const number = (value: number): string =>
  value.toLocaleString("en-US", { maximumFractionDigits: Math.abs(value) < 100 ? 2 : 0 })

const boundText = (bound: Bound, unit: string): string => {
  if ("atMost" in bound) return `at most ${number(bound.atMost)}${unit}`
  return "atLeast" in bound ? `at least ${number(bound.atLeast)}${unit}` : `${number(bound.exactly)}${unit}`
}

const verdicts = { held: "held", missed: "MISSED", "not measured": "NOT MEASURED" } as const

export const gateTable = (outcomes: readonly Outcome[]): string =>
  table(
    ["case", "what", "wanted", "measured", ""],
    outcomes.flatMap(({ gates }) =>
      gates.map(({ case: name, text, bound, unit, measured, verdict }) => {
        const behind = unit === undefined ? "" : ` ${unit}`
        return [
          name,
          text,
          boundText(bound, behind),
          measured === undefined ? "-" : number(measured),
          verdicts[verdict],
        ]
      }),
    ),
    [1, 4],
  )

/** A case in a few lines: how it ended, and its notes. */
export const outcomeText = ({ name, title, seconds, notes, gates, failure }: Outcome): string => {
  const missed = gates.filter(({ verdict }) => verdict !== "held").length
  const how = failure ? "FAILED" : missed > 0 ? `${missed} of ${gates.length} gates MISSED` : "held"
  return [
    `${name}: ${how} after ${seconds.toFixed(0)} s. ${title}.`,
    ...notes.map((note) => `  ${note}`),
    ...(failure ? [`  ${failure.split("\n").join("\n  ")}`] : []),
  ].join("\n")
}

/** The last line: it counts gates. */
export const closingLine = (outcomes: readonly Outcome[]): string => {
  const gates = outcomes.flatMap((outcome) => outcome.gates)
  const held = gates.filter(({ verdict }) => verdict === "held").length
  return `${held} gates held, ${gates.length - held} missed or not measured`
}
