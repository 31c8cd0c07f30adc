// The tap of a subscriber whose events wait in this process: what it gives, when, and what becomes of what it gave.

import { Clock, Effect, Fiber } from "effect"
import { describe, expect, it } from "vitest"
import type { Arrival } from "../../src/events/arrival.ts"
import { LocalTap, type LocalTapOptions } from "../../src/events/local-tap.ts"
import type { Load } from "../../src/events/tap.ts"
import { Deadlines } from "../../src/messaging/deadlines.ts"
import type { Node } from "../../src/messaging/node.ts"
import { frozen, pass, turn } from "./embedded-fixture.ts"

const arrival = (offset: number) =>
  ({ offset, bytes: 1, source: "shop/till/1", messageId: `n:${offset}`, key: { event: "sold" } }) as unknown as Arrival

const open = (more: Partial<LocalTapOptions> = {}) =>
  Effect.gen(function* () {
    const clock = yield* Clock.clockWith(Effect.succeed)
    const log: Array<string> = []
    const settled: Array<number> = []
    const node = {
      now: () => clock.currentTimeMillisUnsafe(),
      deadlines: new Deadlines(clock),
      log: (_: string, message: string) => void log.push(message),
    } as unknown as Node
    const tap = new LocalTap(node, {
      name: "it",
      bounds: { items: 100, bytes: 1000 },
      failWhenFull: false,
      portion: { max: 1, within: 0 },
      maxDeliveries: 3,
      settled: (events) => void settled.push(...events.map(({ offset }) => offset!)),
      ...more,
    })
    let readies = 0
    tap.ready = () => void readies++
    const offer = (...all: ReadonlyArray<number>) => {
      for (const n of all) tap.offer(arrival(n))
    }
    yield* turn
    return { tap, offer, log, settled, readies: () => readies }
  })

const of = (load: Load | undefined) => load?.taken.map(({ event, attempt }) => `${event.offset}#${attempt}`)

describe("the tap of a subscriber", () => {
  it("gives one after the other, and calls when there is something to take (5)", () =>
    frozen(
      Effect.gen(function* () {
        const { tap, offer, settled, readies } = yield* open()
        expect(tap.take()).toBeUndefined()
        offer(1, 2)
        expect(readies()).toBe(2)
        const first = tap.take()
        expect(of(first)).toStrictEqual(["1#1"])
        expect(tap.take(), "the first is not done").toBeUndefined()
        offer(3)
        expect(readies(), "nobody is called while one is out").toBe(2)
        first!.done()
        expect(readies()).toBe(3)
        first!.done()
        expect(of(tap.take())).toStrictEqual(["2#1"])
        expect(settled).toStrictEqual([1])
      }),
    ))

  it("gives several when there are enough, or when the first has waited long enough", () =>
    frozen(
      Effect.gen(function* () {
        const { tap, offer, readies } = yield* open({ portion: { max: 3, within: 50 } })
        offer(1, 2)
        expect(tap.take()).toBeUndefined()
        yield* pass(60)
        const before = readies()
        expect(before).toBeGreaterThan(2)
        const two = tap.take()
        expect(of(two)).toStrictEqual(["1#1", "2#1"])
        offer(3, 4, 5, 6)
        two!.done()
        expect(of(tap.take()), "enough of them wait for nobody").toStrictEqual(["3#1", "4#1", "5#1"])
      }),
    ))

  it("gives again what crashed its handler, and leaves it out after the third time, with one line (6)", () =>
    frozen(
      Effect.gen(function* () {
        const { tap, offer, log, settled } = yield* open()
        offer(1, 2)
        const tried: Array<unknown> = []
        for (let n = 0; n < 3; n++) {
          const load = tap.take()!
          tried.push(of(load))
          load.crash(new Error("no"))
        }
        expect(tried).toStrictEqual([["1#1"], ["1#2"], ["1#3"]])
        expect(settled).toStrictEqual([1])
        expect(log).toStrictEqual(["it: event n:1 of shop/till/1 was left out: it crashed its handler 3 times (no)"])
        expect(of(tap.take())).toStrictEqual(["2#1"])
      }),
    ))

  it.for([1, 2, 3])(
    "gives each alone when several crashed together, at least once more, with %i tries (6)",
    (maxDeliveries) =>
      frozen(
        Effect.gen(function* () {
          const { tap, offer, settled } = yield* open({ portion: { max: 3, within: 0 }, maxDeliveries })
          offer(1, 2, 3, 4)
          tap.take()!.crash(new Error("one of them"))
          const given: Array<ReadonlyArray<number | undefined>> = []
          for (let load = tap.take(); load !== undefined; load = tap.take()) {
            const numbers = load.taken.map(({ event }) => event.offset)
            given.push(numbers)
            if (numbers.includes(2)) load.crash(new Error("two"))
            else load.done()
          }
          const twos = given.filter((numbers) => numbers.includes(2)).length
          expect(twos).toBe(Math.max(1, maxDeliveries - 1))
          expect(given.filter((numbers) => !numbers.includes(2))).toStrictEqual([[1], [3], [4]])
          expect([...settled].sort()).toStrictEqual([1, 2, 3, 4])
        }),
      ),
  )

  it("puts aside what cannot be read, and keeps the others of a load (7)", () =>
    frozen(
      Effect.gen(function* () {
        const { tap, offer, log, settled } = yield* open({ portion: { max: 3, within: 0 } })
        offer(1, 2, 3)
        const load = tap.take()!
        load.refuse(load.taken[1]!, "not a number")
        load.refuse({ ...load.taken[0]!, event: arrival(9) }, "a stranger")
        expect(of(load)).toStrictEqual(["1#1", "3#1"])
        expect(log).toStrictEqual(["it: an event of shop/till/1 was left out: not a number"])
        load.done()
        expect(settled).toStrictEqual([2, 1, 3])
      }),
    ))

  it("gives what was released to whoever takes next; what comes of it later counts for nothing", () =>
    frozen(
      Effect.gen(function* () {
        const { tap, offer, settled } = yield* open()
        offer(1)
        const stale = tap.take()!
        tap.release()
        const fresh = tap.take()!
        expect(of(fresh)).toStrictEqual(["1#1"])
        stale.crash(new Error("late"))
        stale.done()
        expect(settled).toStrictEqual([])
        fresh.done()
        expect(settled).toStrictEqual([1])
      }),
    ))

  it("gives nothing more once it finishes, and has finished when what is out is done (11)", () =>
    frozen(
      Effect.gen(function* () {
        const { tap, offer } = yield* open()
        offer(1, 2)
        const load = tap.take()!
        const finishing = yield* Effect.forkChild(tap.finish, { startImmediately: true })
        yield* turn
        expect([tap.ended, tap.take(), finishing.pollUnsafe()]).toStrictEqual([true, undefined, undefined])
        load.done()
        yield* Fiber.join(finishing)
        offer(3)
        expect(tap.take()).toBeUndefined()
      }),
    ))

  it("ends with a failure instead of leaving out the oldest, if so wanted (10)", () =>
    frozen(
      Effect.gen(function* () {
        const { tap, offer, readies } = yield* open({ bounds: { items: 2, bytes: 100 }, failWhenFull: true })
        offer(1, 2)
        expect(tap.failure).toBeUndefined()
        offer(3)
        expect(tap.failure).toMatchObject({ _tag: "MailboxFull", what: "the buffer of it" })
        expect([tap.ended, tap.take()]).toStrictEqual([true, undefined])
        expect(readies()).toBe(3)
      }),
    ))
})
