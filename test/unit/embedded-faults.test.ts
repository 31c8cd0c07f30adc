// The faults that a test may order from the embedded broker.

import { Effect, Fiber } from "effect"
import { describe, expect, it } from "vitest"
import { Embedded } from "../../src/broker/embedded/embedded.ts"
import { ConfirmTimedOut, LinkLost, Nacked, Refused } from "../../src/broker/errors.ts"
import { bodyOf, connect, frozen, listen, pass, send, settle, until } from "./embedded-fixture.ts"

const quorum = { name: "q", type: "quorum", deliveryLimit: 20 } as const

/** A broker with one queue and a link of system "a". */
const start = Effect.gen(function* () {
  const broker = yield* Embedded.make()
  const link = yield* connect(broker, "a")
  yield* link.declareQueue(quorum)
  return { broker, faults: broker.faults, link }
})

describe("cut", () => {
  it("loses the links of one system only, and gives back what it held, counted", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, faults, link } = yield* start
        const other = yield* connect(broker, "b")
        const inbox = yield* listen(link, "q", 1)
        yield* send(other, "q", "x")
        yield* until("delivered", () => inbox.deliveries.length === 1)
        expect(faults.cut({ name: "a", why: "a digger" })).toBe(1)
        expect(yield* Effect.flip(link.lost)).toEqual(new LinkLost({ why: "a digger" }))
        expect(broker.links()).toEqual(["b#2"])
        const again = yield* other.get("q")
        expect([bodyOf(again), again?.redelivered, again?.returns]).toEqual(["x", true, 1])
        inbox.deliveries[0]!.ack()
        expect(broker.queue("q")?.unacked).toBe(1)
      }),
    ))

  it("settles what was in flight with the loss, once, and calls no listener after it (B2, B3)", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, faults, link } = yield* start
        const inbox = yield* listen(link, "q", 10)
        const settled: Array<unknown> = []
        const publish = () =>
          link.publish({ exchange: "", routingKey: "q", body: Buffer.alloc(0) }, (failure) => settled.push(failure))
        publish()
        faults.loseConfirms()
        publish()
        faults.block("alarm")
        publish()
        faults.cut()
        publish()
        yield* until("all four", () => settled.length === 4)
        faults.calm()
        yield* pass(20_000)
        expect(settled).toEqual(Array(4).fill(new LinkLost({ why: "the connection was cut" })))
        expect([inbox.deliveries.length, inbox.cancelled]).toEqual([0, []])
        expect(broker.queue("q")?.ready).toBe(2)
      }),
    ))

  it("fails a request that waits for its answer", () =>
    frozen(
      Effect.gen(function* () {
        const { faults, link } = yield* start
        faults.slow(1000)
        const asking = yield* Effect.forkChild(Effect.flip(link.inspectQueue("q")), { startImmediately: true })
        faults.cut()
        expect(yield* Fiber.join(asking)).toBeInstanceOf(LinkLost)
      }),
    ))
})

describe("refuse", () => {
  it("turns new links away for as long as it was told, with what it was told", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, faults, link } = yield* start
        faults.refuse({ ms: 100 })
        expect(yield* Effect.flip(connect(broker))).toBeInstanceOf(LinkLost)
        yield* pass(100)
        yield* connect(broker)
        faults.refuse({ failure: new Refused({ what: "connect", why: "no such vhost", next: "Create it." }) })
        yield* pass(1_000_000)
        expect(yield* Effect.flip(connect(broker))).toBeInstanceOf(Refused)
        faults.allow()
        yield* connect(broker)
        yield* link.inspectQueue("q")
      }),
    ))
})

describe("block", () => {
  it("holds publishes without a time-out, tells every link, and sends them in order when it is over", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, faults, link } = yield* start
        const told: Array<string | undefined> = []
        link.onBlocked((why) => told.push(why))
        yield* send(link, "q", "0")
        faults.block("low on disk")
        faults.block("low on disk")
        const settled: Array<unknown> = []
        for (const text of ["1", "2", "3"]) {
          link.publish({ exchange: "", routingKey: "q", body: Buffer.from(text) }, () => settled.push(text))
        }
        yield* pass(60_000)
        expect([told, link.blocked(), settled, broker.queue("q")?.ready]).toEqual([
          ["low on disk"],
          "low on disk",
          [],
          1,
        ])
        expect((yield* connect(broker)).blocked()).toBe("low on disk")
        const inbox = yield* listen(link, "q", 1)
        yield* until("deliveries flow", () => inbox.deliveries.length === 1)
        inbox.deliveries[0]!.ack()
        expect(broker.queue("q")?.unacked).toBe(0)
        faults.unblock()
        yield* until("settled", () => settled.length === 3)
        expect([told, link.blocked(), settled]).toEqual([["low on disk", undefined], undefined, ["1", "2", "3"]])
      }),
    ))
})

describe("slow", () => {
  it("delays confirms, deliveries, answers and connections, and keeps their order", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, faults, link } = yield* start
        const inbox = yield* listen(link, "q", 10)
        const settled: Array<string> = []
        const publish = (text: string) =>
          link.publish({ exchange: "", routingKey: "q", body: Buffer.from(text) }, () => settled.push(text))
        faults.slow(100)
        publish("1")
        yield* pass(50)
        publish("2")
        faults.slow(0)
        publish("3")
        yield* pass(49)
        expect([settled, inbox.bodies()]).toEqual([[], []])
        yield* pass(1)
        expect([settled, inbox.bodies()]).toEqual([["1"], ["1"]])
        yield* pass(50)
        expect([settled, inbox.bodies()]).toEqual([
          ["1", "2", "3"],
          ["1", "2", "3"],
        ])
        faults.slow(100)
        const connecting = yield* Effect.forkChild(connect(broker), { startImmediately: true })
        const asking = yield* Effect.forkChild(link.inspectQueue("q"), { startImmediately: true })
        yield* pass(99)
        expect([connecting.pollUnsafe(), asking.pollUnsafe()]).toEqual([undefined, undefined])
        yield* pass(1)
        expect([connecting.pollUnsafe()?._tag, asking.pollUnsafe()?._tag]).toEqual(["Success", "Success"])
      }),
    ))
})

describe("orders for the next publishes", () => {
  it("stores one twice", () =>
    frozen(
      Effect.gen(function* () {
        const { faults, link } = yield* start
        faults.duplicate()
        yield* send(link, "q", "twin", { messageId: "m" })
        yield* send(link, "q", "single")
        const inbox = yield* listen(link, "q", 10)
        yield* until("three", () => inbox.deliveries.length === 3)
        expect(inbox.bodies()).toEqual(["twin", "twin", "single"])
      }),
    ))

  it("nacks some and stores none of them", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, faults, link } = yield* start
        faults.nack(2)
        expect(yield* Effect.flip(send(link, "q", "1"))).toBeInstanceOf(Nacked)
        expect(yield* Effect.flip(send(link, "q", "2"))).toBeInstanceOf(Nacked)
        yield* send(link, "q", "3")
        expect(broker.queue("q")?.ready).toBe(1)
      }),
    ))

  it("uses each order once, when several kinds were given", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, faults, link } = yield* start
        faults.duplicate()
        faults.nack()
        expect(yield* Effect.flip(send(link, "q", "nacked"))).toBeInstanceOf(Nacked)
        yield* send(link, "q", "twin")
        yield* send(link, "q", "single")
        expect(broker.queue("q")?.ready).toBe(3)
      }),
    ))

  it("stores one whose confirm never comes: it times out by the Effect Clock", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, faults, link } = yield* start
        faults.loseConfirms()
        const sending = yield* Effect.forkChild(Effect.flip(send(link, "q", "x")), { startImmediately: true })
        yield* pass(9999)
        expect(sending.pollUnsafe()).toBeUndefined()
        yield* pass(1)
        expect(yield* Fiber.join(sending)).toEqual(new ConfirmTimedOut({ after: 10_000 }))
        expect(broker.queue("q")?.ready).toBe(1)
      }),
    ))

  it("forgets them all when things are calm again", () =>
    frozen(
      Effect.gen(function* () {
        const { faults, link } = yield* start
        faults.nack(5)
        faults.block("alarm")
        faults.refuse()
        faults.slow(1000)
        faults.calm()
        yield* send(link, "q", "x")
        yield* settle
        expect(link.blocked()).toBeUndefined()
      }),
    ))
})
