// The publisher against a scripted channel: what a real broker does only during a fail-over or an alarm.

import { EventEmitter } from "node:events"
import type { Channel } from "rabbitmq-client"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { LinkLost, type PublishFailure } from "../../src/broker/errors.ts"
import { defaultLimits } from "../../src/broker/limits.ts"
import type { PublishOn } from "../../src/broker/rabbitmq/internals.ts"
import { Publisher } from "../../src/broker/rabbitmq/publisher.ts"

interface Sent {
  readonly body: string
  readonly confirm: () => void
  readonly nack: () => void
}

/** Remembers what it was given, and answers when it is told to. */
class ScriptedChannel extends EventEmitter {
  active = true
  readonly sent: Array<Sent> = []

  close = async () => {
    this.active = false
    this.emit("close")
  }

  publish: PublishOn = (_message, body, settled) => {
    const nack = () => settled(Object.assign(new Error("message rejected by server"), { code: "NACK" }))
    this.sent.push({ body: body.toString(), confirm: () => settled(undefined), nack })
  }

  bodies = () => this.sent.map(({ body }) => body)
}

describe("the publisher of a link", () => {
  let channels: Array<ScriptedChannel>
  let publisher: Publisher
  let ends: Array<string>

  const connection = {
    channel: async (died: (error: unknown) => void) => {
      const channel = new ScriptedChannel()
      channel.on("close", () => died(undefined))
      channels.push(channel)
      return channel as unknown as Channel
    },
    confirming: async (channel: Channel) => (channel as unknown as ScriptedChannel).publish,
  }
  const publish = (body: string) => {
    const settled = (failure: PublishFailure | undefined) => ends.push(`${body} ${failure?._tag ?? "confirmed"}`)
    publisher.publish({ exchange: "", routingKey: "q", body: Buffer.from(body) }, settled)
  }
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

  beforeEach(async () => {
    vi.useFakeTimers()
    channels = []
    ends = []
    const sick = (why: string) => publisher.lose(new LinkLost({ why }))
    publisher = new Publisher(connection, { linkId: "link", limits: defaultLimits, confirmTimeout: 1000, sick })
    await publisher.start()
  })

  afterEach(() => {
    publisher.lose(new LinkLost({ why: "end of test" }))
    vi.useRealTimers()
  })

  it("changes the channel after a nack, and sends nothing on the new one before the old one has settled", async () => {
    for (const body of ["a", "b"]) publish(body)
    channels[0]!.sent[0]!.nack()
    await pass(1)
    expect(channels).toHaveLength(2)
    publish("c")
    await pass(100)
    expect(channels[1]!.bodies()).toEqual([])
    expect(channels[0]!.active).toBe(true)
    channels[0]!.sent[1]!.confirm()
    await pass(1)
    expect(channels[1]!.bodies()).toEqual(["c"])
    expect(channels[0]!.active).toBe(false)
    channels[1]!.sent[0]!.confirm()
    await pass(1)
    expect(ends).toEqual(["a Nacked", "b confirmed", "c confirmed"])
  })

  it("does not wait for ever for the old channel, which still confirms what it holds", async () => {
    for (const body of ["a", "b"]) publish(body)
    channels[0]!.sent[0]!.nack()
    await pass(1)
    publish("c")
    await pass(600)
    expect(channels[1]!.bodies()).toEqual(["c"])
    channels[0]!.sent[1]!.confirm()
    await pass(1)
    expect(ends).toEqual(["a Nacked", "b confirmed"])
    expect(channels[0]!.active).toBe(false)
  })

  it("changes channels ever more rarely while nacks go on", async () => {
    for (let round = 0; round < 30; round++) {
      publish("x")
      channels.at(-1)!.sent.at(-1)?.nack()
      await pass(100)
    }
    expect(channels.length).toBeGreaterThan(3)
    expect(channels.length).toBeLessThan(8)
  })

  it("times out what is not confirmed, at the latest a sweep late, and takes a late confirm for nothing", async () => {
    publish("a")
    await pass(600)
    publish("b")
    await pass(650)
    expect(ends).toEqual(["a ConfirmTimedOut"])
    channels[0]!.sent[0]!.confirm()
    channels[0]!.sent[1]!.confirm()
    await pass(1)
    expect(ends).toEqual(["a ConfirmTimedOut", "b confirmed"])
  })

  it("stops the confirm clock while the connection is blocked", async () => {
    publish("a")
    await pass(500)
    publisher.blocked(true)
    publish("b")
    await pass(5000)
    expect(ends).toEqual([])
    publisher.blocked(false)
    await pass(750)
    expect(ends).toEqual(["a ConfirmTimedOut"])
    await pass(500)
    expect(ends).toEqual(["a ConfirmTimedOut", "b ConfirmTimedOut"])
  })

  it("settles everything once, in order, when the link is lost", async () => {
    for (const body of ["a", "b"]) publish(body)
    channels[0]!.active = false
    channels[0]!.emit("close")
    publish("held")
    publisher.lose(new LinkLost({ why: "gone" }))
    channels[0]!.sent[0]!.confirm()
    publish("late")
    await pass(2000)
    expect(ends).toEqual(["a LinkLost", "b LinkLost", "held LinkLost", "late LinkLost"])
    expect(channels).toHaveLength(1)
  })

  it("opens another channel when one dies, and is unsure of what was in flight when nobody is blamed", async () => {
    publish("a")
    channels[0]!.active = false
    channels[0]!.emit("close")
    publish("b")
    await pass(10)
    expect(ends).toEqual(["a ConfirmTimedOut"])
    expect(channels[1]!.bodies()).toEqual(["b"])
  })
})
