// When the batches in hand are acked (promise 2), and that none is handled twice in one process (promise 9).

import { describe, expect, it } from "vitest"
import type { Delivery } from "../../src/broker/broker.ts"
import { Hands } from "../../src/messaging/hands.ts"
import { type Desk, Job } from "../../src/messaging/job.ts"

const open = (window = 8) => {
  const settled: Array<string> = []
  const hands = new Hands(
    () => 16,
    () => window,
  )
  const delivery = (messageId: string, redelivered = false) =>
    ({
      message: { messageId },
      redelivered,
      ack: () => settled.push(`ack ${messageId}`),
      nack: ({ requeue }: { readonly requeue: boolean }) =>
        settled.push(`${requeue ? "requeue" : "dead"} ${messageId}`),
    }) as unknown as Delivery
  const mail = { items: [], unreadable: [], plain: undefined, packed: false, replays: 0 }
  const take = (id: string) => {
    const hand = hands.take(delivery(id), mail, "key", 0)
    const item = { kind: "tell", node: "n", id: 1, name: "x", payload: 1 } as const
    const job = new Job(item, hand, 0, {} as Desk)
    hand.jobs.add(job)
    const finish = () => {
      hand.jobs.delete(job)
      hands.release(hand)
    }
    return { hand, finish }
  }
  return { hands, settled, delivery, take }
}

describe("a batch in hand", () => {
  it("is acked soon and once, when its jobs and its other parts are settled (2)", async () => {
    const { hands, settled, take } = open()
    const { hand, finish } = take("a")
    const done = hand.hold(() => hands.release(hand))
    finish()
    expect(hand.done).toBe(false)
    done()
    hands.release(hand)
    await expect.poll(() => settled, { interval: 1 }).toStrictEqual(["ack a"])
    hands.release(hand)
    hands.giveBack()
    expect(settled).toStrictEqual(["ack a"])
  })

  it("is acked at once when the broker would hand out no more for long, in the order in which they were done (2)", () => {
    const { settled, take } = open(4)
    take("a").finish()
    expect(settled).toStrictEqual([])
    take("b").finish()
    expect(settled).toStrictEqual(["ack a", "ack b"])
    const alone = open(1)
    alone.take("c").finish()
    expect(alone.settled).toStrictEqual(["ack c"])
  })

  it("that was done when its link was lost is acked when it comes again, and not handled again (9)", async () => {
    const { hands, settled, delivery, take } = open()
    const { hand, finish } = take("a")
    finish()
    hands.lose()
    expect(hands.oldestAway, "nothing younger has to wait for it").toBe(Number.POSITIVE_INFINITY)
    expect(hands.resume(delivery("a", true))).toBe(hand)
    expect(hand.jobs.size).toBe(0)
    hands.release(hand)
    await expect.poll(() => settled, { interval: 1 }).toStrictEqual(["ack a"])
  })

  it("is acked if it is done, and else given back, when the queue is left (11)", () => {
    const { hands, settled, take } = open()
    take("a").finish()
    take("b")
    hands.giveBack()
    expect(settled).toStrictEqual(["ack a", "requeue b"])
  })

  it("owes something while a part that is no job is not settled, once it was begun (2, 11)", () => {
    const { hand } = open().take("a")
    const done = hand.hold(() => {})
    expect(hand.owing).toBe(false)
    hand.begun = true
    expect(hand.owing).toBe(true)
    done()
    expect(hand.owing).toBe(false)
  })

  it("is left to the broker when a part of it is too large to bury, and while its link is lost (3, 9)", () => {
    const { hands, settled, delivery, take } = open(1)
    const { hand, finish } = take("a")
    hands.lose()
    finish()
    expect(settled).toStrictEqual([])
    expect(hands.resume(delivery("a", true))).toBe(hand)
    hand.tooLargeToBury = true
    hands.release(hand)
    expect(settled).toStrictEqual(["dead a"])
  })
})
