// What the figures must hold, as data, and the judgement of a run by it.
//
// 1. A ratio is the median of the ratios of each round. "The best peer" is the one that comes off best against Warren.
// 2. What was not measured is neither held nor missed.

import type { Figure, Measurement } from "./plan.ts"
import { at, median, pairedRatios } from "./statistics.ts"

export type Bound =
  /** Warren's rate is at least so many times that of a contender, or of each peer. */
  | { readonly kind: "ratio"; readonly against: string; readonly atLeast: number }
  | { readonly kind: "least"; readonly figure: Figure; readonly atLeast: number }
  | { readonly kind: "most"; readonly figure: Figure; readonly atMost: number }
  /** A figure per unit of the level grows at most so many times from one level to the next one measured. */
  | { readonly kind: "growth"; readonly figure: Figure; readonly from: number; readonly atMost: number }

export const bestPeer = "best peer"

export interface Gate {
  readonly text: string
  readonly case: string
  readonly groups: readonly string[]
  readonly level: number
  /** Default: warren. */
  readonly contender?: string
  /** Must hold. */
  readonly must: readonly Bound[]
  /** Should hold. */
  readonly aims: readonly Bound[]
}

const ratio = (against: string, atLeast: number): Bound => ({ kind: "ratio", against, atLeast })
const most = (figure: Figure, atMost: number): Bound => ({ kind: "most", figure, atMost })
const least = (figure: Figure, atLeast: number): Bound => ({ kind: "least", figure, atLeast })

const tuned = "rabbitmq-client"
const defaults = "rabbitmq-client-defaults"
const both = ["durable", "transient"]
const kB = 1000

export const gates: readonly Gate[] = [
  {
    text: "ask 32 B, 1 caller",
    case: "ask-32",
    groups: both,
    level: 1,
    must: [ratio(tuned, 0.95), ratio(defaults, 25)],
    aims: [ratio("amqplib", 1)],
  },
  {
    text: "ask 32 B, 16 callers",
    case: "ask-32",
    groups: both,
    level: 16,
    must: [ratio(tuned, 3)],
    aims: [ratio(tuned, 4), ratio("nestjs", 2.5)],
  },
  {
    text: "ask 32 B, 256 callers",
    case: "ask-32",
    groups: both,
    level: 256,
    must: [ratio(tuned, 10), ratio(bestPeer, 5), most("cpu", 0.2)],
    aims: [ratio(tuned, 20), ratio(bestPeer, 10), most("cpu", 0.08)],
  },
  {
    text: "ask 32 B, 1,000 callers",
    case: "ask-32",
    groups: both,
    level: 1000,
    must: [ratio(tuned, 12), ratio(bestPeer, 6)],
    aims: [ratio(tuned, 25), ratio(bestPeer, 12)],
  },
  {
    text: "ask 1 KiB, 256 callers",
    case: "ask-1k",
    groups: both,
    level: 256,
    must: [ratio(tuned, 3)],
    aims: [ratio(tuned, 6)],
  },
  {
    text: "ask 1 KiB, 256 callers, compact codec",
    case: "ask-1k",
    groups: both,
    level: 256,
    contender: "warren-compact",
    must: [],
    aims: [ratio(tuned, 10)],
  },
  {
    text: "handlers of 0-5 ms, 256 callers",
    case: "work",
    groups: both,
    level: 256,
    must: [ratio(tuned, 5), ratio(bestPeer, 2.5)],
    aims: [ratio(tuned, 9), ratio(bestPeer, 4)],
  },
  {
    text: "256 actors on one node",
    case: "actors",
    groups: both,
    level: 256,
    must: [ratio(tuned, 10)],
    aims: [ratio(tuned, 30)],
  },
  {
    text: "durable tell",
    case: "tell",
    groups: ["durable"],
    level: 1000,
    must: [ratio(tuned, 8)],
    aims: [ratio(tuned, 20)],
  },
  {
    text: "event to 10 subscribers in one process",
    case: "broadcast",
    groups: ["transient"],
    level: 1000,
    must: [ratio(tuned, 3)],
    aims: [ratio(tuned, 10)],
  },
  {
    text: "stream of 32 B",
    case: "stream",
    groups: ["transient"],
    level: 1,
    must: [least("rate", 100_000), ratio(tuned, 8)],
    aims: [ratio(tuned, 20)],
  },
  {
    text: "open loop, 10,000 asks/s",
    case: "open",
    groups: both,
    level: 10_000,
    // No backlog: all are answered but for those of the last 20 ms.
    must: [least("rate", 9_900), most("waiting", 200), most("p99", 20)],
    aims: [most("p99", 5)],
  },
  {
    text: "1,000 actors in one system",
    case: "start",
    groups: ["transient"],
    level: 1000,
    must: [
      most("servedMs", 10_000),
      { kind: "growth", figure: "servedMs", from: 100, atMost: 2 },
      most("heapPerActor", 100 * kB),
      most("rssPerActor", 100 * kB),
    ],
    aims: [most("servedMs", 3_000)],
  },
]

export type Verdict = "held" | "missed" | "not measured"

export interface Judged {
  readonly text: string
  readonly case: string
  readonly group: string
  /** Must, or an aim. */
  readonly must: boolean
  readonly bound: Bound
  readonly measured: number | undefined
  readonly verdict: Verdict
}

/** Contenders that are not Warren in one form or another. */
const isPeer = (contender: string): boolean => !contender.startsWith("warren")

const valueOf = (measurements: readonly Measurement[], gate: Gate, group: string, bound: Bound): number | undefined => {
  const { contender = "warren", level } = gate
  const of = (who: string, where = level) => at(measurements, { case: gate.case, group, contender: who, level: where })
  const own = of(contender)
  const figure = (name: Figure, some: readonly Measurement[]) => {
    const values = some.flatMap(({ figures }) => (figures[name] === undefined ? [] : [figures[name]]))
    return values.length === 0 ? undefined : median(values)
  }
  const ratioTo = (other: string) => {
    const ratios = pairedRatios(own, of(other))
    return ratios.length === 0 ? [] : [median(ratios)]
  }
  switch (bound.kind) {
    case "ratio": {
      const peers = [...new Set(measurements.map((one) => one.contender))].filter(isPeer)
      const ratios = (bound.against === bestPeer ? peers : [bound.against]).flatMap(ratioTo)
      return ratios.length === 0 ? undefined : Math.min(...ratios)
    }
    case "least":
    case "most":
      return figure(bound.figure, own)
    case "growth": {
      const now = figure(bound.figure, own)
      const before = figure(bound.figure, of(contender, bound.from))
      return now === undefined || before === undefined ? undefined : now / level / (before / bound.from)
    }
  }
}

const holds = (bound: Bound, value: number): boolean =>
  bound.kind === "ratio" || bound.kind === "least" ? value >= bound.atLeast : value <= bound.atMost

export const judge = (measurements: readonly Measurement[], all: readonly Gate[] = gates): readonly Judged[] =>
  all.flatMap((gate) =>
    gate.groups.flatMap((group) => {
      const judged = (must: boolean) => (bound: Bound) => {
        const measured = valueOf(measurements, gate, group, bound)
        const verdict = measured === undefined ? "not measured" : holds(bound, measured) ? "held" : "missed"
        return { text: gate.text, case: gate.case, group, must, bound, measured, verdict } as const
      }
      return [...gate.must.map(judged(true)), ...gate.aims.map(judged(false))]
    }),
  )
