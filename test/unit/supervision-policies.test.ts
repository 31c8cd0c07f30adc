import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { type Backoff, ceiling, delay, longestWait, nextAttempt } from "../../src/supervision/backoff.ts"
import { admit, alarm, type History, recent } from "../../src/supervision/intensity.ts"
import { decide, type Member, recovery, type Situation } from "../../src/supervision/plan.ts"
import type { ResolvedSpec } from "../../src/supervision/spec.ts"

describe("intensity", () => {
  test("restart n is granted and restart n+1 is refused", () => {
    const intensity = { maxRestarts: 3, within: 1_000 }
    let history: History = []
    const granted = [0, 10, 20, 30].map((now) => {
      const admission = admit(history, now, intensity)
      history = admission.history
      return admission.allowed
    })
    expect(granted).toEqual([true, true, true, false])
  })

  test("a restart exactly one window ago still counts; a moment later it does not", () => {
    const intensity = { maxRestarts: 1, within: 1_000 }
    expect(admit([0], 1_000, intensity).allowed).toBe(false)
    expect(admit([0], 1_001, intensity)).toEqual({ allowed: true, history: [1_001] })
    expect(recent([0, 1], 1_001, intensity)).toEqual([1])
  })

  test("with maxRestarts 0 the first restart is refused", () => {
    expect(admit([], 0, { maxRestarts: 0, within: 1_000 }).allowed).toBe(false)
  })

  test("it agrees with counting all restarts that ever were", () => {
    const gaps = fc.array(fc.nat(60), { maxLength: 60 })
    fc.assert(
      fc.property(gaps, fc.nat(6), fc.integer({ min: 1, max: 100 }), (gaps, maxRestarts, within) => {
        const all: Array<number> = []
        let history: History = []
        for (const gap of gaps) {
          const now = (all.at(-1) ?? 0) + gap
          all.push(now)
          const admission = admit(history, now, { maxRestarts, within })
          history = admission.history
          expect(admission.allowed).toBe(all.filter((time) => now - time <= within).length <= maxRestarts)
        }
      }),
    )
  })

  test("the alarm rises as the window fills", () => {
    const levels = [1, 2, 7, 8, 10].map((used) => alarm(used, { maxRestarts: 10, within: 1 }))
    expect(levels).toEqual(["info", "info", "info", "warning", "warning"])
    expect(alarm(1, { maxRestarts: 1, within: 1 })).toBe("info")
  })
})

const backoffs: fc.Arbitrary<Backoff> = fc.record({
  initial: fc.integer({ min: 1, max: 1_000 }),
  factor: fc.double({ min: 1, max: 4, noNaN: true }),
  max: fc.integer({ min: 1_000, max: 20_000 }),
  jitter: fc.constantFrom("full", "none"),
  resetAfter: fc.integer({ min: 1, max: 60_000 }),
})

describe("backoff", () => {
  const backoff: Backoff = { initial: 100, factor: 2, max: 1_000, jitter: "none", resetAfter: 5_000 }

  test("grows by its factor up to its maximum", () => {
    expect([1, 2, 3, 4, 5, 6, 2_000].map((n) => delay(n, backoff, 0.3))).toEqual([100, 200, 400, 800, 1e3, 1e3, 1e3])
  })

  test("with full jitter a wait lies anywhere below its ceiling", () => {
    const full: Backoff = { ...backoff, jitter: "full" }
    expect([0, 0.5, 0.999].map((random) => delay(3, full, random))).toEqual([0, 200, 399])
  })

  test("no wait is longer than its ceiling, and ceilings never shrink or pass the maximum", () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(backoffs, fc.integer({ min: 1, max: 500 }), random, (backoff, attempt, random) => {
        const wait = delay(attempt, backoff, random)
        expect(wait).toBeGreaterThanOrEqual(0)
        expect(wait).toBeLessThanOrEqual(ceiling(attempt, backoff))
        expect(ceiling(attempt, backoff)).toBeLessThanOrEqual(ceiling(attempt + 1, backoff))
        expect(ceiling(attempt, backoff)).toBeLessThanOrEqual(backoff.max)
      }),
    )
  })

  test("the longest wait of n attempts is the sum of their ceilings", () => {
    fc.assert(
      fc.property(backoffs, fc.nat(200), (backoff, attempts) => {
        let sum = 0
        for (let attempt = 1; attempt <= attempts; attempt++) sum += ceiling(attempt, backoff)
        expect(longestWait(attempts, backoff)).toBeCloseTo(sum, 3)
      }),
    )
  })

  test("attempts begin anew only after enough uptime", () => {
    expect(nextAttempt(4, 4_999, backoff)).toBe(5)
    expect(nextAttempt(4, 5_000, backoff)).toBe(1)
  })
})

const situations: fc.Arbitrary<Situation> = fc.record({
  spec: fc.record({
    intensity: fc.record({ maxRestarts: fc.nat(3), within: fc.constantFrom(10, 100) }),
    autoShutdown: fc.constantFrom("never", "any-significant", "all-significant"),
    whenExhausted: fc.constantFrom<ResolvedSpec["whenExhausted"]>("escalate", "stop", { retryAfter: 5 }),
  }),
  child: fc.record({
    restart: fc.constantFrom("permanent", "transient", "temporary"),
    significant: fc.boolean(),
  }),
  outcome: fc.constantFrom("ended", "crashed", "fatal"),
  significantLeft: fc.boolean(),
  history: fc.array(fc.nat(100), { maxLength: 5 }).map((times) => times.sort((a, b) => a - b)),
  now: fc.constant(100),
})

describe("an exit", () => {
  test("means what OTP says, whatever the situation", () => {
    fc.assert(
      fc.property(situations, (situation) => {
        const { spec, child, outcome, history, now, significantLeft } = situation
        const { _tag } = decide(situation)
        const restarts = { permanent: true, transient: outcome === "crashed", temporary: false }[child.restart]
        const used = history.filter((time) => now - time <= spec.intensity.within).length
        const shuts = { never: false, "any-significant": true, "all-significant": !significantLeft }[spec.autoShutdown]
        if (outcome === "fatal") expect(_tag).toBe("Fatal")
        else if (restarts) expect(_tag).toBe(used < spec.intensity.maxRestarts ? "Restart" : "Exhausted")
        else expect(_tag).toBe(child.significant && shuts ? "AutoShutdown" : "Forget")
      }),
      { numRuns: 500 },
    )
  })
})

const families = fc
  .array(
    fc.record({ restart: fc.constantFrom("permanent", "transient", "temporary"), alive: fc.boolean() }) as fc.Arbitrary<
      Omit<Member, "id">
    >,
    { minLength: 1, maxLength: 8 },
  )
  .chain((members) =>
    fc.tuple(fc.constant(members.map((member, i): Member => ({ ...member, id: `c${i}` }))), fc.nat(members.length - 1)),
  )
  .map(([members, at]) => ({
    at,
    members: members.map((member, i): Member => (i === at ? { ...member, restart: "permanent" } : member)),
  }))

describe("a recovery", () => {
  const ids = (members: ReadonlyArray<Member>) => members.map(({ id }) => id)

  test("stops exactly the living ones of its group, in reverse, and starts the group in order", () => {
    fc.assert(
      fc.property(
        families,
        fc.constantFrom("one-for-one" as const, "rest-for-one" as const, "one-for-all" as const),
        ({ members, at }, strategy) => {
          const first = { "one-for-one": at, "rest-for-one": at, "one-for-all": 0 }[strategy]
          const end = strategy === "one-for-one" ? at + 1 : members.length
          const group = members.slice(first, end)
          const plan = recovery(strategy, members, `c${at}`)
          expect(plan.stop).toEqual(ids(group.filter(({ id, alive }) => alive && id !== `c${at}`)).reverse())
          expect(plan.start).toEqual(ids(group.filter(({ alive, restart }) => !(alive && restart === "temporary"))))
          expect([...plan.start, ...plan.forget].sort()).toEqual(ids(group).sort())
        },
      ),
    )
  })

  test("of a child that is not in the list concerns nobody", () => {
    const members: ReadonlyArray<Member> = [{ id: "a", restart: "permanent", alive: true }]
    expect(recovery("one-for-all", members, "x")).toEqual({ stop: [], forget: [], start: [] })
  })
})
