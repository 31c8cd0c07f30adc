import { Effect } from "effect"
import { expect, test } from "vitest"
import { Observer, type RestartEvent } from "../../src/supervision/observer.ts"
import type { SupervisorSpec } from "../../src/supervision/spec.ts"
import { supervise } from "../../src/supervision/supervisor.ts"
import { actors, inTestTime, pass } from "./supervision-actors.ts"

const backoff = { jitter: "none" } as const

/** Crashes one of a, b, c; what was written down before, and after, its backoff of 100 ms. */
const crashed = (strategy: NonNullable<SupervisorSpec["strategy"]>, victim: string) =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      yield* supervise("s", { strategy, backoff }, [child("a"), child("b"), child("c")])
      expect(news()).toEqual(["+a", "+b", "+c"])
      yield* crash(victim)
      yield* pass(90)
      const down = news()
      yield* pass(10)
      const up = news()
      yield* pass(60_000)
      expect(news(), "nothing else moves").toEqual([])
      return [down.join(" "), up.join(" ")]
    }),
  )

test.each([
  ["one-for-one", "a", "-a", "+a"],
  ["one-for-one", "b", "-b", "+b"],
  ["one-for-one", "c", "-c", "+c"],
  ["rest-for-one", "a", "-a -c -b", "+a +b +c"],
  ["rest-for-one", "b", "-b -c", "+b +c"],
  ["rest-for-one", "c", "-c", "+c"],
  ["one-for-all", "a", "-a -c -b", "+a +b +c"],
  ["one-for-all", "b", "-b -c -a", "+a +b +c"],
  ["one-for-all", "c", "-c -b -a", "+a +b +c"],
] as const)("%s: a crash of %s stops %s and then starts %s", async (strategy, victim, down, up) => {
  expect(await crashed(strategy, victim)).toEqual([down, up])
})

test("a permanent child is restarted after a crash and after a normal end", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, crash, end } = actors()
      yield* supervise("s", { backoff }, [child("a")])
      yield* crash("a")
      yield* pass(100)
      yield* end("a")
      yield* pass(200)
      expect(news()).toEqual(["+a", "-a", "+a", "-a", "+a"])
    }),
  ))

test("a transient child is restarted after a crash, not after a normal end, and stays in the list", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log, crash, end } = actors()
      const s = yield* supervise("s", { backoff }, [child("a", { restart: "transient" })])
      yield* crash("a")
      yield* pass(100)
      yield* end("a")
      yield* pass(60_000)
      expect(log, "what it held is released only at its end for good").toEqual(["(a", "+a", "-a", "+a", "-a", "a)"])
      expect(s.view().children.map(({ id, state }) => [id, state])).toEqual([["a", "stopped"]])
    }),
  ))

test("a temporary child is never restarted, and forgotten", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log, crash } = actors()
      const s = yield* supervise("s", { backoff }, [child("a", { restart: "temporary" })])
      yield* crash("a")
      yield* pass(60_000)
      expect(log).toEqual(["(a", "+a", "-a", "a)"])
      expect(s.view().children).toEqual([])
    }),
  ))

test("a temporary child that is stopped for a sibling's sake is not started again", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log, crash } = actors()
      const spec = { strategy: "one-for-all", backoff } as const
      const s = yield* supervise("s", spec, [child("a"), child("b", { restart: "temporary" }), child("c")])
      log.length = 0
      yield* crash("c")
      yield* pass(100)
      expect(log).toEqual(["-c", "-b", "b)", "-a", "+a", "+c"])
      expect(s.view().children.map(({ id }) => id)).toEqual(["a", "c"])
    }),
  ))

test("a temporary child that crashes takes nobody along", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      yield* supervise("s", { strategy: "one-for-all", backoff }, [child("a"), child("b", { restart: "temporary" })])
      news()
      yield* crash("b")
      yield* pass(60_000)
      expect(news()).toEqual(["-b"])
    }),
  ))

test("a transient child that has ended comes back when its group restarts", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log, news, crash, end } = actors()
      yield* supervise("s", { strategy: "rest-for-one", backoff }, [child("a"), child("b", { restart: "transient" })])
      yield* end("b")
      expect(log).toContain("b)")
      log.length = 0
      yield* crash("a")
      yield* pass(100)
      expect(log).toEqual(["-a", "+a", "(b", "+b"])
      news()
    }),
  ))

test("what a child holds outlives its restarts and those of its siblings", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log, crash } = actors()
      const s = yield* supervise("s", { strategy: "one-for-all", backoff }, [child("a"), child("b")])
      yield* crash("a")
      yield* pass(100)
      yield* crash("b")
      yield* pass(100)
      yield* s.stop
      expect(log.filter((entry) => /[()]/.test(entry))).toEqual(["(a", "(b", "b)", "a)"])
    }),
  ))

test("a failed restart counts again, waits longer, and does not hold up the siblings of a one-for-one", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      const events: Array<RestartEvent> = []
      const failStart = (start: number) => (start === 2 || start === 3 ? "not yet" : undefined)
      yield* supervise("s", { backoff }, [child("a", { failStart }), child("b")]).pipe(
        Effect.provideService(Observer, { onRestart: (event) => void events.push(event) }),
      )
      news()
      yield* crash("a")
      yield* pass(150)
      yield* crash("b")
      yield* pass(100)
      expect(news()).toEqual(["-a", "!a", "-b", "+b"])
      yield* pass(450)
      expect(news()).toEqual(["!a", "+a"])
      expect(events.map(({ supervisor, child, attempt, delay }) => [supervisor, child, attempt, delay])).toEqual([
        ["s", "a", 1, 100],
        ["s", "a", 2, 200],
        ["s", "b", 1, 100],
        ["s", "a", 3, 400],
      ])
    }),
  ))

test("in a rest-for-one, a restart that fails further down is tried again from there", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      const failStart = (start: number) => (start === 2 ? "not yet" : undefined)
      yield* supervise("s", { strategy: "rest-for-one", backoff }, [child("a"), child("b", { failStart }), child("c")])
      news()
      yield* crash("a")
      yield* pass(100)
      expect(news()).toEqual(["-a", "-c", "-b", "+a", "!b"])
      yield* pass(100)
      expect(news()).toEqual(["+b", "+c"])
    }),
  ))

test("in a one-for-all, a restart that fails further down is tried again from the first child", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      const failStart = (start: number) => (start === 2 ? "not yet" : undefined)
      yield* supervise("s", { strategy: "one-for-all", backoff }, [child("a"), child("b", { failStart }), child("c")])
      news()
      yield* crash("c")
      yield* pass(100)
      expect(news()).toEqual(["-c", "-b", "-a", "+a", "!b", "-a"])
      yield* pass(100)
      expect(news()).toEqual(["+a", "+b", "+c"])
    }),
  ))

test("an earlier child that crashes while a rest-for-one waits widens the group", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      yield* supervise("s", { strategy: "rest-for-one", backoff }, [child("a"), child("b"), child("c")])
      news()
      yield* crash("b")
      yield* pass(50)
      yield* crash("a")
      yield* pass(60)
      expect(news()).toEqual(["-b", "-c", "-a"])
      yield* pass(40)
      expect(news()).toEqual(["+a", "+b", "+c"])
    }),
  ))

test("a group waits for the longest backoff of those that crashed in it", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      const patient = child("b", { backoff: { initial: "1 second", max: "1 second" } })
      yield* supervise("s", { strategy: "rest-for-one", backoff }, [child("a"), patient])
      news()
      yield* crash("b")
      yield* crash("a")
      yield* pass(990)
      expect(news()).toEqual(["-b", "-a"])
      yield* pass(10)
      expect(news()).toEqual(["+a", "+b"])
    }),
  ))

test("a child that comes back waits until its former incarnation has released everything", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log, crash, end } = actors()
      const b = child("b", { restart: "transient", releaseTakes: 500 })
      yield* supervise("s", { strategy: "one-for-all", backoff }, [child("a"), b])
      log.length = 0
      yield* end("b")
      yield* crash("a")
      yield* pass(500)
      expect(log).toEqual(["-b", "-a", "+a", "b)", "(b", "+b"])
      yield* end("b")
      yield* pass(500)
    }),
  ))

test("waits grow while a child keeps crashing, and begin anew only after enough uptime", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, crash } = actors()
      const delays: Array<number> = []
      const spec = { backoff: { ...backoff, resetAfter: "5 seconds" } }
      yield* supervise("s", spec, [child("a")]).pipe(
        Effect.provideService(Observer, { onRestart: ({ delay }) => void delays.push(delay) }),
      )
      for (const uptime of [0, 0, 4_990, 5_000, 0]) {
        yield* pass(uptime, 10)
        yield* crash("a")
        yield* pass(delays.at(-1)!)
      }
      expect(delays).toEqual([100, 200, 400, 100, 200])
    }),
  ))

test("time spent starting is no uptime", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, crash } = actors()
      const delays: Array<number> = []
      const spec = { backoff: { ...backoff, resetAfter: "1 second" } }
      const fiber = yield* Effect.forkScoped(
        supervise("s", spec, [child("a", { readyTakes: 1_500 })]).pipe(
          Effect.provideService(Observer, { onRestart: ({ delay }) => void delays.push(delay) }),
        ),
      )
      for (const wait of [0, 100]) {
        yield* pass(wait + 1_510)
        yield* crash("a")
      }
      expect(delays).toEqual([100, 200])
      fiber.interruptUnsafe()
    }),
  ))

test("an observer that throws is logged, and the restart happens", async () => {
  const logs: Array<string> = []
  await inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      const onRestart = () => {
        throw new Error("no display")
      }
      yield* Effect.provideService(supervise("s", { backoff }, [child("a")]), Observer, { onRestart })
      yield* crash("a")
      yield* pass(100)
      expect(news()).toEqual(["+a", "-a", "+a"])
    }),
    logs,
  )
  expect(logs.join("\n")).toMatch(/an observer of restarts threw/)
})
