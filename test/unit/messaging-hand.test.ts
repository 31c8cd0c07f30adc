// When a batch in hand is acked (promise 2).

import { describe, expect, it } from "vitest"
import type { Delivery } from "../../src/broker/broker.ts"
import { Hand } from "../../src/messaging/hand.ts"
import { type Desk, Job } from "../../src/messaging/job.ts"

const open = () => {
  const settled: Array<string> = []
  const delivery = {
    message: { messageId: "m" },
    ack: () => settled.push("ack"),
    nack: ({ requeue }: { readonly requeue: boolean }) => settled.push(requeue ? "requeue" : "dead"),
  } as unknown as Delivery
  const hand = new Hand(1, delivery, { items: [], unreadable: [], plain: undefined, packed: false, replays: 0 }, "key")
  const item = { kind: "tell", node: "n", id: 1, name: "x", payload: 1 } as const
  return { hand, settled, delivery, job: new Job(item, hand, 0, {} as Desk) }
}

describe("a batch in hand", () => {
  it("is acked once, when its jobs and its other parts are settled (2)", () => {
    const { hand, settled, job } = open()
    hand.jobs.add(job)
    const done = hand.hold(() => hand.ackIfDone())
    hand.jobs.delete(job)
    expect(hand.ackIfDone()).toBe(false)
    done()
    expect(hand.ackIfDone()).toBe(false)
    expect(settled).toStrictEqual(["ack"])
  })

  it("owes something while a part that is no job is not settled, once it was begun (2, 11)", () => {
    const { hand } = open()
    const done = hand.hold(() => {})
    expect(hand.owing).toBe(false)
    hand.begun = true
    expect(hand.owing).toBe(true)
    done()
    expect(hand.owing).toBe(false)
  })

  it("is left to the broker when a part of it is too large to bury, and while its link is lost (3, 9)", () => {
    const { hand, settled, delivery } = open()
    hand.lose()
    expect(hand.ackIfDone()).toBe(false)
    hand.resume(delivery)
    hand.tooLargeToBury = true
    expect(hand.ackIfDone()).toBe(true)
    expect(settled).toStrictEqual(["dead"])
  })
})
