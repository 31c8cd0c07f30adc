import { Effect } from "effect"
import { expect, test } from "vitest"
import { asChild } from "../../src/supervision/nested.ts"
import { supervise } from "../../src/supervision/supervisor.ts"
import { render, span, type View } from "../../src/supervision/tree.ts"
import { actors, inTestTime, pass } from "./supervision-actors.ts"

test("a running tree prints with states, restarts, details and last errors", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, crash, end } = actors()
      const jobs = asChild("jobs", { strategy: "rest-for-one" }, [child("queue"), child("worker")])
      const s = yield* supervise("app", { backoff: { jitter: "none" } }, [
        { ...child("connection"), detail: () => "amqp://localhost" },
        jobs,
        child("once", { restart: "transient" }),
        child("web"),
      ])
      yield* end("once")
      yield* crash("queue", new Error("disk full\nand more"))
      yield* pass(2_000)
      yield* crash("web", { code: 7 })
      yield* pass(30)
      expect(`\n${render(s.view())}\n`).toBe(`
app: running, 1 restart (one-for-one, 1 of 10 restarts in 1 min)
├─ connection: running (amqp://localhost)
├─ jobs: running (rest-for-one, 1 of 10 restarts in 1 min)
│  ├─ queue: running, 1 restart, last error: disk full
│  └─ worker: running
├─ once: stopped
└─ web: waiting, starts in 70 ms, 1 restart, last error: {"code":7}
`)
    }),
  ))

test("a snapshot is plain JSON", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child, crash } = actors()
      const s = yield* supervise("app", {}, [asChild("n", {}, [child("a")])])
      yield* crash("a")
      const view = s.view()
      expect(JSON.parse(JSON.stringify(view))).toEqual(view)
    }),
  ))

test("a nested tree shows who is starting before it has started", () =>
  inTestTime(
    Effect.gen(function* () {
      const { child } = actors()
      const nested = asChild("n", {}, [child("a"), child("b", { readyTakes: 1_000 }), child("c")])
      const s = yield* supervise("app", {}, [])
      yield* Effect.forkScoped(s.startChild(nested))
      yield* pass(500)
      expect(render(s.view()).split("\n").slice(1)).toEqual([
        "└─ n: starting (one-for-one, 0 of 10 restarts in 1 min)",
        "   ├─ a: running",
        "   ├─ b: starting",
        "   └─ c: waiting",
      ])
    }),
  ))

test("a lone node is one line", () => {
  const view: View = { id: "a", state: "failed", age: 0, restarts: 2, error: "boom", children: [] }
  expect(render(view)).toBe("a: failed, 2 restarts, last error: boom")
})

test("durations print in their largest fitting unit", () => {
  expect([0, 350, 999, 1_000, 12_340, 59_999, 90_000, 3_600_000, 9_000_000].map(span)).toEqual([
    "0 ms",
    "350 ms",
    "999 ms",
    "1 s",
    "12.3 s",
    "60 s",
    "1.5 min",
    "1 h",
    "2.5 h",
  ])
})
