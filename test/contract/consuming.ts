// The contract of consuming: prefetch, settling, order of what comes back, who is active.

import { Effect } from "effect"
import { describe, expect } from "vitest"
import { NotFound } from "../../src/broker/errors.ts"
import { bodyOf, eventually, ready, send, sendAll } from "./bench.ts"
import type { Suite } from "./contract.ts"

const types = ["quorum", "classic"] as const

export const consuming = ({ spec }: Suite): void => {
  describe("consuming", () => {
    for (const type of types) {
      spec(`hands out no more than prefetch allows on a ${type} queue`, (bench) =>
        Effect.gen(function* () {
          const link = yield* bench.link
          const queue = yield* bench.queue(link, { type })
          yield* sendAll(link, queue, ["1", "2", "3", "4", "5"])
          const inbox = yield* bench.inbox(link, queue, 2)
          yield* inbox.nth(1)
          yield* ready(link, queue, 3)
          expect(inbox.bodies()).toEqual(["1", "2"])
          inbox.deliveries[0]!.ack()
          yield* inbox.nth(2)
          yield* ready(link, queue, 2)
          expect(inbox.bodies()).toEqual(["1", "2", "3"])
        }),
      )

      spec(`puts a nacked message back at the head of a ${type} queue, marked as redelivered`, (bench) =>
        Effect.gen(function* () {
          const link = yield* bench.link
          const queue = yield* bench.queue(link, { type })
          yield* sendAll(link, queue, ["1", "2", "3"])
          const inbox = yield* bench.inbox(link, queue, 1)
          const first = yield* inbox.nth(0)
          expect([first.redelivered, first.returns]).toEqual([false, type === "quorum" ? 0 : undefined])
          first.nack({ requeue: true })
          const again = yield* inbox.nth(1)
          expect([bodyOf(again), again.redelivered]).toEqual(["1", true])
          again.ack()
          ;(yield* inbox.nth(2)).ack()
          ;(yield* inbox.nth(3)).ack()
          expect(inbox.bodies()).toEqual(["1", "1", "2", "3"])
          expect(inbox.deliveries.map((delivery) => delivery.redelivered)).toEqual([false, true, false, false])
        }),
      )

      spec(`gives several returned messages back in their order on a ${type} queue`, (bench) =>
        Effect.gen(function* () {
          const link = yield* bench.link
          const queue = yield* bench.queue(link, { type })
          yield* sendAll(link, queue, ["1", "2", "3", "4", "5"])
          const first = yield* bench.openLink
          const inbox = yield* bench.inbox(first.link, queue, 3)
          yield* inbox.nth(2)
          yield* first.close
          yield* ready(link, queue, 5)
          const second = yield* bench.inbox(link, queue, 10)
          yield* second.nth(4)
          expect(second.bodies()).toEqual(["1", "2", "3", "4", "5"])
          expect(second.deliveries.map((delivery) => delivery.redelivered)).toEqual([true, true, true, false, false])
        }),
      )

      spec(`gives two consumers of one ${type} queue turns`, (bench) =>
        Effect.gen(function* () {
          const link = yield* bench.link
          const queue = yield* bench.queue(link, { type })
          const one = yield* bench.inbox(link, queue, 1)
          const two = yield* bench.inbox(link, queue, 1)
          yield* sendAll(link, queue, ["a", "b", "c"])
          yield* one.nth(0)
          yield* two.nth(0)
          yield* ready(link, queue, 1)
          expect([...one.bodies(), ...two.bodies()].sort()).toEqual(["a", "b"])
        }),
      )

      // RabbitMQ leaves the standby of a classic queue asleep after a cancel until a channel closes: not part of the port.
      const ways =
        type === "quorum" ? (["its link is closed", "it is cancelled"] as const) : (["its link is closed"] as const)
      for (const how of ways) {
        spec(`keeps one consumer active on a ${type} queue until ${how}, then the standby goes on`, (bench) =>
          Effect.gen(function* () {
            const link = yield* bench.link
            const queue = yield* bench.queue(link, { type, singleActiveConsumer: true })
            const leader = yield* bench.openLink
            const active = yield* bench.inbox(leader.link, queue, 1)
            const standby = yield* bench.inbox(link, queue, 1)
            yield* sendAll(link, queue, ["1", "2", "3"])
            ;(yield* active.nth(0)).ack()
            const second = yield* active.nth(1)
            expect(standby.deliveries).toHaveLength(0)
            if (how === "it is cancelled") {
              yield* active.consumer.cancel
              second.ack()
            } else yield* leader.close
            const next = yield* standby.nth(0)
            const expected = how === "it is cancelled" ? ["3", false] : ["2", true]
            expect([bodyOf(next), next.redelivered]).toEqual(expected)
            expect(active.bodies()).toEqual(["1", "2"])
          }),
        )
      }
    }

    spec("counts what came back on a quorum queue, whatever the sender wrote into the header", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "quorum" })
        yield* send(link, queue, "x", { headers: { "x-delivery-count": 7 } })
        const returns: Array<number | undefined> = []
        for (let round = 0; round < 3; round++) {
          const { link: victim, close } = yield* bench.openLink
          yield* victim.declareQueue({ name: queue, type: "quorum" })
          const delivery = yield* (yield* bench.inbox(victim, queue, 1)).nth(0)
          returns.push(delivery.returns)
          yield* close
        }
        expect(returns).toEqual([0, 1, 2])
      }),
    )

    spec("does not count on a classic queue", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "classic" })
        yield* send(link, queue, "x", { headers: { "x-delivery-count": 7 } })
        const inbox = yield* bench.inbox(link, queue, 1)
        ;(yield* inbox.nth(0)).nack({ requeue: true })
        yield* inbox.nth(1)
        expect(inbox.deliveries.map((delivery) => delivery.returns)).toEqual([undefined, undefined])
      }),
    )

    spec("takes a second ack or nack of the same delivery for nothing", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "classic" })
        const inbox = yield* bench.inbox(link, queue, 1)
        yield* sendAll(link, queue, ["1", "2"])
        const first = yield* inbox.nth(0)
        first.ack()
        first.ack()
        first.nack({ requeue: true })
        ;(yield* inbox.nth(1)).ack()
        yield* send(link, queue, "3")
        yield* inbox.nth(2)
        expect([inbox.bodies(), inbox.cancelled]).toEqual([["1", "2", "3"], []])
      }),
    )

    spec("delivers nothing after cancel, and lets what was delivered be acked", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "quorum" })
        const { link: other, close } = yield* bench.openLink
        const inbox = yield* bench.inbox(other, queue, 2)
        yield* sendAll(link, queue, ["1", "2", "3", "4"])
        yield* inbox.nth(1)
        yield* inbox.consumer.cancel
        const count = inbox.deliveries.length
        for (const delivery of inbox.deliveries) delivery.ack()
        yield* close
        yield* ready(link, queue, 4 - count)
        expect(inbox.deliveries).toHaveLength(count)
        expect(inbox.cancelled).toEqual([])
      }),
    )

    spec("does not find a missing queue to consume or get from, and disturbs nobody by it", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "classic" })
        const inbox = yield* bench.inbox(link, queue, 10)
        const missing = bench.name("missing")
        expect(yield* Effect.flip(bench.inbox(link, missing, 1))).toBeInstanceOf(NotFound)
        expect(yield* Effect.flip(link.get(missing))).toBeInstanceOf(NotFound)
        yield* send(link, queue, "still here")
        ;(yield* inbox.nth(0)).ack()
        expect(inbox.cancelled).toEqual([])
      }),
    )

    spec("tells every consumer of a deleted queue, and no other", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const doomed = yield* bench.queue(link, { type: "classic" })
        const kept = yield* bench.queue(link, { type: "classic" })
        const one = yield* bench.inbox(link, doomed, 1)
        const two = yield* bench.inbox(link, doomed, 1)
        const other = yield* bench.inbox(link, kept, 1)
        yield* link.deleteQueue(doomed)
        yield* eventually("both are told", () => one.cancelled.length === 1 && two.cancelled.length === 1)
        yield* send(link, kept, "still here")
        yield* other.nth(0)
        expect(other.cancelled).toEqual([])
        yield* one.consumer.cancel
      }),
    )

    spec("serves a hundred consumers on one link", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queues = yield* Effect.forEach(Array.from({ length: 100 }), () => bench.queue(link, { type: "classic" }))
        const inboxes = yield* Effect.forEach(queues, (queue) => bench.inbox(link, queue, 1), {
          concurrency: "unbounded",
        })
        for (const queue of queues) yield* send(link, queue, queue)
        for (const [n, inbox] of inboxes.entries()) expect(bodyOf(yield* inbox.nth(0))).toBe(queues[n])
      }),
    )
  })
}
