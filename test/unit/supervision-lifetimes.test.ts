import { Context, Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { expect, test } from "vitest"
import type { Child } from "../../src/supervision/child.ts"
import { SpecError, StartFailed } from "../../src/supervision/errors.ts"
import { type Supervisor, supervise } from "../../src/supervision/supervisor.ts"
import { actors, inTestTime, pass, settle } from "./supervision-actors.ts"

const backoff = { jitter: "none" } as const

test("children start in order, each when the one before it is ready, and stop in reverse", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log } = actors()
      const scope = yield* Scope.make()
      const starting = yield* supervise("s", {}, [child("a", { readyTakes: 100 }), child("b")]).pipe(
        Effect.provideService(Scope.Scope, scope),
        Effect.forkScoped,
      )
      yield* pass(90)
      expect(log).toEqual(["(a"])
      yield* pass(10)
      const s = yield* Fiber.join(starting)
      expect(log).toEqual(["(a", "+a", "(b", "+b"])
      yield* Scope.close(scope, Exit.void)
      expect(log.slice(4)).toEqual(["-b", "b)", "-a", "a)"])
      expect(s.view().state).toBe("stopped")
      expect(yield* s.awaitExit).toEqual(Exit.succeed("stopped"))
    }),
  ))

test("a child that fails before it is first ready stops the earlier ones in reverse and fails the start", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log } = actors()
      const exit = yield* Effect.exit(
        supervise("s", { backoff }, [child("a"), child("b"), child("c", { failStart: () => "no" }), child("d")]),
      )
      expect(exit).toEqual(Exit.fail(new StartFailed({ supervisor: "s", child: "c", cause: "no" })))
      expect(log).toEqual(["(a", "+a", "(b", "+b", "(c", "!c", "c)", "-b", "b)", "-a", "a)"])
      yield* pass(60_000)
      expect(log.length, "it is not tried again").toBe(11)
    }),
  ))

test("a child that fails to open fails the start in the same way", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log } = actors()
      const broken = { ...child("b"), open: Effect.fail("no") }
      const error = yield* Effect.flip(supervise("s", {}, [child("a"), broken]))
      expect(error).toMatchObject({ _tag: "StartFailed", child: "b", cause: "no" })
      expect(log).toEqual(["(a", "+a", "-a", "a)"])
    }),
  ))

test("an earlier child that crashes while a later one is first starting is restarted by the strategy", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      const children = [child("a"), child("b", { readyTakes: 1_000 })]
      const starting = yield* Effect.forkScoped(supervise("s", { strategy: "rest-for-one", backoff }, children))
      yield* pass(500)
      yield* crash("a")
      yield* pass(1_100)
      expect(starting.pollUnsafe()).toEqual(Exit.succeed(expect.anything()))
      expect(news()).toEqual(["+a", "-a", "+a", "+b"])
    }),
  ))

test("a stop waits for a child up to its shutdown, then abandons it and says so", async () => {
  const logs: Array<string> = []
  await inTestTime(
    Effect.gen(function* () {
      const { child, news } = actors()
      const s = yield* supervise("s", {}, [
        child("quick"),
        child("slow", { stopTakes: 900, shutdown: "1 second" }),
        child("stuck", { stopTakes: Number.POSITIVE_INFINITY, shutdown: "2 seconds" }),
        child("brutal", { stopTakes: 500, shutdown: "brutal" }),
      ])
      news()
      const stopping = yield* Effect.forkScoped(s.stop)
      yield* pass(1_990)
      expect(news(), "brutal is not waited for").toEqual(["-brutal"])
      yield* pass(10)
      yield* pass(890)
      expect(news()).toEqual([])
      expect(stopping.pollUnsafe()).toBeUndefined()
      yield* pass(10)
      expect(news()).toEqual(["-slow", "-quick"])
      expect(stopping.pollUnsafe()).toEqual(Exit.void)
    }),
    logs,
  )
  expect(logs).toEqual(['Warn "stuck" of supervisor "s" did not stop within 2000 ms: abandoned'])
})

test("shutdown infinity waits as long as it takes", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news } = actors()
      const s = yield* supervise("s", {}, [child("a", { stopTakes: 3_600_000, shutdown: "infinity" })])
      const stopping = yield* Effect.forkScoped(s.stop)
      yield* pass(3_599_000, 60_000)
      expect(stopping.pollUnsafe()).toBeUndefined()
      yield* pass(2_000)
      expect(news()).toEqual(["+a", "-a"])
    }),
  ))

test("the end of a child and the release of what it holds share one bound", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log } = actors()
      const slow = child("a", { stopTakes: 800, releaseTakes: 800, shutdown: "1 second" })
      const s = yield* supervise("s", {}, [slow])
      const stopping = yield* Effect.forkScoped(s.stop)
      yield* pass(990)
      expect(stopping.pollUnsafe()).toBeUndefined()
      yield* pass(10)
      expect(stopping.pollUnsafe()).toEqual(Exit.void)
      expect(log).toEqual(["(a", "+a", "-a"])
    }),
  ))

test("an opening that was abandoned releases what it took when it comes to its end after all", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log, crash } = actors()
      const b = child("b", { shutdown: 100 })
      const stubborn: Child = { ...b, open: Effect.uninterruptible(Effect.tap(b.open, Effect.sleep(1_000))) }
      yield* Effect.forkScoped(supervise("s", { strategy: "rest-for-one", backoff }, [child("a"), stubborn]))
      yield* pass(500)
      yield* crash("a")
      yield* pass(2_000)
      expect(log).toEqual(["(a", "+a", "(b", "-a", "+a", "(b", "b)", "+b"])
    }),
  ))

test("an abandoned child's late end is no news for its successor", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      const slow = child("b", { stopTakes: 1_000, shutdown: 100 })
      const s = yield* supervise("s", { strategy: "rest-for-one", backoff }, [child("a"), slow])
      news()
      yield* crash("a")
      yield* pass(2_000)
      expect(news()).toEqual(["-a", "+a", "+b", "-b"])
      expect(s.view()).toMatchObject({ restarts: 1, children: [{ state: "running" }, { state: "running" }] })
      yield* Effect.forkScoped(s.stop)
      yield* pass(1_000)
    }),
  ))

test("an added child is supervised like the others, last in their order", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      const s = yield* supervise("s", { strategy: "rest-for-one", backoff }, [child("a")])
      yield* s.startChild(child("b"))
      yield* crash("a")
      yield* pass(100)
      expect(news()).toEqual(["+a", "+b", "-a", "-b", "+a", "+b"])
      yield* s.stop
      expect(news()).toEqual(["-b", "-a"])
    }),
  ))

test("children that are added to a rest-for-one start one after another", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log } = actors()
      const s = yield* supervise("s", { strategy: "rest-for-one" }, [])
      yield* Effect.forkScoped(s.startChild(child("a", { readyTakes: 500 })))
      yield* Effect.forkScoped(s.startChild(child("b")))
      yield* pass(490)
      expect(log).toEqual(["(a"])
      yield* pass(10)
      expect(log).toEqual(["(a", "+a", "(b", "+b"])
    }),
  ))

test("children that are added to a one-for-one start beside each other", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log } = actors()
      const s = yield* supervise("s", {}, [])
      yield* Effect.forkScoped(s.startChild(child("a", { readyTakes: 500 })))
      yield* Effect.forkScoped(s.startChild(child("b")))
      yield* pass(490)
      expect(log).toEqual(["(a", "(b", "+b"])
    }),
  ))

test("when a waiting group has been stopped, nobody waits for its backoff any more", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      const s = yield* supervise("s", { strategy: "rest-for-one", backoff }, [child("a")])
      yield* crash("a")
      yield* s.stopChild("a")
      yield* s.startChild(child("b"))
      expect(news()).toEqual(["+a", "-a", "+b"])
    }),
  ))

test("children get their services from where they are supervised, at every start", () =>
  inTestTime(
    Effect.gen(function* () {
      class Name extends Context.Service<Name, string>()("test/Name") {}
      const seen: Array<string> = []
      const child: Child<Name> = {
        spec: { id: "a" },
        open: Effect.succeed((ready) =>
          Effect.gen(function* () {
            seen.push(yield* Name)
            yield* ready
            return yield* seen.length < 2 ? Effect.fail("boom") : Effect.never
          }),
        ),
      }
      const s = yield* Effect.provideService(supervise("s", {}, [child]), Name, "Ada")
      yield* pass(100)
      yield* s.startChild({ ...child, spec: { id: "b" } })
      expect(seen).toEqual(["Ada", "Ada", "Ada"])
    }),
  ))

test("an added child that does not start is its caller's failure and nobody else's", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log } = actors()
      const s = yield* supervise("s", { strategy: "one-for-all", backoff }, [child("a")])
      const fatal = { fatal: true, why: "no such vhost" }
      expect(yield* Effect.flip(s.startChild(child("b", { failStart: () => "no" })))).toMatchObject({ cause: "no" })
      expect(yield* Effect.flip(s.startChild(child("c", { failStart: () => fatal })))).toBe(fatal)
      yield* pass(60_000)
      expect(log).toEqual(["(a", "+a", "(b", "!b", "b)", "(c", "!c", "c)"])
      expect(s.view()).toMatchObject({ state: "running", restarts: 0, children: [{ id: "a" }] })
    }),
  ))

test("an id can be used again once its child has ended or was stopped, not before", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log, end } = actors()
      const s = yield* supervise("s", {}, [child("a", { restart: "transient" })])
      const error = yield* Effect.flip(s.startChild(child("a")))
      expect(error).toBeInstanceOf(SpecError)
      expect((error as SpecError).message).toMatch(/there is a child "a" already/)
      yield* end("a")
      yield* s.startChild(child("a"))
      expect(yield* s.stopChild("a")).toBe(true)
      yield* s.startChild(child("a"))
      expect(log.join(" ")).toBe("(a +a -a a) (a +a -a a) (a +a")
    }),
  ))

test("a child that is added while a stopping one has its id starts after that", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log } = actors()
      const s = yield* supervise("s", {}, [child("a", { stopTakes: 500 })])
      yield* Effect.forkScoped(s.stopChild("a"))
      yield* settle
      const adding = yield* Effect.forkScoped(s.startChild(child("a")))
      yield* pass(490)
      expect(log.join(" ")).toBe("(a +a")
      yield* pass(10)
      expect(adding.pollUnsafe()).toEqual(Exit.void)
      expect(log.join(" ")).toBe("(a +a -a a) (a +a")
    }),
  ))

test("stopping a child waits for its shutdown, moves nobody else, and other events are served meanwhile", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, news, crash } = actors()
      const s = yield* supervise("s", { backoff }, [child("a", { stopTakes: 1_000 }), child("b")])
      news()
      const stopping = yield* Effect.forkScoped(s.stopChild("a"))
      yield* crash("b")
      yield* pass(500)
      expect(news()).toEqual(["-b", "+b"])
      expect(stopping.pollUnsafe()).toBeUndefined()
      yield* pass(500)
      expect(stopping.pollUnsafe()).toEqual(Exit.succeed(true))
      expect(news()).toEqual(["-a"])
      expect(yield* s.stopChild("a")).toBe(false)
    }),
  ))

test.each(["one-for-one", "rest-for-one", "one-for-all"] as const)(
  "%s: stopping a child during its backoff cancels its restart",
  (strategy) =>
    inTestTime(
      Effect.gen(function* () {
        const { child, log, crash } = actors()
        const s = yield* supervise("s", { strategy, backoff }, [child("a"), child("b")])
        log.length = 0
        yield* crash("b")
        yield* pass(50)
        expect(s.view().children[1]).toMatchObject({ id: "b", state: "waiting", startsIn: 50 })
        expect(yield* s.stopChild("b")).toBe(true)
        yield* pass(60_000)
        const others = strategy === "one-for-all"
        expect(log).toEqual(others ? ["-b", "-a", "b)", "+a"] : ["-b", "b)"])
      }),
    ),
)

test("stopping the supervisor during a backoff cancels it", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log, crash } = actors()
      const s = yield* supervise("s", { strategy: "one-for-all", backoff }, [child("a"), child("b")])
      log.length = 0
      yield* crash("b")
      yield* s.stop
      yield* pass(60_000)
      expect(log).toEqual(["-b", "-a", "b)", "a)"])
    }),
  ))

test("a child that is added to a group in its backoff waits for its turn; in a one-for-one it does not", () =>
  inTestTime(
    Effect.gen(function* () {
      for (const strategy of ["rest-for-one", "one-for-all", "one-for-one"] as const) {
        const { child, news, crash } = actors()
        const s = yield* supervise("s", { strategy, backoff }, [child("a")])
        yield* crash("a")
        const adding = yield* Effect.forkScoped(s.startChild(child("b")))
        yield* pass(50)
        const alone = strategy === "one-for-one"
        expect(news()).toEqual(alone ? ["+a", "-a", "+b"] : ["+a", "-a"])
        yield* pass(50)
        expect(news()).toEqual(alone ? ["+a"] : ["+a", "+b"])
        expect(adding.pollUnsafe()).toEqual(Exit.void)
      }
    }),
  ))

test("whoever waits for a start or a stop is answered when the supervisor stops", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child } = actors()
      const s = yield* supervise("s", {}, [child("a", { stopTakes: 1_000 })])
      const adding = yield* Effect.forkScoped(Effect.flip(s.startChild(child("b", { readyTakes: 60_000 }))))
      const stopping = yield* Effect.forkScoped(s.stopChild("a"))
      yield* settle
      yield* Effect.forkScoped(s.stop)
      yield* pass(1_000)
      expect(adding.pollUnsafe()).toMatchObject({ value: { _tag: "StartFailed", child: "b" } })
      expect(stopping.pollUnsafe()).toEqual(Exit.succeed(true))
      expect(yield* Effect.flip(s.startChild(child("c")))).toMatchObject({ _tag: "StartFailed", child: "c" })
    }),
  ))

test("a child that stops its supervisor does not wait for itself", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, log } = actors()
      const order = Deferred.makeUnsafe<void>()
      const s: Supervisor = yield* supervise("s", {}, [
        child("a"),
        {
          spec: { id: "b" },
          open: Effect.succeed((ready) =>
            Effect.gen(function* () {
              yield* ready
              yield* Deferred.await(order)
              yield* s.stop
            }),
          ),
        },
      ])
      yield* Deferred.succeed(order, undefined)
      yield* s.awaitExit
      expect(log).toEqual(["(a", "+a", "-a", "a)"])
    }),
  ))
