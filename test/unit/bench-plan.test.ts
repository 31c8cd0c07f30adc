import { expect, it } from "vitest"
import { cases } from "../../bench/cases/index.ts"
import { figuresOf } from "../../bench/measure.ts"
import { type Case, fullTimes, select } from "../../bench/plan.ts"
import { cpuOf, listeningInodes } from "../../bench/process-cpu.ts"
import { itinerary, shuffled, timeLeft } from "../../bench/rounds.ts"

const always = (value: number) => () => value

it("selects cases, groups and contenders, and drops what is then empty", () => {
  const kept = select(cases, { cases: ["ask-32", "tell"], groups: ["transient"], contenders: ["warren", "amqplib"] })
  expect(kept.map(({ name }) => name)).toEqual(["ask-32"])
  expect(kept[0]!.groups.map(({ name }) => name)).toEqual(["transient"])
  expect(kept[0]!.groups[0]!.entries.map(({ contender }) => contender)).toEqual(["warren", "amqplib"])
})

it("selects levels, and drops contenders that have none of them", () => {
  const kept = select(cases, { cases: ["ask-32", "tell"], groups: ["durable"], levels: [16] })
  const [asks, tells] = kept.map(({ groups }) => groups[0]!.entries)
  expect(asks!.map(({ contender }) => contender)).not.toContain("rabbitmq-client-defaults")
  for (const { job } of asks!) expect(job).toMatchObject({ callers: [16] })
  expect(tells!.length).toBeGreaterThan(1)
})

it("refuses names that it does not know, and says which there are", () => {
  expect(() => select(cases, { cases: ["ask"] })).toThrow(/no case "ask": want one of ask-32, /)
  expect(() => select(cases, { contenders: ["rabbit"] })).toThrow(/no contender "rabbit": want one of warren, /)
  expect(() => select(cases, { cases: ["tell"], groups: ["transient"] })).toThrow(/no group "transient"/)
})

it("shuffles without losing or doubling anything", () => {
  let seed = 1
  const random = () => {
    seed = (seed * 16_807) % 2_147_483_647
    return seed / 2_147_483_647
  }
  const items = [1, 2, 3, 4, 5, 6, 7, 8]
  expect(shuffled(items, random).sort((a, b) => a - b)).toEqual(items)
  expect(shuffled(items, always(0))).not.toEqual(items)
})

it("runs all contenders of a group one after the other before the next group, in every round", () => {
  const kept = select(cases, { cases: ["work"], contenders: ["warren", "amqplib"] })
  const stops = itinerary(kept, 2, always(0.99))
  expect(stops.map(({ round, group, entry }) => `${round} ${group.name} ${entry.contender}`)).toEqual([
    "1 durable warren",
    "1 durable amqplib",
    "1 transient warren",
    "1 transient amqplib",
    "2 durable warren",
    "2 durable amqplib",
    "2 transient warren",
    "2 transient amqplib",
  ])
})

it("runs a case with a number of rounds of its own no more often", () => {
  const few: Case = { ...select(cases, { cases: ["tell"] })[0]!, rounds: 2 }
  const rounds = itinerary([few], 5, always(0)).map(({ round }) => round)
  expect(new Set(rounds)).toEqual(new Set([1, 2]))
})

it("expects the rest to be as slow or fast as what is done", () => {
  const stops = itinerary(select(cases, { cases: ["tell"] }), 1, always(0))
  const guess = timeLeft(stops, 0, 0, fullTimes)
  expect(timeLeft(stops, 1, (guess / 3) * 2, fullTimes)).toBeCloseTo((guess / 3) * 2 * 2)
})

it("adds the CPU of client, servers and broker, each by its own clock, per 10,000 calls", () => {
  const usage = (at: number, cpuSeconds: number, handled: number) => ({
    at,
    cpuSeconds,
    handled,
    rss: 1,
    busySeconds: at,
  })
  const loop = { seconds: 2, count: 20_000, p50: 1, p90: 1, p99: 1, max: 1, failed: 0, waiting: 0 }
  const client = { loop, before: usage(0, 0, 0), after: usage(2, 1, 0) }
  // The second server was looked at twice as long as the first: only its share of a second counts.
  const before = [usage(0, 0, 0), usage(0, 0, 0)]
  const after = [usage(2, 0.2, 5_000), usage(4, 0.4, 15_000)]
  const figures = figuresOf("asks", client, [usage(0, 0, 0), usage(2, 0.6, 0)], before, after)
  expect(figures.rate).toBe(10_000)
  expect(figures.cpuClient).toBeCloseTo(0.5)
  expect(figures.cpuServer).toBeCloseTo(0.2)
  expect(figures.cpuBroker).toBeCloseTo(0.3)
  expect(figures.cpu).toBeCloseTo(1)
  expect(figures).toMatchObject({ least: 5_000, most: 15_000 })
  expect(figures.evenness).toBeCloseTo(1 / 3)
})

it("counts tells when they are handled, and leaves a broker out that cannot be looked at", () => {
  const usage = (at: number, handled: number) => ({ at, cpuSeconds: at / 10, handled, rss: 1, busySeconds: 0 })
  const loop = { seconds: 1, count: 99_999, p50: 1, p90: 1, p99: 1, max: 1, failed: 0, waiting: 0 }
  const client = { loop, before: usage(0, 0), after: usage(1, 0) }
  const blind = { at: 0, cpuSeconds: undefined }
  const figures = figuresOf("tells", client, [blind, { ...blind, at: 1 }], [usage(0, 0)], [usage(2, 4_000)])
  expect(figures.rate).toBe(2_000)
  expect(figures).not.toHaveProperty("cpuBroker")
  expect(figures.cpu).toBeCloseTo(1)
})

it("reads the time of a process whose name has spaces and parentheses", () => {
  const stat = "4711 (beam (1) smp) S 1 4711 4711 0 -1 4194304 9 9 9 9 250 150 0 0 20 0 30 0 9 9 9"
  expect(cpuOf(stat)).toBe(4)
})

it("finds the socket that listens on a port, and none that is only connected to it", () => {
  const table = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
    "   0: 0100007F:1628 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1",
    "   1: 0100007F:1628 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 222 1",
    "   2: 00000000000000000000000000000000:1629 00:0000 0A 00000000:00000000 00:00000000 00000000 0 0 333 1",
  ].join("\n")
  expect(listeningInodes(table, 0x1628)).toEqual(["111"])
  expect(listeningInodes(table, 0x1629)).toEqual(["333"])
  expect(listeningInodes("", 5672)).toEqual([])
})
