// Requests to a scripted broker: what becomes of those that are not answered.

import type { Channel } from "rabbitmq-client"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { BrokerError } from "../../src/broker/errors.ts"
import { within } from "../../src/broker/rabbitmq/deadline.ts"
import { Operations } from "../../src/broker/rabbitmq/operations.ts"

describe("a request about a queue", () => {
  let channels = 0
  let answers = true
  let sick: Array<string> = []
  let operations: Operations

  const channel = async () => {
    channels++
    const basicQos = () => (answers ? Promise.resolve() : new Promise(() => {}))
    return { active: true, basicQos, close: async () => {} } as unknown as Channel
  }
  const bounded = <A>(what: string, promise: Promise<A>) => within(10_000, what, promise)
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

  /** How it ended, once it has; and the way to have it answered. */
  const request = () => {
    let answer: (text: string) => void = () => {}
    const work = () =>
      new Promise<string>((resolve) => {
        answer = resolve
      })
    const ended: Array<string> = []
    operations.about("declare queue q", work).then(
      (text) => ended.push(text),
      (error: BrokerError) => ended.push(error._tag),
    )
    return { ended, answer: (text: string) => answer(text) }
  }

  beforeEach(() => {
    vi.useFakeTimers()
    channels = 0
    answers = true
    sick = []
    operations = new Operations({ channel, bounded }, (why) => sick.push(why))
  })
  afterEach(() => vi.useRealTimers())

  it("is given a second by a broker that answers others, and costs nothing else: its node is down (O3)", async () => {
    const { ended } = request()
    await pass(999)
    expect(ended).toEqual([])
    await pass(2)
    expect(ended).toEqual(["Inaccessible"])
    await pass(60_000)
    expect(sick).toEqual([])
  })

  it("is waited for while the broker answers nobody; in the end the link is sick (O2)", async () => {
    answers = false
    const { ended } = request()
    await pass(9_000)
    expect([ended, sick]).toEqual([[], []])
    await pass(2_000)
    expect(ended).toEqual(["LinkLost"])
    expect(sick).not.toEqual([])
  })

  it("that is answered late has its answer, and its channel is lent again", async () => {
    const { ended, answer } = request()
    await pass(900)
    answer("ok")
    await pass(60_000)
    expect([ended, sick]).toEqual([["ok"], []])
    await operations.run("something", async () => {})
    expect(channels).toBe(1)
  })

  it("is given less where one was left already, until that is answered (O3)", async () => {
    const first = request()
    await pass(1_100)
    const second = request()
    await pass(101)
    expect([first.ended, second.ended]).toEqual([["Inaccessible"], ["Inaccessible"]])
    first.answer("late")
    second.answer("late")
    await pass(0)
    const third = request()
    await pass(900)
    expect(third.ended).toEqual([])
  })

  it("is not made while 256 were left: each holds a channel (O3)", async () => {
    const all = Array.from({ length: 256 }, request)
    await pass(1_100)
    expect(all.every(({ ended }) => ended[0] === "Inaccessible")).toBe(true)
    const before = channels
    const more = request()
    await pass(0)
    expect(more.ended).toEqual(["Inaccessible"])
    expect(channels).toBe(before)
  })
})
