// Goals on the wire: orders and reports (docs/wire.md, "Actions").

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Crashed } from "../../src/protocol/errors.ts"
import { decodeBatch, encodeBatch, encodeItem } from "../../src/wire/batch.ts"
import { executorOf, type GoalItem, goalId } from "../../src/wire/goal-item.ts"
import { isMalformed } from "../../src/wire/malformed.ts"

const node = "01932f7b-1111-7abc-8def-0123456789ab"
const goal = goalId(node, 7)

/** The items of a batch, as its receiver reads them. */
const received = (texts: ReadonlyArray<string>, replyTo = "inbox") => {
  const { contentType, body } = encodeBatch({ node: "n", messageId: "m" }, texts)
  const batch = decodeBatch({ contentType, body, headers: {}, ...(replyTo === "" ? {} : { replyTo }) })
  if (isMalformed(batch)) throw new Error(batch.why)
  return batch.items
}

const order = { kind: "goal-order", id: 1, goal, to: "acme.a.1.v1", name: "factor", replyTo: "inbox" } as const
const items: ReadonlyArray<GoalItem> = [
  { ...order, order: "watch" },
  { ...order, order: "cancel" },
  { ...order, order: "leave" },
  { kind: "goal-order", id: 2, order: "list", to: "acme.a.1.v1", name: "factor", replyTo: "inbox" },
  { kind: "goal-status", id: 1, goal, number: 0, status: "unknown" },
  { kind: "goal-status", id: 1, goal, number: 3, status: "executing" },
  { kind: "goal-status", id: 1, goal, number: 4, status: "succeeded", outcome: { tag: "value", value: [null] } },
  { kind: "goal-status", id: 1, goal, number: 4, status: "succeeded", outcome: { tag: "value", value: undefined } },
  { kind: "goal-status", id: 1, goal, number: 4, status: "canceled", outcome: { tag: "value", value: 0 } },
  { kind: "goal-status", id: 1, goal, number: 4, status: "preempted" },
  { kind: "goal-status", id: 1, goal, number: 4, status: "aborted", outcome: { tag: "declared", error: { max: 1 } } },
  {
    kind: "goal-status",
    id: 1,
    goal,
    number: 4,
    status: "aborted",
    outcome: { tag: "failed", reason: new Crashed({ why: "x" }) },
  },
  { kind: "goal-feedback", id: 1, goal, number: 5, feedback: false },
  { kind: "goal-feedback", id: 1, goal, number: 5, feedback: undefined },
]

describe("what nodes say of a goal", () => {
  it.for(items)("arrives as it was sent: %j", (item) => {
    expect(received([encodeItem(item)])).toStrictEqual([item])
  })

  it("says which node runs the goal", () => {
    expect(executorOf(goal)).toBe(node)
    for (const wrong of ["", "7", ".7", `${node}.`, `${node}.x`, `${node}.07`, `${node}.-1`, `a b.7`, `${node}.7.7`]) {
      expect(executorOf(wrong), wrong).toBeUndefined()
    }
  })

  it.for([
    ["no such order", { k: "o", i: 1, x: "destroy", g: goal, a: "k", n: "f" }],
    ["no goal", { k: "o", i: 1, x: "cancel", a: "k", n: "f" }],
    ["a goal of nobody", { k: "o", i: 1, x: "cancel", g: "x", a: "k", n: "f" }],
    ["no actor", { k: "o", i: 1, x: "list", n: "f" }],
    ["no action", { k: "o", i: 1, x: "list", a: "k", n: "" }],
    ["a status that there is not", { k: "g", i: 1, g: goal, u: 1, s: "done" }],
    ["a status that nobody is told", { k: "g", i: 1, g: goal, u: 1, s: "rejected" }],
    ["a number that is none", { k: "g", i: 1, g: goal, u: -1, s: "executing" }],
    ["no number", { k: "b", i: 1, g: goal, p: 1 }],
    ["a number as text", { k: "b", i: 1, g: goal, u: "1", p: 1 }],
  ])("is refused alone when it has %s", ([, item]) => {
    const [wrong, right] = received([JSON.stringify(item), encodeItem(items[5]!)])
    expect(wrong).toMatchObject({ kind: "malformed" })
    expect(right).toStrictEqual(items[5])
  })

  it("is refused as an order when it says no queue for the reports", () => {
    expect(received([encodeItem(items[0]!)], "")).toMatchObject([{ kind: "malformed" }])
  })

  it("makes a failure of a reason that it cannot read", () => {
    const [item] = received([JSON.stringify({ k: "g", i: 1, g: goal, u: 1, s: "aborted", v: { _tag: "Later" } })])
    expect(item).toMatchObject({ outcome: { tag: "failed", reason: { _tag: "Crashed" } } })
  })

  it("is read without throwing, whatever it is", () => {
    const values = fc.record(
      {
        k: fc.constantFrom("o", "g", "b"),
        i: fc.oneof(fc.integer(), fc.anything()),
        x: fc.oneof(fc.constantFrom("watch", "cancel", "leave", "list"), fc.anything()),
        g: fc.oneof(fc.constant(goal), fc.anything()),
        a: fc.anything(),
        n: fc.anything(),
        u: fc.oneof(fc.nat(), fc.anything()),
        s: fc.oneof(fc.constantFrom("aborted", "canceled", "executing"), fc.anything()),
        o: fc.anything(),
        v: fc.anything(),
        p: fc.anything(),
        y: fc.anything(),
      },
      { requiredKeys: ["k"] },
    )
    fc.assert(
      fc.property(values, (value) => {
        let text: string
        try {
          text = JSON.stringify(value)
        } catch {
          return
        }
        expect(received([text])).toHaveLength(1)
      }),
    )
  })
})
