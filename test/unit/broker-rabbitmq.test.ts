// What RabbitMQ says, what a user may say, and what is made of it: the pure part of the RabbitMQ broker.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Inaccessible, LinkLost, NotFound, Oversized, Refused } from "../../src/broker/errors.ts"
import { countReturns } from "../../src/broker/rabbitmq/delivery.ts"
import { resolve, shuffled } from "../../src/broker/rabbitmq/options.ts"
import { blame, explain } from "../../src/broker/rabbitmq/refusal.ts"
import { queueArguments } from "../../src/broker/rabbitmq/topology.ts"

const failure = (code: string, message: string) => Object.assign(new Error(message), { code })

describe("reading a failure", () => {
  it("names what differs between two declarations", () => {
    const text =
      "QueueDeclare: PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue 'a b' in vhost '/': received none but current is the value '5' of type 'signedint'"
    const refused = explain("declare queue a b", failure("PRECONDITION_FAILED", text))
    expect(refused).toBeInstanceOf(Refused)
    expect((refused as Refused).why).toBe(
      "queue a b exists with another x-expires: declared here is none, the broker has 5",
    )
  })

  it("says not found for what is not there, and inaccessible for what is there on a node that is down", () => {
    const missing = "QueueDeclare: NOT_FOUND - no queue 'q' in vhost '/'"
    expect(explain("x", failure("NOT_FOUND", missing))).toEqual(new NotFound({ what: "queue q" }))
    const down =
      "QueueDeclare: NOT_FOUND - home node 'rabbit@b' of durable queue 'q' in vhost '/' is down or inaccessible"
    const slow = "QueueDeclare: NOT_FOUND - failed to perform operation on queue 'q' in vhost '/' due to timeout"
    for (const text of [down, slow]) expect(explain("x", failure("NOT_FOUND", text))).toBeInstanceOf(Inaccessible)
  })

  it("retries a limit of connections and whatever it does not know", () => {
    const limit =
      "ConnectionOpen: NOT_ALLOWED - access to vhost '/' refused for user 'u': connection limit (2) is reached"
    expect(explain("x", failure("NOT_ALLOWED", limit))).toBeInstanceOf(LinkLost)
    expect(explain("x", failure("NOT_ALLOWED", "ConnectionOpen: NOT_ALLOWED - vhost v not found"))).toBeInstanceOf(
      Refused,
    )
    for (const odd of [undefined, "text", new Error("?"), failure("ECONNREFUSED", "")]) {
      expect(explain("x", odd)).toBeInstanceOf(LinkLost)
    }
  })

  it("keeps an error that is already ours", () => {
    for (const own of [
      new LinkLost({ why: "w" }),
      new NotFound({ what: "w" }),
      new Inaccessible({ what: "w", why: "w" }),
      new Refused({ what: "", why: "", next: "" }),
    ]) {
      expect(explain("x", own)).toBe(own)
    }
  })

  it("blames the messages that the broker means, and nobody when it does not say", () => {
    const missing = blame(failure("NOT_FOUND", "BasicPublish: NOT_FOUND - no exchange 'e' in vhost '/'"))
    expect(missing?.failure).toBe("unroutable")
    expect(["e", "f", ""].map((exchange) => missing?.meant({ exchange, bytes: 1 }))).toEqual([true, false, false])
    const forbidden =
      "BasicPublish: ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused for user 'u'"
    const refused = blame(failure("ACCESS_REFUSED", forbidden))
    expect(refused?.failure).toBeInstanceOf(Refused)
    expect(["e", ""].map((exchange) => refused?.meant({ exchange, bytes: 1 }))).toEqual([false, true])
    const large = "BasicPublish: PRECONDITION_FAILED - message size 17 is larger than configured max size 16"
    const oversized = blame(failure("PRECONDITION_FAILED", large))
    expect(oversized?.failure).toBeInstanceOf(Oversized)
    expect([16, 17].map((bytes) => oversized?.meant({ exchange: "", bytes }))).toEqual([false, true])
    expect(blame(failure("INTERNAL_ERROR", "?"))).toBeUndefined()
  })
})

describe("options", () => {
  it("reads a URL, and fills in what it leaves out", () => {
    const { hosts, confirmTimeout } = resolve("amqp://u:p%40ss@[::1]/a%2Fb?heartbeat=30")
    expect(hosts).toEqual([
      {
        hostname: "::1",
        port: 5672,
        username: "u",
        password: "p@ss",
        vhost: "a/b",
        tls: undefined,
        name: "amqp://[::1]:5672/a/b",
        heartbeat: 30,
        connectTimeout: 5000,
      },
    ])
    expect(confirmTimeout).toBe(10_000)
    expect(resolve("amqp://h").hosts[0]).toMatchObject({
      username: "guest",
      password: "guest",
      vhost: "/",
      heartbeat: 10,
    })
    expect(resolve("amqps://h.example/").hosts[0]).toMatchObject({ port: 5671, tls: { servername: "h.example" } })
  })

  it("throws at once on what cannot be meant, and shows no password", () => {
    for (const bad of [
      "",
      "http://u:secret@h",
      "amqp://u:secret@h:port",
      { url: [] },
      { url: "amqp://h", heartbeat: 0 },
    ]) {
      expect(() => resolve(bad)).toThrow(TypeError)
      expect(() => resolve(bad)).not.toThrow(/secret/)
    }
  })

  it("shuffles without losing or inventing a host", () => {
    const random = fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true }))
    fc.assert(
      fc.property(fc.array(fc.integer()), random, (items, stream) => {
        const order = shuffled(items, () => stream.next().value)
        expect([...order].sort()).toEqual([...items].sort())
      }),
    )
  })
})

describe("queue arguments", () => {
  it("always say the type, and the delivery limit of a quorum queue", () => {
    expect(queueArguments({ name: "q", type: "classic" })).toEqual({ "x-queue-type": "classic" })
    expect(queueArguments({ name: "q", type: "quorum" })).toEqual({
      "x-queue-type": "quorum",
      "x-delivery-limit": 20,
      "x-consumer-disconnected-timeout": 1_000,
    })
  })

  it("refuse publishes rather than drop messages when the queue is full", () => {
    expect(queueArguments({ name: "q", type: "classic", maxLength: 3 })).toMatchObject({
      "x-max-length": 3,
      "x-overflow": "reject-publish",
    })
  })
})

describe("counting returns", () => {
  it("believes a quorum queue from the first return on, and a sender never", () => {
    expect(countReturns(7, false, "quorum")).toBe(0)
    expect(countReturns(2, true, "quorum")).toBe(2)
    expect(countReturns(undefined, true, "quorum")).toBe(0)
    expect(countReturns(7, true, "classic")).toBeUndefined()
    expect(countReturns(3, true, undefined)).toBe(3)
    expect(countReturns(undefined, false, undefined)).toBeUndefined()
    expect(countReturns("3", true, "quorum")).toBe(0)
  })
})
