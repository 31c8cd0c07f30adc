import fc from "fast-check"
import { expect, it } from "vitest"
import { confirmedOf, disorder, longestGap, lost, repetitions } from "../../chaos/account.ts"
import { highest, percentile, summary } from "../../chaos/statistics.ts"

const handled = (...entries: readonly (number | readonly [entry: number, again: boolean])[]) =>
  entries.map((each, index) => {
    const [entry, again] = typeof each === "number" ? [each, false] : each
    return { entry, again, term: "t", at: index * 10 }
  })

it("calls lost what was confirmed and never written, and nothing else", () => {
  expect(lost(confirmedOf(6, [2, 5]), handled(0, 3, 3, 5))).toEqual([1, 4])
  expect(lost([], handled())).toEqual([])
})

it("counts repetitions, and those that nobody could recognise", () => {
  expect(repetitions(handled(1, 2, [1, true], 2, [3, true], [1, true]))).toEqual({ all: 3, unmarked: 1 })
})

it("calls out of order what is handled for the first time after a later entry; repetitions are not", () => {
  expect(disorder(handled(0, 1, 2, 1, 2, 3, 5, 4, 6))).toEqual([4])
  expect(disorder(handled(2, 0, 1))).toEqual([0, 1])
})

it("finds no disorder in what goes back any number of times and then on", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 5 }), { maxLength: 30 }), (steps) => {
      const entries: number[] = []
      let next = 0
      for (const back of steps) {
        for (let entry = Math.max(0, next - back); entry < next; entry++) entries.push(entry)
        entries.push(next++)
      }
      expect(disorder(handled(...entries))).toEqual([])
      expect(repetitions(handled(...entries)).all).toBe(entries.length - next)
    }),
  )
})

it("finds the longest time without a write, the ends included", () => {
  expect(longestGap(handled(0, 1, 2), 0, 20)).toBe(10)
  expect(longestGap(handled(0, 1, 2), 5, 50)).toBe(30)
  expect(longestGap([], 5, 50)).toBe(45)
})

it("takes percentiles by rank: the p99 of a hundred is the ninety-ninth", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
  expect([percentile(hundred, 0.5), percentile(hundred, 0.99), highest(hundred)]).toEqual([50, 99, 100])
  expect(percentile([7], 0.01)).toBe(7)
  expect(percentile([], 0.5)).toBeNaN()
  expect(summary([1, 2000])).toBe("2 times, p50 1.0 ms, p99 2,000 ms, max 2,000 ms")
  expect(summary([])).toBe("never")
})
