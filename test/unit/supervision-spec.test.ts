import { Effect, Result, Schema } from "effect"
import { expect, test } from "vitest"
import { asChild } from "../../src/supervision/nested.ts"
import { type ChildSpec, resolve, resolveAll, SupervisorSpec } from "../../src/supervision/spec.ts"
import { supervise } from "../../src/supervision/supervisor.ts"
import { actors, inTestTime } from "./supervision-actors.ts"

const problems = (spec: SupervisorSpec, children: ReadonlyArray<ChildSpec> = []) =>
  Result.match(resolveAll("s", spec, children), { onFailure: (error) => error.problems, onSuccess: () => [] })

test("an empty spec gets the defaults", () => {
  expect(Result.getOrThrow(resolveAll("s", {}, [{ id: "a" }]))).toEqual({
    supervisor: {
      strategy: "one-for-one",
      intensity: { maxRestarts: 10, within: 60_000 },
      backoff: { initial: 100, factor: 2, max: 10_000, jitter: "full", resetAfter: 30_000 },
      whenExhausted: "escalate",
      autoShutdown: "never",
    },
    children: [
      {
        id: "a",
        restart: "permanent",
        shutdown: 5_000,
        significant: false,
        backoff: { initial: 100, factor: 2, max: 10_000, jitter: "full", resetAfter: 30_000 },
      },
    ],
  })
})

test("a spec is JSON, and durations are ms or text", () => {
  const json = JSON.parse(`{
    "strategy": "rest-for-one",
    "intensity": { "maxRestarts": 3, "within": "2 minutes" },
    "backoff": { "initial": 50, "max": "1 second" },
    "whenExhausted": { "retryAfter": "1 hour" },
    "autoShutdown": "all-significant"
  }`)
  expect(Result.getOrThrow(resolve("s", Schema.decodeUnknownSync(SupervisorSpec)(json)))).toEqual({
    strategy: "rest-for-one",
    intensity: { maxRestarts: 3, within: 120_000 },
    backoff: { initial: 50, factor: 2, max: 1_000, jitter: "full", resetAfter: 30_000 },
    whenExhausted: { retryAfter: 3_600_000 },
    autoShutdown: "all-significant",
  })
})

test("a child overrides single fields of the backoff, and its shutdown has two words", () => {
  const children: ReadonlyArray<ChildSpec> = [
    { id: "a", backoff: { initial: 1 } },
    { id: "b", shutdown: "brutal" },
    { id: "c", shutdown: "infinity" },
  ]
  const [a, b, c] = Result.getOrThrow(resolveAll("s", { backoff: { factor: 3, max: "5 seconds" } }, children)).children
  expect(a!.backoff).toMatchObject({ initial: 1, factor: 3, max: 5_000 })
  expect([b!.shutdown, c!.shutdown]).toEqual([0, Number.POSITIVE_INFINITY])
})

test("a window that the waits of its restarts outlast is refused, with the numbers", () => {
  const backoff = { initial: 1_000, max: 4_000 }
  expect(problems({ intensity: { maxRestarts: 4, within: 11_001 }, backoff })).toEqual([])
  expect(problems({ intensity: { maxRestarts: 4, within: "11 seconds" }, backoff })).toEqual([
    "4 restarts may wait 11000 ms together, so they never fall within 11000 ms and the supervisor would never give " +
      "up: make intensity.within longer than 11000 ms, or the backoff shorter",
  ])
  expect(problems({ intensity: { within: "1 minute" } }, [{ id: "a", backoff: { initial: "10 seconds" } }])).toEqual([
    expect.stringMatching(/^child "a": 10 restarts may wait 100000 ms together, so they never fall within 60000 ms/),
  ])
})

test("contradictions about significant children are refused", () => {
  expect(problems({ autoShutdown: "any-significant" }, [{ id: "a", significant: true }])).toEqual([
    'child "a" is significant and permanent, but a permanent child never ends: make it transient',
  ])
  expect(problems({}, [{ id: "a", significant: true, restart: "transient" }])).toEqual([
    'child "a" is significant, but autoShutdown is "never"',
  ])
})

test("duplicate and empty ids are refused", () => {
  expect(problems({}, [{ id: "a" }, { id: "b" }, { id: "a" }])).toEqual(['two children have the id "a"'])
  expect(problems({}, [{ id: "" }])).toEqual(["a child's id is empty"])
})

test.each<[string, SupervisorSpec]>([
  ["intensity.maxRestarts is -1", { intensity: { maxRestarts: -1 } }],
  ["intensity.maxRestarts is 1.5", { intensity: { maxRestarts: 1.5 } }],
  ["intensity.maxRestarts is Infinity", { intensity: { maxRestarts: Number.POSITIVE_INFINITY } }],
  ["intensity.within is 0", { intensity: { within: 0 } }],
  ['intensity.within is "soon"', { intensity: { within: "soon" } }],
  ['intensity.within is "Infinity"', { intensity: { within: "Infinity" } }],
  ["backoff.initial is 0", { backoff: { initial: 0 } }],
  ["backoff.initial is -5", { backoff: { initial: -5 } }],
  ["backoff.factor is 0.5", { backoff: { factor: 0.5 } }],
  ["backoff.resetAfter is 0", { backoff: { resetAfter: 0 } }],
  ["backoff.max (50 ms) is less than backoff.initial (100 ms)", { backoff: { max: 50 } }],
  ["whenExhausted.retryAfter is 0", { whenExhausted: { retryAfter: 0 } }],
])("refused: %s", (start, spec) => {
  expect(problems(spec)).toEqual([expect.stringContaining(start)])
})

test("maxRestarts 0 is a spec: the first crash already exhausts it", () => {
  expect(problems({ intensity: { maxRestarts: 0 } })).toEqual([])
})

test("plain JavaScript and files are checked for their shape", () => {
  expect(problems({ strategy: "one-for-two" } as never)[0]).toMatch(/one-for-one.*strategy/s)
})

test("a wrong spec anywhere in a tree is refused before anything is started, and is fatal", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log } = actors()
      const inner = asChild("inner", {}, [child("b"), child("b")])
      const outer = asChild("outer", {}, [child("c"), inner])
      const error = yield* Effect.flip(supervise("s", {}, [child("a"), outer]))
      expect(error).toMatchObject({
        _tag: "SpecError",
        fatal: true,
        message: 'the spec of supervisor "inner" cannot work: two children have the id "b"',
      })
      expect(log).toEqual([])
    }),
  ))

test("a supervisor that may end by itself is transient as a child, and must not be permanent", () => {
  const { child } = actors()
  const ends: ReadonlyArray<SupervisorSpec> = [{ whenExhausted: "stop" }, { autoShutdown: "any-significant" }]
  for (const spec of ends) {
    expect(asChild("n", spec, [child("a")]).spec.restart).toBe("transient")
    expect(asChild("n", spec, [child("a")], { restart: "permanent" }).check?.()?.message).toMatch(/make it transient/)
  }
  expect(asChild("n", {}, []).spec).toEqual({ id: "n", restart: "permanent", shutdown: "infinity" })
})
