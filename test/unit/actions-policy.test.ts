// What becomes of a goal that comes while others of its action run (docs/semantics.md, "Actions").

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { admit, type Policy } from "../../src/actions/policy.ts"

const one = (policy: Policy["policy"]): Policy => ({ atMost: 1, policy, waiting: 2 })
const load = (running: number, waiting = 0, staying = running) => ({ running, staying, waiting })

describe("a goal that comes", () => {
  it.for(["queue", "reject", "preempt"] as const)("runs at once while there is room (%s)", (policy) => {
    expect(admit(one(policy), load(0))).toStrictEqual({ do: "run" })
  })

  it("waits with `queue`, up to a bound", () => {
    expect(admit(one("queue"), load(1, 0))).toStrictEqual({ do: "wait" })
    expect(admit(one("queue"), load(1, 1))).toStrictEqual({ do: "wait" })
    expect(admit(one("queue"), load(1, 2))).toMatchObject({ do: "reject" })
  })

  it("is rejected with `reject`", () => {
    expect(admit(one("reject"), load(1))).toMatchObject({ do: "reject", why: expect.stringContaining("1 goals run") })
  })

  it("replaces the oldest that runs with `preempt`, then the one that waits for its place", () => {
    expect(admit(one("preempt"), load(1))).toStrictEqual({ do: "replace", victim: "running" })
    expect(admit(one("preempt"), load(1, 1, 0))).toStrictEqual({ do: "replace", victim: "waiting" })
    expect(admit(one("preempt"), load(1, 0, 0)), "who runs is being canceled anyway").toStrictEqual({ do: "wait" })
  })

  it("never makes more run or wait than the policy says, and overtakes nobody, whatever comes and goes", () => {
    const policies = fc.record({
      atMost: fc.integer({ min: 1, max: 4 }),
      policy: fc.constantFrom("queue", "reject", "preempt"),
      waiting: fc.integer({ min: 0, max: 4 }),
    })
    const happenings = fc.array(fc.constantFrom("comes", "ends", "is canceled"), { maxLength: 40 })
    fc.assert(
      fc.property(policies, happenings, (policy, events) => {
        /** Whether each that runs was asked to stop; the oldest first. */
        let running: Array<{ stopping: boolean }> = []
        let waiting = 0
        const next = () => {
          while (running.length < policy.atMost && waiting > 0) {
            waiting--
            running.push({ stopping: false })
          }
        }
        for (const event of events) {
          if (event === "ends") running = running.slice(1)
          else if (event === "is canceled") for (const each of running.slice(0, 1)) each.stopping = true
          else {
            const staying = running.filter(({ stopping }) => !stopping)
            const admission = admit(policy, { running: running.length, staying: staying.length, waiting })
            if (admission.do === "run") {
              expect(waiting).toBe(0)
              running.push({ stopping: false })
            } else if (admission.do !== "reject") {
              waiting++
              if (admission.do === "replace" && admission.victim === "waiting") waiting--
              else if (admission.do === "replace") staying[0]!.stopping = true
            }
          }
          next()
          expect(running.length).toBeLessThanOrEqual(policy.atMost)
          expect(waiting).toBeLessThanOrEqual(policy.policy === "preempt" ? policy.atMost : policy.waiting)
          if (waiting > 0) expect(running.length).toBe(policy.atMost)
          if (policy.policy === "preempt" && waiting > 0) {
            expect(running.filter(({ stopping }) => stopping).length, "room is being made").toBeGreaterThanOrEqual(
              waiting,
            )
          }
        }
      }),
    )
  })
})
