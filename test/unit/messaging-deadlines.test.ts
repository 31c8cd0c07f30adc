// The sweep of deadlines, on clocks that only the test moves (promise 4).

import { Clock, type Duration, Duration as Durations, Effect } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { describe, expect, it, vi } from "vitest"
import { Deadlines } from "../../src/messaging/deadlines.ts"
import { frozen, pass, turn } from "./embedded-fixture.ts"

const tick = 10

describe("a deadline", () => {
  it("fires never late, and at most a tick early (4)", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.array(fc.nat(90), { minLength: 1, maxLength: 8 }),
        (from, spans) =>
          frozen(
            Effect.gen(function* () {
              yield* TestClock.setTime(from)
              const clock = yield* Clock.clockWith(Effect.succeed)
              const deadlines = new Deadlines(clock)
              const fired = new Map<number, number>()
              for (const [index, span] of spans.entries()) {
                deadlines.add(from + span, () => fired.set(index, clock.currentTimeMillisUnsafe()))
              }
              yield* turn
              for (let ms = 0; ms < 110; ms++) yield* Effect.andThen(TestClock.adjust(1), turn)
              for (const [index, span] of spans.entries()) {
                const at = fired.get(index)!
                expect(at).toBeGreaterThan(from + span - tick)
                // What was due within the tick in which it was added is found at the end of that tick.
                expect(at).toBeLessThanOrEqual(Math.max(from + span, (Math.floor(from / tick) + 1) * tick))
              }
              expect(deadlines.size).toBe(0)
            }),
          ),
      ),
      { numRuns: 20 },
    ))

  it("that is cancelled does not fire, and leaves nothing behind (4)", () =>
    frozen(
      Effect.gen(function* () {
        const deadlines = new Deadlines(yield* Clock.clockWith(Effect.succeed))
        const fired: Array<string> = []
        const entry = deadlines.add(25, () => fired.push("cancelled"))
        deadlines.add(25, () => fired.push("kept"))
        entry.cancel()
        entry.cancel()
        yield* turn
        yield* pass(40)
        expect(fired).toStrictEqual(["kept"])
        expect(deadlines.size).toBe(0)
        entry.cancel()
      }),
    ))

  it("fires once for every time that it was added, the same callback included (4)", () =>
    frozen(
      Effect.gen(function* () {
        const deadlines = new Deadlines(yield* Clock.clockWith(Effect.succeed))
        let fired = 0
        const count = () => void fired++
        deadlines.add(15, count)
        deadlines.add(15, count)
        yield* turn
        yield* pass(40)
        expect(fired).toBe(2)
      }),
    ))

  it("fires when it is added after a pause in which there was none (4)", () =>
    frozen(
      Effect.gen(function* () {
        const deadlines = new Deadlines(yield* Clock.clockWith(Effect.succeed))
        const fired: Array<number> = []
        for (const round of [1, 2, 3]) {
          deadlines.add(round * 10_000 + 30, () => fired.push(round))
          yield* turn
          yield* TestClock.setTime(round * 10_000 + 50)
          yield* turn
          expect(deadlines.size).toBe(0)
        }
        expect(fired).toStrictEqual([1, 2, 3])
      }),
    ))

  it("may add another when it fires (4)", () =>
    frozen(
      Effect.gen(function* () {
        const deadlines = new Deadlines(yield* Clock.clockWith(Effect.succeed))
        const fired: Array<string> = []
        deadlines.add(20, () => {
          fired.push("first")
          deadlines.add(10, () => fired.push("second"))
        })
        yield* turn
        yield* pass(20)
        yield* pass(20)
        expect(fired).toStrictEqual(["first", "second"])
      }),
    ))

  it("is measured by the clock as it is after that was set back (4)", async () => {
    const clock = new WallClock(1_000_000)
    const deadlines = new Deadlines(clock)
    const fired: Array<string> = []
    deadlines.add(clock.now + 5_000, () => fired.push("far"))
    await clock.move(20)
    clock.now -= 500_000
    // Before the next sweep has seen it: not half a million ms from now.
    deadlines.add(clock.now + 30, () => fired.push("near"))
    await clock.move(40)
    expect(fired).toStrictEqual(["near"])
    deadlines.add(clock.now + 30, () => fired.push("near again"))
    await clock.move(40)
    expect(fired).toStrictEqual(["near", "near again"])
  })

  it("is found at once after the clock was set ten years ahead, and so is the next (4)", async () => {
    const clock = new WallClock(1_000_000)
    const deadlines = new Deadlines(clock)
    const fired: Array<string> = []
    deadlines.add(clock.now + 6_000, () => fired.push("second"))
    deadlines.add(clock.now + 5_000, () => fired.push("first"))
    await clock.move(20)
    clock.now += 10 * 365 * 24 * 3_600_000
    deadlines.add(clock.now + 30, () => fired.push("third"))
    await clock.move(50)
    expect(fired).toStrictEqual(["first", "second", "third"])
    expect(deadlines.size).toBe(0)
  })

  it("that throws keeps no other from firing, then or later (4)", () =>
    frozen(
      Effect.gen(function* () {
        const log = vi.spyOn(console, "log").mockImplementation(() => {})
        const deadlines = new Deadlines(yield* Clock.clockWith(Effect.succeed))
        const fired: Array<string> = []
        const bad = () => {
          throw new Error("a callback that throws")
        }
        deadlines.add(15, bad)
        deadlines.add(15, () => fired.push("beside it"))
        deadlines.add(35, () => fired.push("after it"))
        yield* turn
        yield* pass(20)
        expect(fired).toStrictEqual(["beside it"])
        yield* pass(40)
        deadlines.add(75, () => fired.push("added after it"))
        yield* turn
        yield* pass(40)
        expect(fired).toStrictEqual(["beside it", "after it", "added after it"])
        expect(log.mock.calls.flat().join(" ")).toContain("a deadline could not be dealt with")
        log.mockRestore()
      }),
    ))
})

/** A clock whose sleeps are real in number but not in time, and whose wall may be moved either way. */
class WallClock implements Clock.Clock {
  now: number
  #sleeping: Array<{ left: number; readonly wake: () => void }> = []

  constructor(now: number) {
    this.now = now
  }
  currentTimeMillisUnsafe(): number {
    return this.now
  }
  readonly currentTimeMillis = Effect.sync(() => this.now)
  currentTimeNanosUnsafe(): bigint {
    return BigInt(this.now) * 1_000_000n
  }
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  monotonicTimeNanosUnsafe(): bigint {
    return this.currentTimeNanosUnsafe()
  }
  readonly monotonicTimeNanos = this.currentTimeNanos
  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.callback((resume) => {
      this.#sleeping.push({ left: Durations.toMillis(duration), wake: () => resume(Effect.void) })
    })
  }
  async move(ms: number): Promise<void> {
    for (let step = 0; step < ms; step++) {
      this.now++
      for (const sleeper of this.#sleeping) sleeper.left--
      const awake = this.#sleeping.filter(({ left }) => left <= 0)
      this.#sleeping = this.#sleeping.filter(({ left }) => left > 0)
      for (const { wake } of awake) wake()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}
