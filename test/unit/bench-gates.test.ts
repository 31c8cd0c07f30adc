import { expect, it } from "vitest"
import { cases } from "../../bench/cases/index.ts"
import { type Bound, bestPeer, type Gate, gates, judge } from "../../bench/gates.ts"
import type { Figures, Measurement } from "../../bench/plan.ts"

const measured = (contender: string, figures: Figures, level = 256, round = 1): Measurement => ({
  case: "c",
  group: "g",
  contender,
  level,
  round,
  figures,
})

const gate = (bound: Bound): Gate => ({ text: "", case: "c", groups: ["g"], level: 256, must: [bound], aims: [] })
const judgement = (bound: Bound, ...measurements: Measurement[]) => {
  const [{ measured: value, verdict }] = judge(measurements, [gate(bound)]) as [ReturnType<typeof judge>[number]]
  return { value, verdict }
}

it("holds a ratio that is just reached, and misses one that is not", () => {
  const of = (rate: number) =>
    judgement({ kind: "ratio", against: "a", atLeast: 5 }, measured("warren", { rate }), measured("a", { rate: 10 }))
  expect(of(50)).toEqual({ value: 5, verdict: "held" })
  expect(of(49)).toEqual({ value: 4.9, verdict: "missed" })
})

it("compares with the peer that does best, not with other forms of Warren", () => {
  const bound: Bound = { kind: "ratio", against: bestPeer, atLeast: 5 }
  const others = [measured("a", { rate: 10 }), measured("b", { rate: 20 }), measured("warren-effect", { rate: 99 })]
  expect(judgement(bound, measured("warren", { rate: 80 }), ...others)).toEqual({ value: 4, verdict: "missed" })
})

it("wants a figure at most, or at least, as the median of the rounds", () => {
  const rounds = [1, 9, 2].map((p99, round) => measured("warren", { p99 }, 256, round))
  expect(judgement({ kind: "most", figure: "p99", atMost: 2 }, ...rounds)).toEqual({ value: 2, verdict: "held" })
  expect(judgement({ kind: "least", figure: "p99", atLeast: 3 }, ...rounds)).toEqual({ value: 2, verdict: "missed" })
})

it("sees growth that is more than linear", () => {
  const bound: Bound = { kind: "growth", figure: "servedMs", from: 64, atMost: 2 }
  const of = (servedMs: number) =>
    judgement(bound, measured("warren", { servedMs: 10 }, 64), measured("warren", { servedMs }, 256))
  expect(of(40)).toEqual({ value: 1, verdict: "held" })
  expect(of(160)).toEqual({ value: 4, verdict: "missed" })
})

it("does not judge what was not measured", () => {
  const bounds: Bound[] = [
    { kind: "ratio", against: "a", atLeast: 5 },
    { kind: "most", figure: "p99", atMost: 2 },
    { kind: "growth", figure: "servedMs", from: 64, atMost: 2 },
  ]
  for (const bound of bounds)
    expect(judgement(bound, measured("warren", { rate: 1 }))).toEqual({ value: undefined, verdict: "not measured" })
})

it("asks only for what a case of the suite measures", () => {
  for (const each of gates) {
    const found = cases.find(({ name }) => name === each.case)
    expect(found, each.case).toBeDefined()
    for (const group of each.groups) expect(found!.groups.map(({ name }) => name)).toContain(group)
  }
})
