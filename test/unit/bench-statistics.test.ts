import fc from "fast-check"
import { expect, it } from "vitest"
import { histogram } from "../../bench/histogram.ts"
import { payloadOf } from "../../bench/payload.ts"
import type { Measurement } from "../../bench/plan.ts"
import { median, summarise } from "../../bench/statistics.ts"

const one = (contender: string, round: number, rate: number, level = 1): Measurement => ({
  case: "c",
  group: "g",
  contender,
  level,
  round,
  figures: { rate },
})

it("takes the middle of an odd number of values and the mean of the two middle ones of an even number", () => {
  expect(median([9, 1, 5])).toBe(5)
  expect(median([10, 1, 2, 4])).toBe(3)
  expect(median([])).toBeNaN()
})

it("divides rates of the same round and takes the median of those, not the ratio of the medians", () => {
  const measurements = [
    ...[100, 1000, 10].map((rate, index) => one("warren", index + 1, rate)),
    ...[50, 100, 10].map((rate, index) => one("peer", index + 1, rate)),
  ]
  const row = summarise(measurements).find(({ contender }) => contender === "peer")
  expect(row?.ratio).toBe(2) // of 2, 10 and 1
  expect(row?.figures.rate).toBe(50)
  expect(row?.rounds).toBe(3)
})

it("leaves rounds out of a ratio in which one of the two was not measured", () => {
  const measurements = [one("warren", 1, 100), one("warren", 2, 900), one("peer", 1, 50), one("peer", 3, 1)]
  expect(summarise(measurements).find(({ contender }) => contender === "peer")?.ratio).toBe(2)
})

it("keeps levels apart", () => {
  const rows = summarise([one("warren", 1, 10, 1), one("warren", 1, 99, 256)])
  expect(rows.map(({ level, figures }) => [level, figures.rate])).toEqual([
    [1, 10],
    [256, 99],
  ])
})

it("gives percentiles of a histogram within two in a hundred of the exact ones", () => {
  const times = fc.array(fc.double({ min: 0.001, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 200 })
  fc.assert(
    fc.property(times, fc.constantFrom(0.5, 0.9, 0.99, 1), (values, share) => {
      const counted = histogram()
      for (const value of values) counted.record(value)
      const exact = [...values].sort((a, b) => a - b)[Math.ceil(share * values.length) - 1]!
      expect(Math.abs(counted.percentile(share) - exact)).toBeLessThanOrEqual(exact * 0.02)
      expect(counted.max()).toBe(Math.max(...values))
      expect(counted.count()).toBe(values.length)
    }),
  )
})

it("makes payloads of exactly so many bytes, whatever their number", () => {
  for (const size of [32, 1024] as const)
    for (const id of [0, 7, 1023]) {
      expect(Buffer.byteLength(JSON.stringify(payloadOf(size, id)))).toBe(size)
      expect(payloadOf(size, id).id).toBe(id)
    }
})
