// The contract of streams: a log that many read, each from where it likes.

import { Effect } from "effect"
import { describe, expect } from "vitest"
import { offsetHeader, type StreamStart } from "../../src/broker/broker.ts"
import { NotFound, Refused } from "../../src/broker/errors.ts"
import { bodyOf, eventually, eventuallyEffect, exchanges, send, sendAll } from "./bench.ts"
import type { Suite } from "./contract.ts"

const numbers = (from: number, to: number): ReadonlyArray<string> =>
  Array.from({ length: to - from }, (_, n) => `${from + n}`)

export const streams = ({ spec }: Suite): void => {
  describe("streams", () => {
    spec("give every reader every message with its number, from where it begins, and go on with what comes", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "stream" })
        for (const body of numbers(0, 5)) yield* send(link, queue, body, { headers: { [offsetHeader]: 77, own: 1 } })
        const begins: ReadonlyArray<readonly [StreamStart, number]> = [
          ["first", 0],
          ["last", 4],
          ["next", 5],
          [2, 2],
          [{ seconds: 3600 }, 0],
        ]
        for (const [from, first] of begins) {
          const inbox = yield* bench.inbox(link, queue, 100, from)
          yield* inbox.nth(4 - first).pipe(Effect.when(Effect.succeed(first < 5)))
          expect(inbox.bodies(), JSON.stringify(from)).toEqual(numbers(first, 5))
          const offsets = inbox.deliveries.map(({ message }) => message.headers[offsetHeader])
          expect(offsets).toEqual(numbers(first, 5).map(Number))
          for (const delivery of inbox.deliveries) {
            expect([delivery.redelivered, delivery.returns, delivery.message.headers.own]).toEqual([
              false,
              undefined,
              1,
            ])
          }
          yield* inbox.consumer.cancel
        }
        const reader = yield* bench.inbox(link, queue, 100)
        yield* sendAll(link, queue, numbers(5, 8))
        yield* reader.nth(2)
        expect(reader.bodies(), "without a start it gets what comes").toEqual(numbers(5, 8))
      }),
    )

    spec("hold back what is beyond the prefetch until there is room", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "stream" })
        for (const body of numbers(0, 6)) yield* send(link, queue, body) // RabbitMQ 3 hands out what came together
        const inbox = yield* bench.inbox(link, queue, 2, "first")
        yield* inbox.nth(1)
        const other = yield* bench.inbox(link, queue, 100, "first")
        yield* other.nth(5)
        expect(inbox.bodies(), "while another one reads it all").toEqual(["0", "1"])
        inbox.deliveries[0]!.ack()
        inbox.deliveries[1]!.ack()
        yield* inbox.nth(3)
        expect(inbox.bodies()).toEqual(["0", "1", "2", "3"])
      }),
    )

    spec("take messages from an exchange, and can be read again on another link", (bench) =>
      Effect.gen(function* () {
        const { link, close } = yield* bench.openLink
        const queue = yield* bench.queue(link, { type: "stream" })
        const routingKey = `${bench.name("stream")}.x`
        yield* link.bind({ queue, exchange: exchanges.topic.name, routingKey })
        for (const body of ["a", "b"]) {
          yield* send(link, queue, body, { exchange: exchanges.topic.name, routingKey, mandatory: true })
        }
        const before = yield* bench.inbox(link, queue, 1, "first")
        yield* before.nth(0)
        yield* close
        const again = yield* bench.link
        const after = yield* bench.inbox(again, queue, 10, 1)
        expect(bodyOf(yield* after.nth(0))).toBe("b")
        expect(after.deliveries[0]!.message.routingKey).toBe(routingKey)
      }),
    )

    spec("let go of what is beyond their retention", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, {
          type: "stream",
          retention: { bytes: 100_000, segment: 20_000 },
        })
        for (let round = 0; round < 10; round++) {
          yield* sendAll(
            link,
            queue,
            Array.from({ length: 100 }, () => "x".repeat(1000)),
          )
        }
        const look = Effect.gen(function* () {
          const inbox = yield* bench.inbox(link, queue, 1, "first")
          const first = Number((yield* inbox.nth(0)).message.headers[offsetHeader])
          yield* inbox.consumer.cancel
          return first
        })
        const first = yield* eventuallyEffect(
          "most of it is gone",
          Effect.map(look, (first) => first >= 700 && first),
        )
        expect(first).toBeLessThan(1000)
      }),
    )

    spec("are refused a declaration with another retention, and what only queues can do; the link lives", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const name = yield* bench.queue(link, { type: "stream", retention: { age: 3600, bytes: 1_000_000 } })
        const other = { name, type: "stream", retention: { age: 60, bytes: 1_000_000 } } as const
        const refused = yield* Effect.flip(link.declareQueue(other))
        expect(refused).toBeInstanceOf(Refused)
        for (const word of [name, "x-max-age"]) expect(refused.message).toContain(word)
        for (const age of [/\b3600(s|000)\b/, /\b60(s|000)\b/]) expect(refused.message).toMatch(age) // 4.3 says it in ms
        expect(yield* Effect.flip(link.declareQueue({ name, type: "quorum" }))).toBeInstanceOf(Refused)
        expect(yield* Effect.flip(link.get(name))).toBeInstanceOf(Refused)
        expect(yield* Effect.flip(link.purgeQueue(name))).toBeInstanceOf(Refused)
        yield* send(link, name, "still here", { mandatory: true })
        const inbox = yield* bench.inbox(link, name, 1, "first")
        yield* inbox.nth(0)
      }),
    )

    spec("tell their readers when they are deleted", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "stream" })
        const inbox = yield* bench.inbox(link, queue, 1, "first")
        yield* link.deleteQueue(queue)
        yield* eventually("it is told", () => inbox.cancelled.length === 1)
        expect(yield* Effect.flip(link.inspectQueue(queue))).toBeInstanceOf(NotFound)
      }),
    )
  })
}
