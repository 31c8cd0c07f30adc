// The contract of publishing: confirms, routes, returns, limits.

import { Effect } from "effect"
import { describe, expect } from "vitest"
import type { Outgoing } from "../../src/broker/broker.ts"
import { Nacked, Oversized, Unroutable } from "../../src/broker/errors.ts"
import { bodyOf, eventually, eventuallyEffect, exchanges, publish, ready, send, sendAll } from "./bench.ts"
import type { Suite } from "./contract.ts"

const types = ["quorum", "classic"] as const

export const publishing = ({ spec }: Suite): void => {
  describe("publishing", () => {
    spec("confirms what a queue has taken, and keeps the order of one sender", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        for (const type of types) {
          const queue = yield* bench.queue(link, { type })
          const bodies = Array.from({ length: 200 }, (_, n) => String(n))
          const exits = yield* sendAll(link, queue, bodies, { persistent: true, mandatory: true })
          expect(exits.every((exit) => exit._tag === "Success")).toBe(true)
          const inbox = yield* bench.inbox(link, queue, 500)
          yield* inbox.nth(199)
          expect(inbox.bodies()).toEqual(bodies)
        }
      }),
    )

    spec("carries every property, header and byte as it was given", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "quorum" })
        const message: Outgoing = {
          exchange: exchanges.direct.name,
          routingKey: queue,
          body: Uint8Array.of(0, 255, 254, 10, 195, 40),
          contentType: "application/json",
          contentEncoding: "identity",
          headers: { text: "é€😀", whole: -7, big: 2 ** 53 - 1, part: 0.1, yes: true, no: false, empty: "" },
          persistent: true,
          correlationId: "c",
          replyTo: "r",
          expiration: 60_000,
          messageId: "m",
          timestamp: 1_700_000_000_000,
          type: "t",
          appId: "a",
        }
        yield* link.bind({ queue, exchange: exchanges.direct.name, routingKey: queue })
        yield* publish(link, message)
        const delivery = yield* (yield* bench.inbox(link, queue, 1)).nth(0)
        const { headers, body, ...properties } = delivery.message
        const { headers: sentHeaders, body: sentBody, ...sentProperties } = message
        expect(properties).toEqual(sentProperties)
        expect(headers).toMatchObject(sentHeaders!)
        expect([...body]).toEqual([...sentBody])
      }),
    )

    spec("leaves absent what was not given", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "classic" })
        yield* send(link, queue, "")
        const { message, redelivered, returns } = yield* (yield* bench.inbox(link, queue, 1)).nth(0)
        expect(message.body.length).toBe(0)
        expect({ ...message, body: undefined, persistent: message.persistent === true }).toEqual({
          exchange: "",
          routingKey: queue,
          body: undefined,
          headers: {},
          persistent: false,
        })
        expect({ redelivered, returns }).toEqual({ redelivered: false, returns: undefined })
      }),
    )

    spec("hands over the raw bytes whatever the content type says of them", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "classic" })
        const inbox = yield* bench.inbox(link, queue, 100)
        const bodies = [`{"a": 1e400 }`, "{broken", "\u0000\u00ff", "", `"text"`, "12345678901234567890"]
        const contentTypes = ["application/json", "text/plain", "application/json; charset=utf-8", "odd/type"]
        let n = 0
        for (const contentType of contentTypes) {
          for (const text of bodies) {
            const body = Buffer.from(text, "latin1")
            yield* send(link, queue, "", { body, contentType })
            const { message } = yield* inbox.nth(n++)
            expect(Buffer.isBuffer(message.body)).toBe(true)
            expect(message.body.equals(body)).toBe(true)
            expect(message.contentType).toBe(contentType)
            expect(message.contentEncoding).toBeUndefined()
          }
        }
      }),
    )

    spec("carries a body of several frames", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "classic" })
        for (const size of [131_063, 131_064, 131_065, 131_072, 131_080, 1_000_000]) {
          const body = Buffer.alloc(size, "warren")
          yield* send(link, queue, "", { body })
          const delivery = yield* link.get(queue)
          expect(delivery?.message.body.equals(body)).toBe(true)
          delivery?.ack()
        }
      }),
    )

    spec("fails a mandatory message that no queue takes, and lets its neighbours pass", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "quorum" })
        const nowhere = bench.name("nowhere")
        const [a, lost, b, unasked] = yield* Effect.all(
          [
            Effect.result(send(link, queue, "a", { mandatory: true })),
            Effect.result(send(link, nowhere, "x", { mandatory: true, messageId: "same" })),
            Effect.result(send(link, queue, "b", { mandatory: true, messageId: "same" })),
            Effect.result(send(link, nowhere, "x")),
          ],
          { concurrency: "unbounded" },
        )
        expect([a._tag, b._tag, unasked._tag]).toEqual(["Success", "Success", "Success"])
        expect(lost._tag === "Failure" && lost.failure).toEqual(new Unroutable({ exchange: "", routingKey: nowhere }))
      }),
    )

    spec("fails every one of many mandatory messages that no queue takes, with or without an id", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const nowhere = bench.name("nowhere")
        const bodies = Array.from({ length: 50 }, () => "x")
        const own = yield* sendAll(link, nowhere, bodies, { mandatory: true })
        const same = yield* sendAll(link, nowhere, bodies, { mandatory: true, messageId: "same" })
        expect([...own, ...same].filter((exit) => exit._tag === "Failure")).toHaveLength(100)
      }),
    )

    spec("routes by exact key on a direct exchange", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "classic" })
        yield* link.bind({ queue, exchange: exchanges.direct.name, routingKey: `${queue}.key` })
        const to = { exchange: exchanges.direct.name, mandatory: true }
        yield* send(link, `${queue}.key`, "in", to)
        const out = yield* Effect.flip(send(link, `${queue}.key.more`, "out", to))
        expect(out).toBeInstanceOf(Unroutable)
        yield* link.unbind({ queue, exchange: exchanges.direct.name, routingKey: `${queue}.key` })
        expect(yield* Effect.flip(send(link, `${queue}.key`, "late", to))).toBeInstanceOf(Unroutable)
      }),
    )

    spec("routes by pattern on a topic exchange, once per queue", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "classic" })
        const root = bench.name("topic").replaceAll(".", "-")
        const exchange = exchanges.topic.name
        for (const pattern of ["*.done", "#.done", "a.#"]) {
          yield* link.bind({ queue, exchange, routingKey: `${root}.${pattern}` })
        }
        for (const key of ["a.done", "x.done", "x.y.done", "done", "a", "a.b.c", "x.y", "b"]) {
          yield* send(link, `${root}.${key}`, key, { exchange })
        }
        yield* send(link, queue, "end")
        const inbox = yield* bench.inbox(link, queue, 100)
        yield* eventuallyEffect(
          "the end",
          Effect.sync(() => inbox.bodies().includes("end")),
        )
        expect(inbox.bodies()).toEqual(["a.done", "x.done", "x.y.done", "done", "a", "a.b.c", "end"])
      }),
    )

    spec("copies to every queue of a fanout exchange", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const exchange = exchanges.fanout.name
        const one = yield* bench.queue(link, { type: "classic" })
        const two = yield* bench.queue(link, { type: "quorum" })
        for (const queue of [one, two]) yield* link.bind({ queue, exchange, routingKey: "" })
        const text = bench.name("text")
        yield* send(link, "whatever", text, { exchange, mandatory: true })
        for (const queue of [one, two]) {
          const inbox = yield* bench.inbox(link, queue, 100)
          yield* eventuallyEffect(
            "the copy",
            Effect.sync(() => inbox.bodies().includes(text)),
          )
        }
      }),
    )

    spec("fails a publish to an exchange that does not exist, and serves the next one", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "classic" })
        const exchange = bench.name("no-exchange")
        const [missing, next] = yield* Effect.all(
          [Effect.result(send(link, "k", "x", { exchange })), Effect.result(send(link, queue, "next"))],
          { concurrency: "unbounded" },
        )
        expect(missing._tag === "Failure" && missing.failure).toEqual(new Unroutable({ exchange, routingKey: "k" }))
        expect(next._tag).toBe("Success")
        yield* send(link, queue, "later")
        const inbox = yield* bench.inbox(link, queue, 10)
        yield* inbox.nth(1)
        expect(inbox.bodies()).toEqual(["next", "later"])
      }),
    )

    for (const type of types) {
      spec(`nacks what a full ${type} queue does not take, and goes on when there is room`, (bench) =>
        Effect.gen(function* () {
          const link = yield* bench.link
          const queue = yield* bench.queue(link, { type, maxLength: 2 })
          const other = yield* bench.queue(link, { type })
          const full = yield* eventuallyEffect(
            "a nack", // a quorum queue may take a few more than its bound
            Effect.map(Effect.result(send(link, queue, "x")), (result) => result._tag === "Failure" && result.failure),
          )
          expect(full).toEqual(new Nacked({ exchange: "", routingKey: queue }))
          const exits = yield* sendAll(link, other, ["a", "b", "c", "d", "e"])
          expect(exits.every((exit) => exit._tag === "Success")).toBe(true)
          expect(bodyOf((yield* link.get(other))!)).toBe("a")
          yield* link.purgeQueue(queue)
          yield* eventuallyEffect(
            "room again",
            Effect.map(Effect.result(send(link, queue, "y")), (result) => result._tag === "Success"),
          )
        }),
      )
    }

    spec("keeps every message and the order for the others while a full queue nacks", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const full = yield* bench.queue(link, { type: "classic", maxLength: 1 })
        const other = yield* bench.queue(link, { type: "classic" })
        yield* send(link, full, "full")
        const bodies: Array<string> = []
        const failures = { full: 0, other: 0 }
        // In bursts with pauses, so that nacks come in while more is sent.
        for (let burst = 0; burst < 20; burst++) {
          const exits = yield* Effect.forEach(
            Array.from({ length: 40 }, (_, n) => `${burst}.${n}`),
            (body, n) => {
              if (n % 10 === 0) return Effect.exit(send(link, full, body))
              bodies.push(body)
              return Effect.exit(send(link, other, body, { mandatory: true }))
            },
            { concurrency: "unbounded" },
          )
          exits.forEach((exit, n) => {
            if (exit._tag === "Failure") failures[n % 10 === 0 ? "full" : "other"]++
          })
        }
        expect(failures).toEqual({ full: 80, other: 0 })
        const inbox = yield* bench.inbox(link, other, 1000)
        yield* inbox.nth(bodies.length - 1)
        yield* ready(link, other, 0)
        expect(inbox.bodies()).toEqual(bodies)
      }),
    )

    spec("settles every neighbour of a publish to a missing exchange once, and loses none that it confirms", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "classic" })
        const exchange = bench.name("no-exchange")
        const settled = new Map<string, Array<string>>()
        for (let n = 0; n < 300; n++) {
          const message = {
            body: Buffer.from(String(n)),
            ...(n === 150 ? { exchange, routingKey: "k" } : { exchange: "", routingKey: queue }),
          }
          link.publish(message, (failure) => {
            settled.set(String(n), [...(settled.get(String(n)) ?? []), failure?._tag ?? "confirmed"])
          })
        }
        yield* eventually("all are settled", () => settled.size === 300)
        const inbox = yield* bench.inbox(link, queue, 1000)
        yield* send(link, queue, "end")
        yield* eventually("the end", () => inbox.bodies().includes("end"))
        expect(settled.get("150")).toEqual(["Unroutable"])
        for (const [n, ends] of settled) {
          if (n === "150") continue
          // What was under way before it may or may not have been stored; nobody else may be unsure.
          expect(["confirmed", ...(Number(n) < 150 ? ["ConfirmTimedOut"] : [])]).toContain(ends.join())
          if (ends[0] === "confirmed") expect(inbox.bodies().filter((body) => body === n)).toHaveLength(1)
        }
        const order = inbox.bodies().slice(0, -1).map(Number)
        expect(order).toEqual([...order].sort((a, b) => a - b))
      }),
    )

    spec("refuses what the protocol cannot carry, not from inside the call, and the link lives on", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "classic" })
        const bad: ReadonlyArray<Partial<Outgoing>> = [
          { routingKey: "k".repeat(256) },
          { messageId: "é".repeat(128) },
          { type: "t".repeat(300) },
          { headers: { n: Number.NaN } },
          { headers: { n: Number.POSITIVE_INFINITY } },
          { headers: { n: null as unknown as string } },
          { headers: { ["h".repeat(256)]: 1 } },
          { headers: { CC: "x" } },
          { headers: { big: "x".repeat(131_072) } },
          { expiration: -1 },
          { body: Buffer.alloc(16 * 1024 * 1024 + 1) },
        ]
        for (const more of bad) {
          const outgoing: Outgoing = { exchange: "", routingKey: queue, body: Buffer.alloc(0), ...more }
          const failure = yield* Effect.callback<unknown>((resume) => {
            let inside = true
            link.publish(outgoing, (problem) => resume(Effect.succeed(inside ? "called from inside" : problem)))
            inside = false
          })
          expect(failure).toBeInstanceOf(Oversized)
        }
        yield* send(link, queue, "fine", { routingKey: queue, headers: { big: "x".repeat(130_000) } })
        expect(bodyOf((yield* link.get(queue))!)).toBe("fine")
      }),
    )
  })
}
