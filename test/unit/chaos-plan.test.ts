import { describe, expect, it } from "vitest"
import { scaleOf } from "../../chaos/case.ts"
import { cases } from "../../chaos/cases/index.ts"
import { allHeld, judge } from "../../chaos/gates.ts"
import { planOf } from "../../chaos/plan.ts"
import { randomOf, seedFor } from "../../chaos/random.ts"
import { closingLine, gateTable, outcomeText } from "../../chaos/report.ts"

const plan = (...args: string[]) => planOf(args, cases, () => 42)

describe("the command line", () => {
  it("runs every case at full length when nothing is said", () => {
    expect(plan()).toMatchObject({ scale: { share: 1 }, seed: 42, json: undefined, version: undefined })
    expect(plan().cases).toEqual(cases)
  })

  it("takes the cases that are named, in the order in which they run, and the seed that is given", () => {
    const { cases: some, seed } = plan("--only", "leaderships, failover", "--seed", "7")
    expect([some.map(({ name }) => name), seed]).toEqual([["failover", "leaderships"], 7])
  })

  it("makes the minutes a share of what its cases take, never more than all", () => {
    expect(plan("--only", "leaderships", "--minutes", "4").scale.share).toBe(0.5)
    expect(plan("--only", "failover", "--minutes", "100").scale.share).toBe(1)
    expect(plan("--quick").scale.share).toBe(plan("--minutes", "2").scale.share)
  })

  it.each([
    ["--only failovr", /no case "failovr": want one of failover/],
    ["--minutes -1", /want a number above 0|ambiguous/],
    ["--minutes x", /want a number above 0/],
    ["--seed 1.5", /want a whole number/],
    ["--seed 4294967296", /want a whole number/],
    ["--hours 1", /hours/],
  ])("refuses %s", (line, message) => {
    expect(() => plan(...line.split(" "))).toThrow(message)
  })

  it("scales between a least and the full length", () => {
    expect([1, 0.1, 0.001].map((share) => scaleOf(share).times(100, 5))).toEqual([100, 10, 5])
  })
})

describe("chance", () => {
  it("is the same for a seed, and another one for each case", () => {
    const first = (seed: number) => Array.from({ length: 5 }, randomOf(seed).next)
    expect(first(1)).toEqual(first(1))
    expect(first(1)).not.toEqual(first(2))
    expect(seedFor(1, "order")).not.toBe(seedFor(1, "token"))
    expect(seedFor(1, "order")).not.toBe(seedFor(2, "order"))
  })

  it("picks by weight, and never what weighs nothing", () => {
    const random = randomOf(3)
    const counts = { often: 0, seldom: 0, never: 0 }
    for (let time = 0; time < 10_000; time++) counts[random.weighted({ often: 9, seldom: 1, never: 0 })] += 1
    expect(counts.never).toBe(0)
    expect(counts.often / 10_000).toBeCloseTo(0.9, 1)
  })

  it("reaches every item, and nothing beyond", () => {
    const random = randomOf(4)
    const seen = new Set(Array.from({ length: 1_000 }, () => random.below(7)))
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6])
  })
})

describe("gates", () => {
  const gates = [
    { text: "fast", figure: "ms", bound: { atMost: 30 }, unit: "ms" },
    { text: "many", figure: "kills", bound: { atLeast: 100 } },
    { text: "none", figure: "lost", bound: { exactly: 0 } },
  ] as const
  const verdicts = (figures?: Record<string, number>) => judge("c", gates, figures).map(({ verdict }) => verdict)

  it("hold at their bounds, and are missed beyond", () => {
    expect(verdicts({ ms: 30, kills: 100, lost: 0 })).toEqual(["held", "held", "held"])
    expect(verdicts({ ms: 30.1, kills: 99, lost: 1 })).toEqual(["missed", "missed", "missed"])
  })

  it("are not held when nothing was measured", () => {
    expect(verdicts()).toEqual(["not measured", "not measured", "not measured"])
    expect(verdicts({ ms: Number.NaN, kills: 100 })).toEqual(["not measured", "held", "not measured"])
    expect(allHeld(judge("c", gates, { ms: 1, kills: 100 }))).toBe(false)
    expect(allHeld(judge("c", gates, { ms: 1, kills: 100, lost: 0 }))).toBe(true)
  })

  it("are told with what was wanted and what was measured", () => {
    const outcome = {
      name: "c",
      title: "T",
      seconds: 3,
      figures: {},
      notes: ["a note"],
      gates: judge("c", gates, { ms: 12.345, kills: 1_000 }),
    }
    const table = gateTable([outcome])
    expect(table).toMatch(/c +\| fast +\| +at most 30 ms \| +12\.35 \| held/)
    expect(table).toMatch(/none +\| +0 \| +- \| NOT MEASURED/)
    expect(outcomeText(outcome)).toBe("c: 1 of 3 gates MISSED after 3 s. T.\n  a note")
    expect(closingLine([outcome])).toBe("2 gates held, 1 missed or not measured")
  })

  it("have names of their own within a case, at any length", () => {
    for (const each of cases)
      for (const share of [1, 0.01]) {
        const figures = each.gates(scaleOf(share)).map(({ figure }) => figure)
        expect(new Set(figures).size, each.name).toBe(figures.length)
      }
  })
})
