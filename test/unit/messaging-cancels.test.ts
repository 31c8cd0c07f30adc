// Cancels reach the job they mean, also when they come first (promise 4).

import { Clock, Effect } from "effect"
import { describe, expect, it } from "vitest"
import { Cancels } from "../../src/messaging/cancels.ts"
import { Deadlines } from "../../src/messaging/deadlines.ts"
import type { Hand } from "../../src/messaging/hand.ts"
import { Job } from "../../src/messaging/job.ts"
import { frozen, pass, turn } from "./embedded-fixture.ts"

const open = Effect.gen(function* () {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const cancels = new Cancels(new Deadlines(clock), () => clock.currentTimeMillisUnsafe())
  const job = (id: number, node = "n") => {
    const item = { kind: "ask", node, id, name: "x", payload: 1, deadline: 1_000, replyTo: "inbox" } as const
    const ignore = () => {}
    const waits = { admit: ignore, proceed: ignore, resume: ignore }
    const desk = { ...waits, answered: ignore, rejected: ignore, crashed: ignore, aborted: ignore, settled: ignore }
    return new Job(item, {} as Hand, 0, desk)
  }
  return { cancels, job, cancel: (id: number, node = "n") => cancels.receive({ kind: "cancel", node, id }) }
})

describe("a cancel", () => {
  it("aborts the job it means and no other (4)", () =>
    frozen(
      Effect.gen(function* () {
        const { cancels, job, cancel } = yield* open
        const [meant, other, stranger] = [job(1), job(2), job(1, "another")]
        for (const each of [meant, other, stranger]) cancels.watch(each)
        cancel(1)
        expect(meant.signal.aborted).toBe(true)
        expect(other.signal.aborted).toBe(false)
        expect(stranger.signal.aborted).toBe(false)
      }),
    ))

  it("finds asks of several nodes that have the same id, and only while they are watched (4)", () =>
    frozen(
      Effect.gen(function* () {
        const { cancels, job, cancel } = yield* open
        const [one, two] = [job(1, "one"), job(1, "two")]
        cancels.watch(one)
        cancels.watch(two)
        cancels.forget(one)
        cancel(1, "two")
        cancel(1, "one")
        expect(two.signal.aborted).toBe(true)
        expect(one.signal.aborted).toBe(false)
      }),
    ))

  it("that comes before its ask keeps that from starting, once (4)", () =>
    frozen(
      Effect.gen(function* () {
        const { cancels, job, cancel } = yield* open
        cancel(7)
        const early = job(7)
        cancels.watch(early)
        expect(early.aborted).toBeDefined()
        const again = job(7)
        cancels.watch(again)
        expect(again.aborted).toBeUndefined()
      }),
    ))

  it("that nobody ever wanted is forgotten after a minute (10)", () =>
    frozen(
      Effect.gen(function* () {
        const { cancels, job, cancel } = yield* open
        cancel(7)
        yield* turn
        yield* pass(61_000)
        const late = job(7)
        cancels.watch(late)
        expect(late.aborted).toBeUndefined()
      }),
    ))

  it("does nothing to a job that is over (4)", () =>
    frozen(
      Effect.gen(function* () {
        const { cancels, job, cancel } = yield* open
        const over = job(1)
        cancels.watch(over)
        cancels.forget(over)
        cancel(1)
        expect(over.aborted).toBeUndefined()
      }),
    ))

  it("does not forget the next attempt along with the former (6)", () =>
    frozen(
      Effect.gen(function* () {
        const { cancels, job, cancel } = yield* open
        const [former, next] = [job(1), job(1)]
        cancels.watch(former)
        cancels.watch(next)
        cancels.forget(former)
        cancel(1)
        expect(next.aborted).toBeDefined()
      }),
    ))

  it("cannot fill the memory of a node: of those that come early 10,000 are kept (10)", () =>
    frozen(
      Effect.gen(function* () {
        const { cancels, job, cancel } = yield* open
        for (let id = 0; id <= 10_000; id++) cancel(id)
        const [kept, dropped] = [job(9_999), job(10_000)]
        cancels.watch(kept)
        cancels.watch(dropped)
        expect(kept.aborted).toBeDefined()
        expect(dropped.aborted).toBeUndefined()
      }),
    ))
})
