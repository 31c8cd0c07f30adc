// The chart of a goal: what may happen to it, and how it ends (docs/semantics.md, "Actions").

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  type GoalCommand,
  type GoalEvent,
  type GoalState,
  isAhead,
  isOver,
  newGoal,
  statusOf,
  stepGoal,
} from "../../src/charts/goal.ts"
import type { GoalStatus } from "../../src/protocol/goal.ts"

const types = ["accept", "reject", "start", "cancel", "preempt", "stop", "finish", "abort"] as const
type Name = (typeof types)[number]

const stateAfter = (...events: ReadonlyArray<Name>): GoalState =>
  events.reduce((state, type) => stepGoal(state, { type })[0], newGoal())

const executing = ["accept", "start"] as const
const signal = (why: "canceled" | "preempted" | "aborted"): GoalCommand => ({ do: "signal", why })

const rows: ReadonlyArray<
  readonly [name: string, given: ReadonlyArray<Name>, when: Name, then: GoalStatus, does?: ReadonlyArray<GoalCommand>]
> = [
  ["it is taken", [], "accept", "accepted"],
  ["it is refused", [], "reject", "rejected"],
  ["its turn comes", ["accept"], "start", "executing"],
  ["what waits is canceled at once", ["accept"], "cancel", "canceled"],
  ["what waits gives up its place at once", ["accept"], "preempt", "preempted"],
  ["what waits ends with its actor", ["accept"], "stop", "aborted"],
  ["once accepted it is never rejected", ["accept"], "reject", "accepted"],
  ["a result makes it succeed", executing, "finish", "succeeded"],
  ["a failure aborts it", executing, "abort", "aborted"],
  ["a cancel asks its handler to stop", executing, "cancel", "canceling", [signal("canceled")]],
  ["another goal asks its handler to stop", executing, "preempt", "canceling", [signal("preempted")]],
  ["a stop asks its handler to stop", executing, "stop", "canceling", [signal("aborted")]],
  ["asked to stop, it ends canceled", [...executing, "cancel"], "finish", "canceled"],
  ["or preempted", [...executing, "preempt"], "finish", "preempted"],
  ["or aborted", [...executing, "stop"], "finish", "aborted"],
  ["a handler that fails while it stops aborts it", [...executing, "cancel"], "abort", "aborted"],
  ["it is asked once: the first who asks decides", [...executing, "cancel"], "preempt", "canceling", []],
  ["and that is what it ends as", [...executing, "cancel", "preempt", "stop"], "finish", "canceled"],
  ["nobody starts what nobody took", [], "start", "pending"],
]

describe("a goal", () => {
  it.for(rows)("%s", ([, given, when, then, does = []]) => {
    const [state, commands] = stepGoal(stateAfter(...given), { type: when })
    expect(statusOf(state)).toBe(then)
    expect(commands).toStrictEqual(does)
  })

  it("ends once, whatever happens: a final status takes no event, and statuses only go ahead", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...types), { maxLength: 12 }), (events) => {
        let state = newGoal()
        let signals = 0
        for (const type of events) {
          const before = statusOf(state)
          const [next, commands] = stepGoal(state, { type } as GoalEvent)
          const now = statusOf(next)
          if (now !== before) expect(isAhead(before, now)).toBe(true)
          if (isOver(before)) expect([now, commands]).toStrictEqual([before, []])
          if (commands.length > 0) expect([before, now]).toStrictEqual(["executing", "canceling"])
          signals += commands.length
          state = next
        }
        expect(signals).toBeLessThanOrEqual(1)
      }),
    )
  })

  it("can always be ended: by its handler once it runs, by its actor's stop while it waits, by a refusal before", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...types), { maxLength: 12 }), (events) => {
        const state = stateAfter(...events, "reject", "stop", "finish")
        expect(isOver(statusOf(state))).toBe(true)
      }),
    )
  })
})
