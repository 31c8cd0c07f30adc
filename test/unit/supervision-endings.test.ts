import { Cause, Effect, Exit } from "effect"
import { expect, test } from "vitest"
import { fatalIn, GaveUp, StartFailed } from "../../src/supervision/errors.ts"
import { asChild } from "../../src/supervision/nested.ts"
import type { SupervisorSpec } from "../../src/supervision/spec.ts"
import { supervise } from "../../src/supervision/supervisor.ts"
import { actors, inTestTime, pass } from "./supervision-actors.ts"

const quick: SupervisorSpec = {
  intensity: { maxRestarts: 2, within: "10 seconds" },
  backoff: { initial: 10, max: 10, jitter: "none" },
}

test("one restart too many within the window stops all children in reverse and gives up", async () => {
  const logs: Array<string> = []
  await inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      const s = yield* supervise("s", quick, [child("a"), child("b")])
      yield* crash("a", "first")
      yield* pass(10)
      yield* crash("b", "second")
      yield* pass(10)
      news()
      yield* crash("a", "third")
      expect(news()).toEqual(["-a", "-b"])
      const error = new GaveUp({ supervisor: "s", child: "a", maxRestarts: 2, within: 10_000, cause: "third" })
      expect(yield* s.awaitExit).toEqual(Exit.fail(error))
      expect(s.view()).toMatchObject({
        state: "failed",
        children: [{ state: "failed", error: "third" }, { state: "stopped" }],
      })
      yield* pass(60_000)
      expect(news()).toEqual([])
    }),
    logs,
  )
  expect(logs).toEqual([
    'Info "s": "a" crashed, restart in 10 ms (1 of 2 within 10 s): first',
    'Warn "s": "b" crashed, restart in 10 ms (2 of 2 within 10 s): second',
    'Error supervisor "s" gave up: more than 2 restarts within 10000 ms, the last crash was "a": third',
  ])
})

test("a crash exactly one window after the first still counts; one later than that does not", () =>
  inTestTime(
    Effect.gen(function* () {
      for (const [gap, ends] of [
        [10_000, true],
        [10_001, false],
      ] as const) {
        const { child, crash } = actors()
        const s = yield* supervise("s", quick, [child("a")])
        yield* crash("a")
        yield* pass(10)
        yield* crash("a")
        yield* pass(10)
        yield* pass(gap - 20, 1_000)
        yield* crash("a")
        expect(s.view().state).toBe(ends ? "failed" : "running")
      }
    }),
  ))

test('whenExhausted "stop" stops all children and is no failure', () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      const spec: SupervisorSpec = { ...quick, intensity: { maxRestarts: 0 }, whenExhausted: "stop" }
      const nested = asChild("n", spec, [child("b"), child("c")])
      const s = yield* supervise("s", quick, [child("a"), nested])
      news()
      yield* crash("b")
      yield* pass(60_000)
      expect(news()).toEqual(["-b", "-c"])
      expect(s.view()).toMatchObject({
        state: "running",
        restarts: 0,
        children: [{ state: "running" }, { state: "stopped" }],
      })
    }),
  ))

test("whenExhausted retryAfter stops all children, waits, and starts again with an empty window and backoff", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log, crash } = actors()
      const s = yield* supervise(
        "s",
        {
          intensity: { maxRestarts: 2, within: "1 minute" },
          backoff: { initial: 10, jitter: "none" },
          whenExhausted: { retryAfter: "5 seconds" },
        },
        [child("a"), child("b")],
      )
      for (const wait of [10, 20]) {
        yield* crash("a")
        yield* pass(wait)
      }
      log.length = 0
      yield* crash("a")
      yield* pass(4_900)
      expect(log, "what they hold is kept").toEqual(["-a", "-b"])
      expect(s.view()).toMatchObject({
        state: "waiting",
        children: [{ state: "waiting", startsIn: 100 }, { state: "waiting" }],
      })
      yield* pass(100)
      expect(log.splice(0)).toEqual(["-a", "-b", "+a", "+b"])
      expect(s.view()).toMatchObject({ state: "running", detail: "one-for-one, 0 of 2 restarts in 1 min" })
      for (const wait of [10, 20]) {
        yield* crash("a")
        yield* pass(wait)
      }
      expect(log).toEqual(["-a", "+a", "-a", "+a"])
    }),
  ))

test("a stop or a start is served while the supervisor waits to retry", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      const spec: SupervisorSpec = {
        ...quick,
        intensity: { maxRestarts: 0 },
        whenExhausted: { retryAfter: "1 minute" },
      }
      const s = yield* supervise("s", spec, [child("a"), child("b")])
      yield* crash("a")
      news()
      expect(yield* s.stopChild("a")).toBe(true)
      yield* Effect.forkScoped(s.startChild(child("c")))
      yield* pass(59_000)
      expect(news()).toEqual([])
      yield* pass(1_000)
      expect(news()).toEqual(["+b", "+c"])
    }),
  ))

test("a nested supervisor that gives up is a crash of the child, restarted without what was added to it", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log, news, crash } = actors()
      const nested = asChild("n", { ...quick, intensity: { maxRestarts: 0 } }, [child("b")])
      const s = yield* supervise("s", quick, [child("a"), nested])
      yield* nested.current()!.startChild(child("c"))
      log.length = 0
      yield* crash("b")
      yield* pass(10)
      expect(log, "what a nested child holds does not outlive its supervisor").toEqual([
        "-b",
        "-c",
        "c)",
        "b)",
        "(b",
        "+b",
      ])
      news()
      expect(s.view()).toMatchObject({
        children: [
          { id: "a", restarts: 0 },
          { id: "n", restarts: 1, children: [{ id: "b", state: "running" }] },
        ],
      })
    }),
  ))

test("exhaustion goes up level by level", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, crash } = actors()
      const strict = { ...quick, intensity: { maxRestarts: 0 } }
      const s = yield* supervise("s", strict, [asChild("m", strict, [asChild("n", strict, [child("a")])])])
      yield* crash("a")
      expect(yield* s.awaitExit).toMatchObject({
        cause: {
          reasons: [
            { error: { supervisor: "s", child: "m", cause: { supervisor: "m", child: "n", cause: { child: "a" } } } },
          ],
        },
      })
    }),
  ))

test.each(["failure", "defect"])("a fatal %s is not retried: it goes up unchanged and stops the whole tree", (kind) =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      const fatal = Object.assign(new Error("wrong password"), { fatal: true })
      const nested = asChild("n", {}, [
        child("c"),
        asChild("o", {}, [child("d", { restart: "temporary" }), child("e")]),
      ])
      const s = yield* supervise("s", {}, [child("a"), nested, child("b")])
      news()
      yield* crash(
        "d",
        kind === "failure"
          ? fatal
          : new GaveUp({ supervisor: "x", child: "y", maxRestarts: 0, within: 1, cause: fatal }),
      )
      expect(news()).toEqual(["-d", "-e", "-c", "-b", "-a"])
      const exit = yield* s.awaitExit
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBe(fatal)
    }),
  ),
)

test("a fatal error at the first start passes through two levels unchanged", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log } = actors()
      const fatal = { fatal: true }
      const nested = asChild("n", {}, [asChild("o", {}, [child("b", { failStart: () => fatal })])])
      expect(yield* Effect.flip(supervise("s", {}, [child("a"), nested]))).toBe(fatal)
      expect(log.join(" ")).toBe("(a +a (b !b b) -a a)")
    }),
  ))

test("a fatal error at a restart is not retried either", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, crash } = actors()
      const fatal = { fatal: true }
      const s = yield* supervise("s", quick, [child("a", { failStart: (start) => (start > 1 ? fatal : undefined) })])
      yield* crash("a")
      yield* pass(10)
      expect(yield* s.awaitExit).toEqual(Exit.fail(fatal))
    }),
  ))

test("fatal is found as a failure, as a defect and inside our own errors, and nowhere else", () => {
  const fatal = { fatal: true } as const
  const inside = new StartFailed({ supervisor: "s", child: "c", cause: fatal })
  expect(fatalIn(Cause.fail(fatal))).toBe(fatal)
  expect(fatalIn(Cause.die(fatal))).toBe(fatal)
  expect(fatalIn(Cause.combine(Cause.fail("x"), Cause.die(inside)))).toBe(fatal)
  expect(fatalIn(Cause.fail(new Error("handled", { cause: fatal })))).toBeUndefined()
  expect(fatalIn(Cause.fail({ fatal: "yes" }))).toBeUndefined()
  expect(fatalIn(Cause.interrupt())).toBeUndefined()
})

const significant = { restart: "transient", significant: true } as const

test("any-significant: the first significant child that ends ends the supervisor, which is no failure", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, end } = actors()
      const s = yield* supervise("s", { autoShutdown: "any-significant" }, [
        child("a"),
        child("b", significant),
        child("c", significant),
        child("d", { restart: "transient" }),
      ])
      news()
      yield* end("d")
      expect(s.view().state).toBe("running")
      yield* end("b")
      expect(news()).toEqual(["-d", "-b", "-c", "-a"])
      expect(yield* s.awaitExit).toEqual(Exit.succeed("auto-shutdown"))
    }),
  ))

test("all-significant: the last significant child that ends by itself ends the supervisor", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, end, crash } = actors()
      const s = yield* supervise("s", { ...quick, autoShutdown: "all-significant" }, [
        child("a"),
        child("b", significant),
        child("c", significant),
        child("d", { restart: "temporary", significant: true }),
      ])
      yield* end("b")
      yield* crash("c")
      yield* crash("d")
      expect(s.view().state, "c is only waiting for its restart").toBe("running")
      yield* pass(10)
      yield* end("c")
      expect(yield* s.awaitExit).toEqual(Exit.succeed("auto-shutdown"))
    }),
  ))

test("a significant child that is stopped from outside, or for a sibling's sake, ends nothing", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, crash } = actors()
      const s = yield* supervise("s", { ...quick, strategy: "one-for-all", autoShutdown: "any-significant" }, [
        child("a"),
        child("b", significant),
        child("c", { restart: "temporary", significant: true }),
      ])
      yield* s.stopChild("b")
      yield* crash("a")
      yield* pass(10)
      expect(s.view()).toMatchObject({ state: "running", children: [{ id: "a", state: "running" }] })
    }),
  ))

test("a supervisor outlives its last child, as in OTP", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, end } = actors()
      const s = yield* supervise("s", {}, [child("a", { restart: "transient" })])
      yield* end("a")
      yield* pass(60_000)
      expect(s.view().state).toBe("running")
      yield* s.startChild(child("b"))
    }),
  ))
