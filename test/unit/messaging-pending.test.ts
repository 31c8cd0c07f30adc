// Asks that wait for their reply: each ends exactly once (promise 4).

import { Clock, Effect } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Deadlines } from "../../src/messaging/deadlines.ts"
import { OpenAsk, PendingAsks } from "../../src/messaging/pending.ts"
import { Cancelled, TimedOut } from "../../src/protocol/errors.ts"
import type { Outcome, ReplyItem } from "../../src/wire/item.ts"
import { frozen, pass, turn } from "./embedded-fixture.ts"

const open = Effect.gen(function* () {
  const deadlines = new Deadlines(yield* Clock.clockWith(Effect.succeed))
  const pending = new PendingAsks(deadlines)
  const ended: Array<readonly [number, Outcome]> = []
  const observed: Array<number | undefined> = []
  class Ask extends OpenAsk {
    readonly id: number
    readonly deadline: number
    constructor(id: number, deadline: number) {
      super()
      this.id = id
      this.deadline = deadline
    }
    settle(outcome: Outcome) {
      ended.push([this.id, outcome])
    }
    learn({ service }: ReplyItem) {
      observed.push(service)
    }
    expire() {
      pending.end(this.id, { tag: "failed", reason: new TimedOut({ after: this.deadline }) })
    }
  }
  const add = (id: number, deadline = 1_000) => pending.add(new Ask(id, deadline), deadline)
  return { pending, deadlines, ended, observed, add }
})
const value = (value: unknown): Outcome => ({ tag: "value", value })

describe("an open ask", () => {
  it("ends with the first reply; later ones are ignored (4)", () =>
    frozen(
      Effect.gen(function* () {
        const { pending, ended, observed, add, deadlines } = yield* open
        add(1)
        add(2)
        pending.reply({ kind: "reply", id: 2, outcome: value("first"), service: 3 })
        pending.reply({ kind: "reply", id: 2, outcome: value("second"), service: 4 })
        pending.reply({ kind: "reply", id: 99, outcome: value("stray") })
        expect(ended).toStrictEqual([[2, value("first")]])
        expect(observed).toStrictEqual([3])
        expect(pending.has(1)).toBe(true)
        expect(pending.has(2)).toBe(false)
        pending.end(1, value(0))
        expect(deadlines.size, "no deadline is left behind").toBe(0)
      }),
    ))

  it("ends at its deadline as TimedOut, and then no more (4)", () =>
    frozen(
      Effect.gen(function* () {
        const { pending, ended, add } = yield* open
        add(1, 50)
        yield* turn
        yield* pass(60)
        expect(ended).toMatchObject([[1, { tag: "failed", reason: { _tag: "TimedOut", after: 50 } }]])
        expect(pending.end(1, value("late"))).toBe(false)
        expect(ended).toHaveLength(1)
      }),
    ))

  it("ends with the others when the node stops (11)", () =>
    frozen(
      Effect.gen(function* () {
        const { pending, ended, add } = yield* open
        for (const id of [1, 2, 3]) add(id)
        pending.endAll({ tag: "failed", reason: new Cancelled({}) })
        expect(ended.map(([id]) => id)).toStrictEqual([1, 2, 3])
        expect(pending.size).toBe(0)
      }),
    ))

  it("ends exactly once, whatever happens in whatever order (4)", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom("reply", "end", "pass"))),
        (events) =>
          frozen(
            Effect.gen(function* () {
              const { pending, ended, add } = yield* open
              for (const id of [1, 2, 3, 4]) add(id, id * 20)
              yield* turn
              for (const [id, event] of events) {
                if (event === "reply") pending.reply({ kind: "reply", id, outcome: value(id) })
                else if (event === "end") pending.end(id, value(id))
                else yield* pass(15)
              }
              pending.endAll(value("over"))
              expect(ended.map(([id]) => id).sort()).toStrictEqual([1, 2, 3, 4])
            }),
          ),
      ),
      { numRuns: 30 },
    ))
})
