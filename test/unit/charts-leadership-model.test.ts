// The membership chart in a model of the broker: thousands of random schedules, the same ones each time.
//
// One run again, with its whole log:   WARREN_TEST_SEED=<seed> npx vitest run test/unit/charts-leadership-model.test.ts
// More runs of each scenario:          WARREN_TEST_RUNS=<runs>, in place of the numbers below

import { describe, expect, test } from "vitest"
import {
  ackOwnToken,
  baseZero,
  cancelBeforeRelease,
  countIgnored,
  leadOnLowToken,
  noWatchdog,
  type Protocol,
  renewByRepublishing,
  right,
} from "./leadership-model/protocol.ts"
import { patience, run } from "./leadership-model/run.ts"
import type { Fault, Scenario } from "./leadership-model/world.ts"

const onlySeed = process.env.WARREN_TEST_SEED
const manyRuns = process.env.WARREN_TEST_RUNS
const timeout = manyRuns ? 24 * 3_600_000 : 120_000

const kept: Scenario = { losses: false, clocks: 5_000, beats: true, store: "read" }
const destroyed: Scenario = { losses: true, clocks: 0, beats: true, store: "read" }
const worst: Scenario = { ...destroyed, clocks: 5_000 }

/** What holds whatever happens; that nobody else wrote with an epoch takes a store that is read when leading begins. */
const always: ReadonlyArray<Fault> = [
  "two holders",
  "a member led on an epoch that it knew to be old",
  "two members wrote with one epoch",
  "no single leader with a single token",
]
/** Once a token was destroyed, a new member can not know how high it had been: then only clocks keep the order. */
const whileKept: ReadonlyArray<Fault> = [...always, "epochs not strict"]

const upTo = (last: number): ReadonlyArray<number> => Array.from({ length: last }, (_, i) => i + 1)
const seeds = (runs: number): ReadonlyArray<number> => (onlySeed ? [Number(onlySeed)] : upTo(Number(manyRuns ?? runs)))

/** A run that went wrong, and how to see it again. */
const report = (seed: number, scenario: Scenario): string => {
  const log: Array<string> = []
  const { violations } = run(seed, scenario, right, (line) => log.push(line))
  const faults = violations.map(({ fault, detail }) => `${fault}: ${detail}`)
  const shown = onlySeed ? log : log.slice(-20)
  return [`seed ${seed} (WARREN_TEST_SEED=${seed} shows its whole log)`, ...faults, ...shown].join("\n")
}

describe("the membership chart in a model of the broker", () => {
  test.each<[string, number, Scenario, ReadonlyArray<Fault>]>([
    ["tokens are kept and clocks wrong by 5 s: epochs are strict", 1_500, kept, whileKept],
    ["the same without beats", 400, { ...kept, beats: false }, whileKept],
    ["the same without a store", 400, { ...kept, store: "none" }, whileKept],
    ["tokens are destroyed and clocks agree: no two write with one epoch", 1_000, destroyed, always],
    ["tokens are destroyed and clocks wrong by 5 s: no two write with one epoch", 1_000, worst, always],
  ])("%s, in %i runs; one leads in the end", { timeout }, (_, runs, scenario, promised) => {
    const rounds: Array<number> = Array.from({ length: patience + 1 }, () => 0)
    let notStrict = 0
    for (const seed of seeds(runs)) {
      const outcome = run(seed, scenario)
      const faults = outcome.violations.map(({ fault }) => fault)
      if (faults.some((fault) => promised.includes(fault))) expect.fail(report(seed, scenario))
      if (faults.includes("epochs not strict")) notStrict += 1
      rounds[outcome.rounds]! += 1
    }
    if (onlySeed || manyRuns) console.log({ scenario, notStrict, rounds })
  })

  test("the schedules reach every phase, every event and every command", () => {
    const tally = new Map<string, number>()
    for (const seed of upTo(500)) {
      for (const [what, count] of run(seed, worst).tally) tally.set(what, (tally.get(what) ?? 0) + count)
    }
    expect(reached.filter((what) => (tally.get(what) ?? 0) < 3)).toEqual([])
  })
})

const reached = [
  ...["out", "standby", "leading.starting", "leading.running", "draining", "stopped"].map((name) => `phase ${name}`),
  ...["opened", "token", "started", "renew", "renewLate", "quiet", "seen", "stop", "drained", "lost"].map(
    (name) => `event ${name}`,
  ),
  ...["open", "seed", "ack", "nack", "lead", "moved", "halt", "drain", "close"].map((name) => `command ${name}`),
  "consumer timeout of 3.10 and 4.0",
  "consumer timeout of 4.3",
  "the active consumer is demoted, and told nothing",
  "the heartbeats of a frozen member are missed",
  "the queue is purged",
  "the queue is deleted",
  "two led in their own view",
  "the store refused a write",
  "a leader found its epoch in the store",
]

/** The first seed with which the wrong protocol, or the wrong broker, shows the fault and the chart does not. */
const firstToShow = (fault: Fault, protocol: Protocol, scenario: Scenario, within: number): number | undefined => {
  const shows = (seed: number, by: Protocol, where: Scenario) =>
    run(seed, where, by).violations.some((violation) => violation.fault === fault)
  const honest = { ...scenario, shuffled: false }
  return upTo(within).find((seed) => shows(seed, protocol, scenario) && !shows(seed, right, honest))
}

describe("the model notices", () => {
  test.each<[string, Protocol, Scenario, Fault]>([
    ["that the count of a token is ignored", countIgnored, kept, "epochs not strict"],
    ["that a token starts at 0", baseZero, destroyed, "epochs not strict"],
    ["that a leader renews by publishing the token again", renewByRepublishing, kept, "epochs not strict"],
    ["that a member leads on a low token", leadOnLowToken, worst, "a member led on an epoch that it knew to be old"],
    ["that the consumer is cancelled before the token is let go", cancelBeforeRelease, kept, "two holders"],
    ["that there is no watchdog", noWatchdog, destroyed, "no single leader with a single token"],
    ["that a leader acks its own token", ackOwnToken, kept, "epochs not strict"],
    ["that a store is written unread", baseZero, { ...destroyed, store: "unread" }, "two members wrote with one epoch"],
    ["that tokens come back in another order", right, { ...kept, shuffled: true }, "epochs not strict"],
  ])("%s", { timeout }, (_, protocol, scenario, fault) => {
    expect(firstToShow(fault, protocol, scenario, 2_000)).toBeDefined()
  })
})
