// The contract of a token: one message in a quorum queue with a single active consumer, which a leader holds, gives back
// to itself to renew, and lets go of with its channel. How often it changed hands is the number of the leadership.

import { Effect } from "effect"
import { describe, expect } from "vitest"
import type { Delivery, Link, QueueSpec } from "../../src/broker/broker.ts"
import { type Bench, bodyOf, eventually, eventuallyEffect, send, sendAll } from "./bench.ts"
import type { Suite } from "./contract.ts"

/** As good as none: the largest limit that every RabbitMQ takes. */
const unlimited = 2 ** 31 - 1
const spec: Omit<QueueSpec, "name"> = { type: "quorum", singleActiveConsumer: true, deliveryLimit: unlimited }

/** How often it came back, as RabbitMQ 3.10 to 4.3 say it: from 4.3 a nack counts in the second header only. */
const count = ({ message: { headers } }: Delivery): number =>
  ((headers["x-delivery-count"] as number | undefined) ?? 0) +
  ((headers["x-acquired-count"] as number | undefined) ?? 0)

/** Waits until a declaration says so: ready messages, and 1 when somebody is active. */
const says = (link: Link, name: string, messages: number, consumers: number) =>
  eventuallyEffect(
    `${messages} messages and ${consumers} consumers in ${name}`,
    Effect.map(link.declareQueue({ name, ...spec }), (s) => s.messages === messages && s.consumers === consumers),
  )

/** A channel that consumes the queue. */
const member = (bench: Bench, link: Link, queue: string, prefetch = 10) =>
  Effect.gen(function* () {
    const channel = yield* link.openChannel
    return { channel, inbox: yield* bench.inbox(channel, queue, prefetch) }
  })

export const token = ({ spec: test }: Suite): void => {
  describe("a token", () => {
    test("is counted in declare-ok while it is ready; somebody active counts, standbys do not", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, spec)
        expect(yield* link.declareQueue({ name: queue, ...spec })).toEqual({ messages: 0, consumers: 0 })
        yield* send(link, queue, "token")
        yield* says(link, queue, 1, 0)
        const active = yield* member(bench, link, queue)
        yield* active.inbox.nth(0)
        yield* says(link, queue, 0, 1)
        const standby = yield* member(bench, yield* bench.link, queue)
        yield* says(link, queue, 0, 1)
        yield* active.channel.close
        yield* standby.inbox.nth(0)
        yield* says(link, queue, 0, 1)
        yield* standby.channel.close
        yield* says(link, queue, 1, 0)
      }))

    test("comes back to the one that gave it back, fifty times, with a larger count each time", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, spec)
        const active = yield* member(bench, link, queue)
        const standby = yield* member(bench, yield* bench.link, queue)
        yield* send(link, queue, "token")
        const counts = [count(yield* active.inbox.nth(0))]
        for (let n = 0; n < 50; n++) {
          const held = active.inbox.deliveries[n]!
          held.nack({ requeue: true })
          held.ack() // too late
          const again = yield* active.inbox.nth(n + 1)
          expect(again.redelivered).toBe(true)
          counts.push(count(again))
        }
        expect(counts).toEqual([...new Set(counts)].sort((a, b) => a - b))
        expect([counts[0], counts.length]).toEqual([0, 51])
        expect(standby.inbox.deliveries).toEqual([])
      }))

    test("goes to the standby with a larger count when the channel that holds it is closed, time and again", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, spec)
        yield* send(link, queue, "token")
        let seen = -1
        let holder = yield* member(bench, link, queue)
        let held = yield* holder.inbox.nth(0)
        // More often than the limit that RabbitMQ 4 would have.
        for (let n = 0; n < 30; n++) {
          expect(count(held)).toBeGreaterThan(seen)
          seen = count(held)
          const standby = yield* member(bench, link, queue)
          if (n % 2 === 1) held.nack({ requeue: true }) // on its way when the channel is closed
          yield* holder.channel.close
          held = yield* standby.inbox.nth(0)
          holder = standby
        }
        expect(bodyOf(held)).toBe("token")
      }))

    for (const prefetch of [1, 2, 10]) {
      test(`stays before what is behind it when a holder with prefetch ${prefetch} puts it back`, (bench) =>
        Effect.gen(function* () {
          const link = yield* bench.link
          const queue = yield* bench.queue(link, spec)
          const bodies = ["0", "1", "2", "3", "4", "5"]
          yield* sendAll(link, queue, bodies)
          const holder = yield* member(bench, link, queue, prefetch)
          yield* holder.inbox.nth(Math.min(prefetch, bodies.length) - 1)
          expect(holder.inbox.bodies()).toEqual(bodies.slice(0, prefetch))
          const standby = yield* member(bench, yield* bench.link, queue)
          yield* holder.channel.close
          yield* standby.inbox.nth(bodies.length - 1)
          expect(standby.inbox.bodies()).toEqual(bodies)
        }))
    }

    test("is lost with its queue: all are told, their channels live on and consume the next one", (bench) =>
      Effect.gen(function* () {
        const links = [yield* bench.link, yield* bench.link] as const
        const queue = yield* bench.queue(links[0], spec)
        yield* send(links[0], queue, "token")
        const active = yield* member(bench, links[0], queue)
        const held = yield* active.inbox.nth(0)
        const standby = yield* member(bench, links[1], queue)
        yield* (yield* bench.link).deleteQueue(queue)
        const told = () => [active.inbox.cancelled.length, standby.inbox.cancelled.length]
        yield* eventually("both are told", () => told().every((times) => times === 1))
        held.ack()
        expect(yield* links[0].declareQueue({ name: queue, ...spec })).toEqual({ messages: 0, consumers: 0 })
        const inboxes = [
          yield* bench.inbox(active.channel, queue, 10),
          yield* bench.inbox(standby.channel, queue, 10),
        ] as const
        yield* send(links[1], queue, "another")
        expect(bodyOf(yield* inboxes[0].nth(0))).toBe("another")
        yield* active.channel.close
        expect(bodyOf(yield* inboxes[1].nth(0))).toBe("another")
        expect(told()).toEqual([1, 1])
      }))

    test("stays with its holder when the queue is purged", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, spec)
        yield* send(link, queue, "token")
        const active = yield* member(bench, link, queue, 1)
        const first = count(yield* active.inbox.nth(0))
        yield* send(link, queue, "another")
        yield* says(link, queue, 1, 1)
        yield* link.purgeQueue(queue)
        yield* says(link, queue, 0, 1)
        const standby = yield* member(bench, link, queue)
        yield* active.channel.close
        const next = yield* standby.inbox.nth(0)
        expect([bodyOf(next), count(next) > first]).toEqual(["token", true])
        yield* says(link, queue, 0, 1)
        expect(standby.inbox.deliveries).toHaveLength(1)
      }))
  })
}
