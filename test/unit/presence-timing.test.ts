// The timers under presence: one on the node's clock, and one that tells when the real event loop was held up.

import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { Alarm, elapsed } from "../../src/presence/alarm.ts"
import { LoopGauge } from "../../src/presence/loop-gauge.ts"
import { frozen, pass, turn } from "./embedded-fixture.ts"

const open = Effect.gen(function* () {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const rung: Array<number> = []
  return { clock, rung, alarm: new Alarm(clock, () => void rung.push(elapsed(clock))) }
})

describe("an alarm", () => {
  it("rings once, when it was set to last", () =>
    frozen(
      Effect.gen(function* () {
        const { alarm, rung } = yield* open
        alarm.set(100)
        alarm.set(300)
        yield* turn
        yield* pass(299)
        expect(rung).toStrictEqual([])
        yield* pass(1_000)
        expect(rung).toStrictEqual([300])
        alarm.set(50)
        alarm.cancel()
        yield* turn
        yield* pass(1_000)
        expect(rung).toStrictEqual([300])
      }),
    ))

  it("is only ever put forward by `within`", () =>
    frozen(
      Effect.gen(function* () {
        const { alarm, rung } = yield* open
        alarm.within(Number.POSITIVE_INFINITY)
        alarm.within(100)
        alarm.within(200)
        yield* turn
        yield* pass(50)
        alarm.within(20)
        yield* turn
        yield* pass(500)
        expect(rung).toStrictEqual([70])
        alarm.within(100)
        yield* turn
        yield* pass(100)
        expect(rung).toStrictEqual([70, 650])
      }),
    ))

  it("does not care that somebody sets the wall clock back", () =>
    frozen(
      Effect.gen(function* () {
        yield* TestClock.setTime(1_000_000)
        const { clock, rung } = yield* open
        let shift = 0
        const shifted: Clock.Clock = Object.assign(Object.create(clock) as Clock.Clock, {
          currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + shift,
        })
        const alarm = new Alarm(shifted, () => void rung.push(elapsed(shifted)))
        const from = elapsed(shifted)
        alarm.set(100)
        yield* turn
        shift = -500_000
        yield* pass(100)
        expect(rung).toStrictEqual([from + 100])
      }),
    ))
})

describe("the gauge of the event loop", () => {
  const block = (ms: number) => {
    const until = performance.now() + ms
    while (performance.now() < until);
  }
  const breathe = () => new Promise((resolve) => setTimeout(resolve, 1))

  it("tells for how long it was held up at the longest, within one look", async () => {
    const gauge = new LoopGauge(200)
    gauge.start()
    try {
      block(150)
      expect(gauge.read).toBeGreaterThanOrEqual(130)
      await breathe()
      block(40)
      await breathe()
      expect(gauge.read).toBeGreaterThanOrEqual(130)
      expect(gauge.read).toBeLessThan(1_000)
      gauge.reset()
      expect(gauge.read).toBeLessThan(130)
    } finally {
      gauge.stop()
    }
    expect(gauge.read).toBe(0)
  })

  it("does not take awaiting for being held up", async () => {
    const gauge = new LoopGauge(2_000)
    gauge.start()
    try {
      const until = performance.now() + 250
      while (performance.now() < until) await breathe()
      expect(gauge.read).toBeLessThan(100)
    } finally {
      gauge.stop()
    }
  })
})
