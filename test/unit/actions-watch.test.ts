// A goal as seen from a node that follows it: it always ends, once, whatever is told, lost or never said
// (docs/semantics.md, "Actions").

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Watch } from "../../src/actions/watch.ts"
import type { Parcel } from "../../src/messaging/lane.ts"
import type { Node } from "../../src/messaging/node.ts"
import { Cancelled } from "../../src/protocol/errors.ts"
import type { GoalStatusItem } from "../../src/wire/goal-item.ts"
import { names } from "../../src/wire/names.ts"

const executor = "01932f7b-1111-7abc-8def-0123456789ab"
const goal = `${executor}.7`
const other = `${executor}.8`

/** A node of which nothing is there but what a watch uses. */
const world = () => {
  let now = 1_000
  let flowing = true
  let gone: ((why: string) => void) | undefined
  const due = new Set<{ readonly at: number; readonly expire: () => void }>()
  const orders: Array<{ readonly x: string; readonly g: string }> = []
  const node = {
    id: "me",
    inbox: "inbox",
    names: names(),
    now: () => now,
    deadlines: {
      add: (at: number, expire: () => void) => {
        const entry = { at, expire, cancel: () => void due.delete(entry) }
        due.add(entry)
        return entry
      },
    },
    connection: { life: { has: () => flowing } },
    outbox: {
      lane: (to: { readonly exchange: string; readonly routingKey: string }) => to,
      push: (to: { readonly exchange: string; readonly routingKey: string }, { content }: Parcel) => {
        expect(to).toMatchObject({ exchange: "warren.control", routingKey: executor })
        orders.push(JSON.parse(content as string))
        return true
      },
    },
    watchPeer: (id: string, call: (why: string) => void) => {
      expect(id).toBe(executor)
      gone = call
      return () => {
        gone = undefined
      }
    },
  } as unknown as Node
  return {
    node,
    /** The orders since the last look. */
    orders: () => orders.splice(0).map(({ x, g }) => `${x} ${g === goal ? "it" : "another"}`),
    pass: (ms: number) => {
      for (const until = now + ms; now < until; ) {
        now += 100
        for (const entry of [...due]) if (entry.at <= now && due.delete(entry)) entry.expire()
      }
    },
    block: (blocked: boolean) => {
      flowing = !blocked
    },
    executorIsGone: () => gone?.("it is not heard of any more"),
    waiting: () => due.size,
    isWatched: () => gone !== undefined,
  }
}

const wish = { id: 5, to: "acme.a.1.v1", name: "move" }
const told = (status: GoalStatusItem["status"], of = goal): GoalStatusItem => ({
  kind: "goal-status",
  id: 5,
  goal: of,
  number: 1,
  status,
})
const sent = (node: Node): Watch => {
  const watch = new Watch(node, wish, () => {})
  watch.accepted(goal)
  return watch
}
const reason = async (watch: Watch) => {
  const { status, outcome } = await watch.ended
  return [status, outcome?.tag === "failed" && outcome.reason._tag]
}

describe("who follows a goal", () => {
  it("asks again every 30 s, and gives up when that was in vain four times", async () => {
    const { node, orders, pass, waiting, isWatched } = world()
    const watch = sent(node)
    expect(orders(), "it was just told").toStrictEqual([])
    for (let time = 0; time < 4; time++) {
      pass(30_000)
      expect(orders()).toStrictEqual(["watch it"])
    }
    expect(watch.status).toBe("accepted")
    pass(30_000)
    expect(await reason(watch)).toStrictEqual(["aborted", "Disconnected"])
    expect([orders(), waiting(), isWatched()], "it leaves nothing behind").toStrictEqual([[], 0, false])
  })

  it("goes on for as long as it is told anything", () => {
    const { node, orders, pass } = world()
    const watch = sent(node)
    for (let time = 0; time < 20; time++) {
      pass(30_000)
      if (time % 3 === 0) watch.takeStatus(told("executing"))
      else if (time % 3 === 1) watch.takeFeedback({ kind: "goal-feedback", id: 5, goal, number: time, feedback: time })
    }
    expect(watch.status).toBe("executing")
    expect(orders()).toHaveLength(20)
  })

  it("does not count the time in which nobody could have answered", () => {
    const { node, orders, pass, block } = world()
    const watch = sent(node)
    pass(100_000)
    block(true)
    pass(1_000_000)
    block(false)
    orders()
    pass(100_000)
    expect(watch.status).toBe("accepted")
    expect(orders().length).toBeGreaterThan(2)
  })

  it("asks at once with a new link, or another inbox", () => {
    const { node, orders } = world()
    const watch = sent(node)
    watch.reconnected()
    expect(orders()).toStrictEqual(["watch it"])
  })

  it("says cancel until it is told that the goal is to stop", async () => {
    const { node, orders, pass } = world()
    const watch = sent(node)
    const cancelled = watch.cancel()
    void watch.cancel()
    expect(orders()).toStrictEqual(["cancel it"])
    pass(30_000)
    watch.takeStatus(told("executing"))
    watch.takeStatus(told("executing")) // its executor says it once more: the order is lost
    expect(orders()).toStrictEqual(["cancel it", "cancel it"])
    watch.takeStatus(told("canceling"))
    await cancelled
    pass(30_000)
    expect(watch.status).toBe("canceling")
  })

  it("cancels as soon as it knows which goal it is", () => {
    const { node, orders } = world()
    const watch = new Watch(node, wish, () => {})
    void watch.cancel()
    expect(orders()).toStrictEqual([])
    watch.accepted(goal)
    expect(orders()).toStrictEqual(["cancel it"])
  })

  it("takes it for aborted when its executor is gone, and has it canceled there if it was the sender", async () => {
    for (const [found, said] of [
      [false, ["leave it"]],
      [true, []],
    ] as const) {
      const { node, orders, pass, executorIsGone } = world()
      const watch = found ? new Watch(node, { ...wish, goal }, () => {}) : sent(node)
      orders()
      executorIsGone()
      expect(watch.status, "its end may be on its way").not.toBe("aborted")
      pass(300)
      expect(await reason(watch)).toStrictEqual(["aborted", "Disconnected"])
      expect(orders()).toStrictEqual(said)
    }
  })

  it("believes the end that comes right after the news that its executor stops", async () => {
    const { node, orders, pass, executorIsGone } = world()
    const watch = sent(node)
    executorIsGone()
    watch.takeStatus({ ...told("succeeded"), outcome: { tag: "value", value: 1 } })
    pass(300)
    expect(await watch.ended).toStrictEqual({ status: "succeeded", outcome: { tag: "value", value: 1 } })
    expect(orders()).toStrictEqual([])
  })

  it("is told when there is no such goal", async () => {
    const { node } = world()
    const watch = new Watch(node, { ...wish, goal }, () => {})
    watch.takeStatus(told("unknown"))
    expect(await watch.known).toMatchObject({ _tag: "Rejected" })
    expect(await reason(watch)).toStrictEqual(["aborted", "Rejected"])
  })

  it("wants one goal for what it sent: another that comes of it is to stop", () => {
    const { node, orders } = world()
    const watch = new Watch(node, wish, () => {})
    watch.takeStatus(told("executing")) // quicker than the reply
    watch.accepted(other)
    watch.takeStatus(told("executing", other))
    watch.takeStatus(told("succeeded", other))
    expect(orders()).toStrictEqual(["leave another", "leave another"])
    expect([watch.goal, watch.status]).toStrictEqual([goal, "executing"])
  })

  it("sees it end once, and never go back, whatever it is told", async () => {
    const statuses = fc.constantFrom<GoalStatusItem["status"]>(
      "accepted",
      "executing",
      "canceling",
      "succeeded",
      "aborted",
      "canceled",
      "preempted",
      "unknown",
    )
    const ranks = ["pending", "accepted", "executing", "canceling"]
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(statuses, fc.constantFrom(goal, goal, other))), async (reports) => {
        const { node } = world()
        let ends = 0
        const watch = new Watch(node, wish, () => void ends++)
        watch.accepted(goal)
        for (const [status, of] of reports) {
          const before = watch.status
          watch.takeStatus(told(status, of))
          if (watch.status === before) continue
          const [was, is] = [ranks.indexOf(before), ranks.indexOf(watch.status)]
          expect(was, "nothing comes after the end").toBeGreaterThanOrEqual(0)
          if (is >= 0) expect(is).toBeGreaterThan(was)
        }
        watch.lose(new Cancelled({}))
        expect(ends).toBe(1)
        expect((await watch.ended).status).toBe(watch.status)
      }),
    )
  })
})
