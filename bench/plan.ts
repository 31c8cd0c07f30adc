// What is to be measured, as data: cases have groups, a group has contenders that are compared, each with a job.

import type { AskLoad } from "./contender.ts"

/** A figure of one measurement. Times in ms, memory in bytes, CPU in seconds. */
export type Figure =
  /** Calls, or messages handled, a second. */
  | "rate"
  | "p50"
  | "p90"
  | "p99"
  | "max"
  /** CPU-seconds per 10,000 calls: of each process, and of all. */
  | "cpuClient"
  | "cpuServer"
  | "cpuBroker"
  | "cpu"
  | "rssClient"
  | "rssServer"
  /** Share of the time in which the event loop had something to do, 0 to 1. */
  | "busyClient"
  | "busyServer"
  | "failed"
  /** Begun, and not answered when the time was over. */
  | "waiting"
  /** What the least and the most busy member of a clique handled, and the one divided by the other. */
  | "least"
  | "most"
  | "evenness"
  | "startedMs"
  | "servedMs"
  | "heapPerActor"
  | "rssPerActor"

export type Figures = Readonly<Partial<Record<Figure, number>>>

export type Job =
  /** Callers that wait for their answers, at each of these numbers; `members` servers share the work (default 1). */
  | { readonly kind: "asks"; readonly load: AskLoad; readonly callers: readonly number[]; readonly members?: number }
  /** Asks that come at a rate, whether or not the earlier ones are answered. */
  | { readonly kind: "open"; readonly load: AskLoad; readonly rate: number }
  /** So many tells that are not confirmed yet at a time. */
  | { readonly kind: "tells"; readonly inFlight: number }
  /** So many events that are not confirmed yet at a time, for so many subscribers in one process. */
  | { readonly kind: "events"; readonly inFlight: number; readonly subscribers: number }
  /** A stream of small payloads, as many as will go. */
  | { readonly kind: "items" }
  | {
      readonly kind: "start"
      readonly what: "transient" | "durable" | "children"
      readonly actors: readonly number[]
    }

export interface Entry {
  /** An id of contenders/index.ts. */
  readonly contender: string
  readonly job: Job
}

export interface Group {
  readonly name: string
  /** One line over its table. */
  readonly title: string
  readonly entries: readonly Entry[]
}

/** A column of a case's table. `ratio`: Warren's rate divided by this contender's, paired round by round. */
export type Column = Figure | "ratio" | "contender" | "level" | "memory" | "cpuParts"

export interface Case {
  readonly name: string
  readonly title: string
  /** What its levels count: callers, actors ... */
  readonly level: string
  readonly columns: readonly Column[]
  readonly groups: readonly Group[]
  /** It is run in the first so many rounds only; default: in all. */
  readonly rounds?: number
}

/** One measurement: a contender at one level, in one round. */
export interface Measurement {
  readonly case: string
  readonly group: string
  readonly contender: string
  readonly level: number
  readonly round: number
  readonly figures: Figures
}

export interface Failure {
  readonly case: string
  readonly group: string
  readonly contender: string
  readonly round: number
  readonly error: string
}

/** How long things take, ms. */
export interface Times {
  readonly warmUp: number
  /** More warm-up at one caller: a thousand calls a second leave V8 cold for longer than a hundred thousand do. */
  readonly alone: number
  /** More at 2 to 16 callers, for the same reason. */
  readonly few: number
  /** More at any other number of callers. */
  readonly settle: number
  readonly measure: number
  /** An open loop, and a clique whose members must settle. */
  readonly long: number
}

export const fullTimes: Times = { warmUp: 1_000, alone: 4_000, few: 2_000, settle: 200, measure: 1_000, long: 4_000 }
export const quickTimes: Times = { warmUp: 700, alone: 1_500, few: 300, settle: 100, measure: 700, long: 2_000 }

/** ms of warm-up at so many callers, before they are measured. */
export const warmUpAt = (callers: number, times: Times): number => {
  if (callers === 1) return times.alone
  return callers <= 16 ? times.few : times.settle
}

/** What to leave out. */
export interface Selection {
  readonly cases?: readonly string[]
  readonly groups?: readonly string[]
  readonly contenders?: readonly string[]
  /** Numbers of callers, or of actors to start; jobs that have but one level of their own are not affected. */
  readonly levels?: readonly number[]
}

const atLevels = (job: Job, levels: readonly number[] | undefined): Job => {
  const wanted = (level: number) => levels?.includes(level) ?? true
  if (job.kind === "asks") return { ...job, callers: job.callers.filter(wanted) }
  if (job.kind === "start") return { ...job, actors: job.actors.filter(wanted) }
  return job
}

const isEmpty = (job: Job): boolean =>
  (job.kind === "asks" && job.callers.length === 0) || (job.kind === "start" && job.actors.length === 0)

/** Throws when a name of the selection is not in the cases. */
export const select = (
  cases: readonly Case[],
  { cases: only, groups, contenders, levels }: Selection,
): readonly Case[] => {
  const kept = cases.filter(({ name }) => only?.includes(name) ?? true)
  const all = kept.flatMap((each) => each.groups)
  check(
    "case",
    only,
    cases.map(({ name }) => name),
  )
  check(
    "group",
    groups,
    all.map(({ name }) => name),
  )
  check(
    "contender",
    contenders,
    all.flatMap(({ entries }) => entries.map(({ contender }) => contender)),
  )
  return kept
    .map((each) => ({
      ...each,
      groups: each.groups
        .filter(({ name }) => groups?.includes(name) ?? true)
        .map((group) => ({
          ...group,
          entries: group.entries
            .filter(({ contender }) => contenders?.includes(contender) ?? true)
            .map((entry) => ({ ...entry, job: atLevels(entry.job, levels) }))
            .filter(({ job }) => !isEmpty(job)),
        }))
        .filter(({ entries }) => entries.length > 0),
    }))
    .filter((each) => each.groups.length > 0)
}

const check = (what: string, wanted: readonly string[] | undefined, known: readonly string[]): void => {
  const unknown = wanted?.find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw new Error(`no ${what} ${JSON.stringify(unknown)}: want one of ${[...new Set(known)].join(", ")}`)
}

/** ms that an entry will take, roughly. */
export const estimate = ({ job }: Entry, times: Times): number => {
  const start = 1_000
  switch (job.kind) {
    case "asks":
      return job.callers.reduce(
        (sum, callers) => sum + warmUpAt(callers, times) + (job.members === undefined ? times.measure : times.long),
        start + times.warmUp,
      )
    case "open":
      return start + times.warmUp + times.long
    case "tells":
    case "events":
    case "items":
      return start + times.warmUp + times.measure
    case "start":
      return job.actors.reduce((sum, actors) => sum + start + actors * (job.what === "durable" ? 15 : 3), 0)
  }
}
