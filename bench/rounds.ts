// Runs a plan in rounds: in each, the contenders of a group follow each other in an order of chance, so that whatever
// else the machine does hits all of them alike. One that fails is told with its error and ends nothing.

import { type Bench, type Level, measure } from "./measure.ts"
import type { Introduction } from "./operations.ts"
import { type Case, type Entry, estimate, type Failure, type Group, type Measurement, type Times } from "./plan.ts"

export interface Results {
  readonly measurements: readonly Measurement[]
  readonly failures: readonly Failure[]
  /** By contender id. */
  readonly introductions: Readonly<Record<string, Introduction>>
}

/** What is running, for whoever watches. */
export interface Step {
  readonly round: number
  readonly case: string
  readonly group: string
  readonly contender: string
}

export interface Watcher {
  readonly begins: (step: Step, share: number, msLeft: number) => void
  readonly found: (step: Step, level: Level) => void
  readonly failed: (step: Step, error: string) => void
  readonly ends: (step: Step) => void
}

export interface Run {
  readonly bench: Bench
  readonly cases: readonly Case[]
  readonly rounds: number
  readonly watcher: Watcher
  /** Between 0 and 1. */
  readonly random?: () => number
}

export const shuffled = <A>(items: readonly A[], random: () => number): A[] => {
  const all = [...items]
  for (let left = all.length; left > 1; left--) {
    const pick = Math.floor(random() * left)
    ;[all[left - 1], all[pick]] = [all[pick]!, all[left - 1]!]
  }
  return all
}

interface Stop {
  readonly round: number
  readonly each: Case
  readonly group: Group
  readonly entry: Entry
}

/** Every job of every round in the order in which they run. */
export const itinerary = (cases: readonly Case[], rounds: number, random: () => number): readonly Stop[] =>
  Array.from({ length: rounds }, (_, index) => index + 1).flatMap((round) =>
    cases
      .filter((each) => round <= (each.rounds ?? rounds))
      .flatMap((each) =>
        each.groups.flatMap((group) => shuffled(group.entries, random).map((entry) => ({ round, each, group, entry }))),
      ),
  )

/** What is left, by what the jobs before took in relation to their estimates. */
export const timeLeft = (stops: readonly Stop[], done: number, elapsed: number, times: Times): number => {
  const total = (some: readonly Stop[]) => some.reduce((ms, { entry }) => ms + estimate(entry, times), 0)
  const past = total(stops.slice(0, done))
  return total(stops.slice(done)) * (past === 0 ? 1 : elapsed / past)
}

export const runRounds = async ({ bench, cases, rounds, watcher, random = Math.random }: Run): Promise<Results> => {
  const measurements: Measurement[] = []
  const failures: Failure[] = []
  const introductions: Record<string, Introduction> = {}
  const stops = itinerary(cases, rounds, random)
  const started = performance.now()
  const run = `bench-${process.pid}-${Math.floor(random() * 1e6)}`

  for (const [index, { round, each, group, entry }] of stops.entries()) {
    const { contender, job } = entry
    const step: Step = { round, case: each.name, group: group.name, contender }
    const fail = (error: string) => {
      failures.push({ ...step, error })
      watcher.failed(step, error)
    }
    watcher.begins(step, index / stops.length, timeLeft(stops, index, performance.now() - started, bench.times))
    const place = { url: bench.url, prefix: `${run}-${index}` }
    const found = (level: Level) => {
      measurements.push({ ...step, level: level.level, figures: level.figures })
      watcher.found(step, level)
      if (level.failure !== undefined) fail(level.failure)
    }
    try {
      const introduction = await measure(bench, contender, job, place, found)
      if (introduction) introductions[contender] = introduction
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error))
    }
    watcher.ends(step)
  }
  return { measurements, failures, introductions }
}
