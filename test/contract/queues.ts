// The contract of queues: declaring, dead letters, expiry, taking by hand.

import { Effect } from "effect"
import { describe, expect } from "vitest"
import type { Delivery } from "../../src/broker/broker.ts"
import { NotFound, Refused, Unroutable } from "../../src/broker/errors.ts"
import { bodyOf, eventuallyEffect, exchanges, ready, send, sendAll } from "./bench.ts"
import type { Suite } from "./contract.ts"

const types = ["quorum", "classic"] as const

/** Why, and from which queue, as RabbitMQ writes it into the headers. */
const death = (delivery: Delivery) => {
  const { headers } = delivery.message
  const latest = (headers["x-death"] as ReadonlyArray<Record<string, unknown>>)[0]
  return { first: headers["x-first-death-reason"], reason: latest?.reason, queue: latest?.queue }
}

export const queues = ({ spec }: Suite): void => {
  describe("queues", () => {
    spec("declares a queue again for nothing, and says what it holds", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        for (const type of types) {
          const queue = yield* bench.queue(link, { type })
          expect(yield* link.inspectQueue(queue)).toEqual({ messages: 0, consumers: 0 })
          yield* sendAll(link, queue, ["1", "2"])
          yield* ready(link, queue, 2)
          const inbox = yield* bench.inbox(link, queue, 1)
          yield* inbox.nth(0)
          yield* eventuallyEffect(
            "one ready, one consumer",
            Effect.map(link.declareQueue({ name: queue, type }), (s) => s.messages === 1 && s.consumers === 1),
          )
        }
      }),
    )

    spec("refuses a redeclaration with other arguments, names what differs, and keeps the link", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const name = yield* bench.queue(link, { type: "classic", maxLength: 5 })
        const clashes = [
          { spec: { name, type: "classic", maxLength: 6 } as const, words: ["x-max-length", "5", "6"] },
          { spec: { name, type: "classic" } as const, words: ["x-max-length", "5", "none"] },
          { spec: { name, type: "quorum", maxLength: 5 } as const, words: ["x-queue-type", "quorum", "classic"] },
        ]
        for (const { spec, words } of clashes) {
          const refused = yield* Effect.flip(link.declareQueue(spec))
          expect(refused).toBeInstanceOf(Refused)
          for (const word of [name, ...words]) expect(refused.message).toContain(word)
        }
        const exchange = yield* Effect.flip(link.declareExchange({ name: exchanges.topic.name, type: "fanout" }))
        expect(exchange).toBeInstanceOf(Refused)
        for (const word of ["type", "topic", "fanout"]) expect(exchange.message).toContain(word)
        yield* send(link, name, "still here")
      }),
    )

    spec("finds no queue and no exchange that is not there", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "classic" })
        const missing = bench.name("missing")
        const attempts = [
          link.inspectQueue(missing),
          link.purgeQueue(missing),
          link.bind({ queue: missing, exchange: exchanges.direct.name, routingKey: "k" }),
          link.bind({ queue, exchange: missing, routingKey: "k" }),
        ]
        for (const attempt of attempts) {
          const error = yield* Effect.flip(attempt as Effect.Effect<unknown, unknown>)
          expect(error).toBeInstanceOf(NotFound)
          expect((error as NotFound).message).toContain(missing)
        }
        yield* link.deleteQueue(missing)
        yield* link.unbind({ queue, exchange: exchanges.direct.name, routingKey: "never bound" })
      }),
    )

    spec("refuses a name that AMQP would cut", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const name = "é".repeat(128)
        expect(yield* Effect.flip(link.declareQueue({ name, type: "classic" }))).toBeInstanceOf(Refused)
        expect(yield* Effect.flip(link.inspectQueue(name))).toBeInstanceOf(Refused)
      }),
    )

    for (const type of types) {
      const deadLetter = (target: string) => ({ exchange: "", routingKey: target })

      spec(`gives by hand from a ${type} queue, and takes back`, (bench) =>
        Effect.gen(function* () {
          const link = yield* bench.link
          const queue = yield* bench.queue(link, { type })
          expect(yield* link.get(queue)).toBeUndefined()
          yield* sendAll(link, queue, ["1", "2"])
          const one = (yield* link.get(queue))!
          expect([bodyOf(one), one.redelivered]).toEqual(["1", false])
          one.nack({ requeue: true })
          const again = yield* eventuallyEffect("it is back", link.get(queue))
          expect([bodyOf(again), again.redelivered]).toEqual(["1", true])
          again.ack()
          expect(bodyOf((yield* link.get(queue))!)).toBe("2")
        }),
      )

      spec(`purges what is ready in a ${type} queue, not what is in hand`, (bench) =>
        Effect.gen(function* () {
          const link = yield* bench.link
          const queue = yield* bench.queue(link, { type })
          yield* sendAll(link, queue, ["1", "2", "3"])
          const inHand = (yield* link.get(queue))!
          yield* link.purgeQueue(queue)
          yield* ready(link, queue, 0)
          inHand.nack({ requeue: true })
          yield* ready(link, queue, 1)
        }),
      )

      spec(`dead-letters what is nacked for good on a ${type} queue`, (bench) =>
        Effect.gen(function* () {
          const link = yield* bench.link
          const dead = yield* bench.queue(link, { type: "classic" })
          const queue = yield* bench.queue(link, { type, deadLetter: deadLetter(dead) })
          yield* send(link, queue, "bad", { headers: { mine: 1 }, messageId: "m", type: "t" })
          ;(yield* (yield* bench.inbox(link, queue, 1)).nth(0)).nack({ requeue: false })
          const letter = yield* (yield* bench.inbox(link, dead, 1)).nth(0)
          expect(death(letter)).toEqual({ first: "rejected", reason: "rejected", queue })
          expect([bodyOf(letter), letter.message.routingKey, letter.redelivered]).toEqual(["bad", dead, false])
          expect(letter.message).toMatchObject({ messageId: "m", type: "t", headers: { mine: 1 } })
        }),
      )

      spec(`dead-letters what waited longer than its expiration in a ${type} queue`, (bench) =>
        Effect.gen(function* () {
          const link = yield* bench.link
          const dead = yield* bench.queue(link, { type: "classic" })
          const queue = yield* bench.queue(link, { type, deadLetter: deadLetter(dead) })
          yield* send(link, queue, "late", { expiration: 30 })
          const letter = yield* (yield* bench.inbox(link, dead, 1)).nth(0)
          expect(death(letter)).toEqual({ first: "expired", reason: "expired", queue })
          expect(letter.message.expiration).toBeUndefined()
          yield* ready(link, queue, 0)
        }),
      )

      spec(`drops what nobody wants when a ${type} queue has no dead-letter exchange`, (bench) =>
        Effect.gen(function* () {
          const link = yield* bench.link
          const queue = yield* bench.queue(link, { type })
          const inbox = yield* bench.inbox(link, queue, 1)
          yield* sendAll(link, queue, ["1", "2"])
          ;(yield* inbox.nth(0)).nack({ requeue: false })
          yield* inbox.nth(1)
          expect(inbox.bodies()).toEqual(["1", "2"])
        }),
      )

      spec(`deletes a ${type} queue that nobody used for its expiry, and none that has a consumer`, (bench) =>
        Effect.gen(function* () {
          const link = yield* bench.link
          const used = yield* bench.queue(link, { type, expires: 200 })
          yield* bench.inbox(link, used, 1)
          const queue = yield* bench.queue(link, { type, expires: 200 })
          // Looking may count as use, so the looks are further apart than the expiry.
          yield* eventuallyEffect(
            "the queue is gone",
            Effect.map(
              Effect.result(link.inspectQueue(queue)),
              (r) => r._tag === "Failure" && r.failure._tag === "NotFound",
            ),
            500,
          )
          expect(yield* Effect.flip(send(link, queue, "x", { mandatory: true }))).toBeInstanceOf(Unroutable)
          yield* send(link, used, "x", { mandatory: true })
        }),
      )
    }

    for (const type of types) {
      spec(
        `lets the oldest of a full ${type} queue become dead letters, if so declared, and refuses nothing`,
        (bench) =>
          Effect.gen(function* () {
            const link = yield* bench.link
            const dead = yield* bench.queue(link, { type: "classic" })
            const deadLetter = { exchange: "", routingKey: dead }
            const queue = yield* bench.queue(link, { type, maxLength: 3, overflow: "oldest", deadLetter })
            for (const body of ["1", "2", "3", "4", "5"]) yield* send(link, queue, body)
            const letters = yield* bench.inbox(link, dead, 10)
            const letter = yield* letters.nth(1)
            expect(death(letter)).toEqual({ first: "maxlen", reason: "maxlen", queue })
            expect(letters.bodies()).toEqual(["1", "2"])
            yield* ready(link, queue, 3)
            expect(bodyOf((yield* link.get(queue))!)).toBe("3")
          }),
      )

      spec(`keeps what is newer when something comes back to a ${type} queue of one that lets the oldest go`, (bench) =>
        Effect.gen(function* () {
          const link = yield* bench.link
          const queue = yield* bench.queue(link, { type, maxLength: 1, overflow: "oldest" })
          yield* send(link, queue, "old")
          const inHand = (yield* link.get(queue))!
          yield* send(link, queue, "new")
          inHand.nack({ requeue: true })
          yield* eventuallyEffect(
            "the newer one is left alone",
            Effect.gen(function* () {
              const taken = yield* link.get(queue)
              const body = taken && bodyOf(taken)
              taken?.nack({ requeue: true })
              return body === "new" && (yield* link.inspectQueue(queue)).messages <= 1
            }),
          )
        }),
      )
    }

    spec("dead-letters what came back more often than the delivery limit", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const dead = yield* bench.queue(link, { type: "quorum" })
        const deadLetter = { exchange: "", routingKey: dead }
        const queue = yield* bench.queue(link, { type: "quorum", deliveryLimit: 1, deadLetter })
        yield* send(link, queue, "poison")
        for (let round = 0; round < 2; round++) {
          const { link: victim, close } = yield* bench.openLink
          yield* (yield* bench.inbox(victim, queue, 1)).nth(0)
          yield* close
        }
        const letter = yield* (yield* bench.inbox(link, dead, 1)).nth(0)
        expect(death(letter)).toEqual({ first: "delivery_limit", reason: "delivery_limit", queue })
        expect(bodyOf(letter)).toBe("poison")
      }),
    )
  })
}
