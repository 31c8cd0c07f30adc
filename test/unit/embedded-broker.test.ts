// The embedded broker through its port: what the shared contract does not say, on a clock that the test moves.

import { Effect, Exit, Scope } from "effect"
import { describe, expect, it } from "vitest"
import { Embedded } from "../../src/broker/embedded/embedded.ts"
import { Nacked, Refused } from "../../src/broker/errors.ts"
import { bodyOf, connect, frozen, listen, pass, send, settle, turn, until } from "./embedded-fixture.ts"

const quorum = (name: string) => ({ name, type: "quorum", deliveryLimit: 20 }) as const
const classic = (name: string) => ({ name, type: "classic" }) as const
const both = [quorum("q"), classic("q")] as const

describe("calls over the event loop (B4)", () => {
  it("never calls back from inside a call into the link", () =>
    frozen(
      Effect.gen(function* () {
        const broker = yield* Embedded.make()
        const link = yield* connect(broker)
        yield* link.declareQueue(quorum("q"))
        let depth = 0
        const seen: Array<string> = []
        const called = (what: string) => {
          seen.push(what)
          expect(depth).toBe(0)
        }
        const inside = (call: () => void) => {
          depth++
          call()
          depth--
        }
        const message = { exchange: "", routingKey: "q", body: Buffer.alloc(0) }
        const publish = () => inside(() => link.publish(message, () => called("settled")))
        link.onBlocked(() => called("blocked"))
        yield* link.consume(
          "q",
          { prefetch: 1 },
          {
            delivery: (delivery) => {
              called("delivery")
              if (delivery.returns === 0) inside(() => delivery.nack({ requeue: true }))
              else inside(delivery.ack)
            },
            cancelled: () => called("cancelled"),
          },
        )
        publish()
        publish()
        yield* until("both acked", () => broker.queue("q")?.unacked === 0 && broker.queue("q")?.ready === 0)
        inside(() => broker.faults.block("alarm"))
        publish()
        yield* settle
        inside(() => broker.faults.unblock())
        yield* until("the third", () => seen.filter((what) => what === "settled").length === 3)
        const other = yield* connect(broker)
        yield* other.deleteQueue("q")
        yield* until("cancelled", () => seen.includes("cancelled"))
        publish()
        inside(() => broker.faults.cut())
        yield* until("the fourth", () => seen.filter((what) => what === "settled").length === 4)
      }),
    ))

  it("serves all the others when one listener throws", () =>
    frozen(
      Effect.gen(function* () {
        const link = yield* connect(yield* Embedded.make())
        yield* link.declareQueue(classic("q"))
        const thrown = new Error("from a listener")
        const uncaught: Array<unknown> = []
        const others = process.rawListeners("uncaughtException") as Array<NodeJS.UncaughtExceptionListener>
        process.removeAllListeners("uncaughtException")
        process.once("uncaughtException", (error) => void uncaught.push(error))
        yield* Effect.gen(function* () {
          let second = false
          link.publish({ exchange: "", routingKey: "q", body: Buffer.alloc(0) }, () => {
            throw thrown
          })
          link.publish({ exchange: "", routingKey: "q", body: Buffer.alloc(0) }, () => {
            second = true
          })
          yield* until("the second, and the error", () => second && uncaught.length === 1)
          expect(uncaught).toEqual([thrown])
        }).pipe(
          Effect.ensuring(
            Effect.sync(() => {
              process.removeAllListeners("uncaughtException")
              for (const listener of others) process.on("uncaughtException", listener)
            }),
          ),
        )
      }),
    ))
})

describe("copies", () => {
  it("shares no bytes and no headers between sender, queues and receivers", () =>
    frozen(
      Effect.gen(function* () {
        const link = yield* connect(yield* Embedded.make())
        yield* link.declareExchange({ name: "f", type: "fanout" })
        for (const name of ["a", "b"]) {
          yield* link.declareQueue(classic(name))
          yield* link.bind({ queue: name, exchange: "f", routingKey: "" })
        }
        const body = Buffer.from("text")
        const headers: Record<string, string> = { h: "1" }
        const sent = send(link, "", "", { exchange: "f", body, headers })
        const sending = yield* Effect.forkChild(sent, { startImmediately: true })
        body.fill(0)
        headers.h = "2"
        yield* until("stored", () => sending.pollUnsafe() !== undefined)
        for (const name of ["a", "a", "b"]) {
          const delivery = (yield* link.get(name))!
          expect([bodyOf(delivery), delivery.message.headers]).toEqual(["text", { h: "1" }])
          delivery.message.body.fill(0)
          ;(delivery.message.headers as Record<string, unknown>).h = "3"
          delivery.nack({ requeue: true })
        }
      }),
    ))
})

describe.each(both)("a $type queue", (spec) => {
  const { type } = spec

  it("redelivers to another consumer what several had, in the order that RabbitMQ has", () =>
    frozen(
      Effect.gen(function* () {
        const broker = yield* Embedded.make()
        const link = yield* connect(broker)
        yield* link.declareQueue(spec)
        for (const text of "01234567") yield* send(link, "q", text)
        const [a, b] = [yield* connect(broker, "a"), yield* connect(broker, "b")]
        yield* listen(a, "q", 2)
        yield* listen(b, "q", 2)
        broker.faults.cut({ name: "b" })
        broker.faults.cut({ name: "a" })
        const c = yield* listen(link, "q", 8)
        yield* until("all", () => c.deliveries.length === 8)
        expect(c.bodies().join("")).toBe(type === "quorum" ? "23014567" : "01234567")
      }),
    ))

  it("gives what a cancelled consumer nacks in the order that RabbitMQ has", () =>
    frozen(
      Effect.gen(function* () {
        const link = yield* connect(yield* Embedded.make())
        yield* link.declareQueue(spec)
        for (const text of "01234567") yield* send(link, "q", text)
        const a = yield* listen(link, "q", 5)
        yield* until("five", () => a.deliveries.length === 5)
        yield* a.consumer.cancel
        for (const place of [3, 1, 4]) a.deliveries[place]!.nack({ requeue: true })
        const b = yield* listen(link, "q", 6)
        yield* until("six", () => b.deliveries.length === 6)
        expect(b.bodies().join("")).toBe(type === "quorum" ? "314567" : "134567")
      }),
    ))

  it("lets messages expire by the Effect Clock, at the head only, each with its reason", () =>
    frozen(
      Effect.gen(function* () {
        const broker = yield* Embedded.make()
        const link = yield* connect(broker)
        yield* link.declareQueue(classic("dead"))
        yield* link.declareQueue({ ...spec, deadLetter: { exchange: "", routingKey: "dead" } })
        yield* send(link, "q", "first", { expiration: 100 })
        yield* send(link, "q", "behind", { expiration: 20 })
        yield* pass(99)
        expect([broker.queue("q")?.ready, broker.queue("dead")?.ready]).toEqual([2, 0])
        yield* pass(1)
        expect([broker.queue("q")?.ready, broker.queue("dead")?.ready]).toEqual([0, 2])
        const letters = [yield* link.get("dead"), yield* link.get("dead")]
        expect(letters.map(bodyOf)).toEqual(["first", "behind"])
        expect(letters[0]?.message).toMatchObject({
          exchange: "",
          routingKey: "dead",
          headers: {
            "x-first-death-reason": "expired",
            "x-first-death-queue": "q",
            "x-first-death-exchange": "",
            "x-death": [{ count: 1, reason: "expired", queue: "q", "original-expiration": "100" }],
          },
        })
        expect(letters[0]?.message.expiration).toBeUndefined()
      }),
    ))

  it("delivers an expiration of 0 to a consumer with room, and to nobody later", () =>
    frozen(
      Effect.gen(function* () {
        const broker = yield* Embedded.make()
        const link = yield* connect(broker)
        yield* link.declareQueue(spec)
        const inbox = yield* listen(link, "q", 1)
        yield* send(link, "q", "now", { expiration: 0 })
        yield* send(link, "q", "never", { expiration: 0 })
        expect([inbox.bodies(), broker.queue("q")?.ready]).toEqual([["now"], 0])
      }),
    ))

  it("lets expire what is given back too late, and nothing while it is in hand", () =>
    frozen(
      Effect.gen(function* () {
        const broker = yield* Embedded.make()
        const link = yield* connect(broker)
        yield* link.declareQueue(spec)
        const inbox = yield* listen(link, "q", 1)
        yield* send(link, "q", "x", { expiration: 50 })
        yield* pass(1000)
        expect(broker.queue("q")?.unacked).toBe(1)
        inbox.deliveries[0]!.nack({ requeue: true })
        yield* settle
        expect([inbox.deliveries.length, broker.queue("q")?.ready, broker.queue("q")?.unacked]).toEqual([1, 0, 0])
      }),
    ))

  it("dies unused, and is kept by a consumer, by a fetch, and (classic) by a declaration", () =>
    frozen(
      Effect.gen(function* () {
        const broker = yield* Embedded.make()
        const link = yield* connect(broker)
        const leased = { ...spec, expires: 100 }
        yield* link.declareQueue(leased)
        const inbox = yield* listen(link, "q", 1)
        yield* pass(500)
        yield* inbox.consumer.cancel
        yield* pass(99)
        expect(yield* link.get("q")).toBeUndefined()
        yield* pass(99)
        expect(broker.queue("q")).toBeDefined()
        yield* link.declareQueue(leased)
        yield* pass(1)
        expect(broker.queue("q") !== undefined).toBe(type === "classic")
        yield* pass(99)
        expect(broker.queue("q")).toBeUndefined()
      }),
    ))

  it("drops a dead letter that came round by itself, and lets a rejected one go round", () =>
    frozen(
      Effect.gen(function* () {
        const broker = yield* Embedded.make()
        const link = yield* connect(broker)
        yield* link.declareQueue({ ...spec, deadLetter: { exchange: "", routingKey: "q" } })
        yield* send(link, "q", "x", { expiration: 10 })
        yield* pass(10)
        expect(broker.queue("q")?.ready).toBe(0)
        const inbox = yield* listen(link, "q", 1)
        yield* send(link, "q", "y")
        for (let round = 0; round < 3; round++) {
          yield* until("again", () => inbox.deliveries.length === round + 1)
          inbox.deliveries[round]!.nack({ requeue: false })
        }
        yield* until("a fourth time", () => inbox.deliveries.length === 4)
        expect(inbox.deliveries[3]!.message.headers["x-death"]).toMatchObject([{ count: 3, reason: "rejected" }])
        expect(inbox.deliveries[3]!.redelivered).toBe(false)
      }),
    ))

  it("takes dead letters above its bound if it is quorum, drops them if it is classic", () =>
    frozen(
      Effect.gen(function* () {
        const broker = yield* Embedded.make()
        const link = yield* connect(broker)
        yield* link.declareQueue({ ...spec, maxLength: 1 })
        yield* link.declareQueue({ ...classic("work"), deadLetter: { exchange: "", routingKey: "q" } })
        const inbox = yield* listen(link, "work", 10)
        for (const text of "1234") yield* send(link, "work", text)
        yield* until("four", () => inbox.deliveries.length === 4)
        for (const delivery of inbox.deliveries) delivery.nack({ requeue: false })
        expect(broker.queue("q")?.ready).toBe(type === "quorum" ? 4 : 1)
      }),
    ))

  it("keeps what an interrupted consume was given for the next one", () =>
    frozen(
      Effect.gen(function* () {
        const broker = yield* Embedded.make()
        const link = yield* connect(broker)
        yield* link.declareQueue(spec)
        yield* send(link, "q", "x")
        const heard: Array<unknown> = []
        const listener = { delivery: (delivery: unknown) => void heard.push(delivery), cancelled: () => {} }
        const consuming = yield* Effect.forkChild(link.consume("q", { prefetch: 1 }, listener), {
          startImmediately: true,
        })
        expect(broker.queue("q")?.unacked).toBe(1)
        consuming.interruptUnsafe()
        yield* settle
        expect([heard, broker.queue("q")?.ready, broker.queue("q")?.consumers]).toEqual([[], 1, 0])
      }),
    ))
})

describe("a full queue", () => {
  it("nacks the publish, though another queue of the exchange has taken it", () =>
    frozen(
      Effect.gen(function* () {
        const broker = yield* Embedded.make()
        const link = yield* connect(broker)
        yield* link.declareExchange({ name: "f", type: "fanout" })
        yield* link.declareQueue({ ...classic("full"), maxLength: 1 })
        yield* link.declareQueue(classic("free"))
        for (const queue of ["full", "free"]) yield* link.bind({ queue, exchange: "f", routingKey: "" })
        yield* send(link, "", "1", { exchange: "f" })
        expect(yield* Effect.flip(send(link, "", "2", { exchange: "f" }))).toBeInstanceOf(Nacked)
        expect([broker.queue("full")?.ready, broker.queue("free")?.ready]).toEqual([1, 2])
      }),
    ))
})

describe("what RabbitMQ refuses", () => {
  it("names the argument that it compares first, when several differ", () =>
    frozen(
      Effect.gen(function* () {
        const link = yield* connect(yield* Embedded.make())
        const there = {
          name: "q",
          type: "quorum",
          expires: 70_000,
          maxLength: 10,
          deliveryLimit: 3,
          deadLetter: { exchange: "d", routingKey: "k" },
          singleActiveConsumer: true,
        } as const
        yield* link.declareQueue(there)
        const why = (declared: Parameters<typeof link.declareQueue>[0]) =>
          Effect.map(Effect.flip(link.declareQueue(declared)), (error) => error.message)
        expect(yield* why({ ...there, expires: 1, maxLength: 1, deliveryLimit: 1 })).toContain(
          "queue q exists with another x-expires: declared here is 1, the broker has 70000",
        )
        expect(yield* why({ ...there, type: "classic", deliveryLimit: 1 })).toContain("another x-queue-type")
        expect(yield* why({ ...there, singleActiveConsumer: false, deliveryLimit: 1 })).toContain(
          "another x-single-active-consumer: declared here is none, the broker has true",
        )
        yield* link.declareQueue(there)
      }),
    ))

  it("keeps reserved names, the default exchange, and leaders' queues from hands", () =>
    frozen(
      Effect.gen(function* () {
        const link = yield* connect(yield* Embedded.make())
        yield* link.declareQueue({ ...quorum("led"), singleActiveConsumer: true })
        for (const attempt of [
          link.declareQueue(classic("amq.mine")),
          link.declareQueue(classic("")),
          link.declareExchange({ name: "amq.mine", type: "topic" }),
          link.bind({ queue: "led", exchange: "", routingKey: "x" }),
          link.get("led"),
          link.consume("led", { prefetch: 0 }, { delivery: () => {}, cancelled: () => {} }),
        ]) {
          expect(yield* Effect.flip(attempt as Effect.Effect<unknown, unknown>)).toBeInstanceOf(Refused)
        }
        yield* link.declareExchange({ name: "amq.topic", type: "topic" })
      }),
    ))
})

describe("a single active consumer", () => {
  it("counts the active one alone on a quorum queue, and everyone on a classic one", () =>
    frozen(
      Effect.gen(function* () {
        const link = yield* connect(yield* Embedded.make())
        for (const spec of both) {
          yield* link.declareQueue({ ...spec, name: spec.type, singleActiveConsumer: true })
          for (let n = 0; n < 3; n++) yield* listen(link, spec.type, 1)
          const { consumers } = yield* link.inspectQueue(spec.type)
          expect(consumers).toBe(spec.type === "quorum" ? 1 : 3)
        }
      }),
    ))

  it("is counted as long as it holds something, even cancelled, by a quorum queue (as RabbitMQ does)", () =>
    frozen(
      Effect.gen(function* () {
        const link = yield* connect(yield* Embedded.make())
        for (const spec of both) {
          yield* link.declareQueue({ ...spec, name: spec.type })
          yield* send(link, spec.type, "x")
          const inbox = yield* listen(link, spec.type, 1)
          yield* until("delivered", () => inbox.deliveries.length === 1)
          yield* inbox.consumer.cancel
          const held = yield* link.inspectQueue(spec.type)
          inbox.deliveries[0]!.ack()
          const settled = yield* link.inspectQueue(spec.type)
          expect([held.consumers, settled.consumers]).toEqual(spec.type === "quorum" ? [1, 0] : [0, 0])
        }
      }),
    ))

  it("gets its own nack back, with one more return, and the standby nothing", () =>
    frozen(
      Effect.gen(function* () {
        const broker = yield* Embedded.make()
        const link = yield* connect(broker)
        yield* link.declareQueue({ ...quorum("q"), deliveryLimit: 2 ** 31 - 1, singleActiveConsumer: true })
        const [active, standby] = [yield* listen(link, "q", 10), yield* listen(link, "q", 10)]
        yield* send(link, "q", "token")
        for (let n = 0; n < 50; n++) {
          yield* until("the token", () => active.deliveries.length === n + 1)
          expect(active.deliveries[n]!.returns).toBe(n)
          active.deliveries[n]!.nack({ requeue: true })
        }
        expect(standby.deliveries).toHaveLength(0)
        expect(active.deliveries[0]!.message.headers).toEqual({})
        expect(active.deliveries[7]!.message.headers).toEqual({ "x-delivery-count": 7 })
      }),
    ))
})

describe("systems that share a broker", () => {
  it("reach each other's queues, and a broker of its own reaches nobody's", () =>
    frozen(
      Effect.gen(function* () {
        const broker = yield* Embedded.make()
        const [a, b] = [yield* connect(broker, "a"), yield* connect(broker, "b")]
        yield* a.declareQueue(classic("q"))
        yield* send(b, "q", "hello")
        expect(bodyOf(yield* a.get("q"))).toBe("hello")
        expect(broker.links()).toEqual(["a#1", "b#2"])
        const other = yield* connect(yield* Embedded.make())
        expect(yield* Effect.flip(other.inspectQueue("q"))).toMatchObject({ _tag: "NotFound" })
      }),
    ))
})

describe("time without links", () => {
  it("is caught up when the next link opens", () =>
    frozen(
      Effect.gen(function* () {
        const broker = yield* Embedded.make()
        const scope = yield* Scope.make()
        const link = yield* Scope.provide(connect(broker), scope)
        yield* link.declareQueue({ ...classic("leased"), expires: 100 })
        yield* link.declareQueue(classic("q"))
        yield* send(link, "q", "x", { expiration: 100 })
        yield* Scope.close(scope, Exit.void)
        yield* pass(1000)
        expect(broker.queues().map((queue) => queue.name)).toEqual(["leased", "q"])
        yield* connect(broker)
        expect(broker.queues()).toEqual([{ name: "q", type: "classic", ready: 0, unacked: 0, consumers: 0 }])
      }),
    ))

  it("does not keep the process alive", async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
    const before = timers()
    await Effect.runPromise(
      Effect.gen(function* () {
        const broker = yield* Embedded.make()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const link = yield* connect(broker)
            yield* link.declareQueue({ ...classic("q"), expires: 60_000 })
            yield* send(link, "q", "x", { expiration: 50_000 })
            expect(timers()).toBe(before + 1)
          }),
        )
        yield* turn
      }) as Effect.Effect<void>,
    )
    expect(timers()).toBe(before)
  })
})
