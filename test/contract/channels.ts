// The contract of a channel of one's own: it lets go of all it holds in one step, and of nothing else.

import { Effect, Fiber } from "effect"
import { describe, expect } from "vitest"
import { LinkLost, NotFound } from "../../src/broker/errors.ts"
import { bodyOf, eventually, patience, ready, send, sendAll } from "./bench.ts"
import type { Suite } from "./contract.ts"

const types = ["quorum", "classic"] as const

export const channels = ({ spec, rig }: Suite): void => {
  describe("channels of one's own", () => {
    for (const type of types) {
      spec(
        `puts all it holds of a ${type} queue back at its old place when it is closed, and acks what was acked`,
        (bench) =>
          Effect.gen(function* () {
            const link = yield* bench.link
            const queue = yield* bench.queue(link, { type })
            yield* sendAll(link, queue, ["0", "1", "2", "3", "4", "5", "6"])
            const channel = yield* link.openChannel
            const inbox = yield* bench.inbox(channel, queue, 4)
            ;(yield* inbox.nth(0)).ack()
            yield* inbox.nth(4)
            inbox.deliveries[2]!.ack()
            yield* channel.close
            const next = yield* bench.inbox(link, queue, 10)
            yield* next.nth(4)
            expect(next.bodies()).toEqual(["1", "3", "4", "5", "6"])
            // Whether "5" was on its way when the channel was closed is open.
            const heldBefore = next.deliveries.slice(0, 3)
            expect(heldBefore.map((delivery) => delivery.redelivered)).toEqual([true, true, true])
            const returns = type === "quorum" ? 1 : undefined
            expect(heldBefore.map((delivery) => delivery.returns)).toEqual([returns, returns, returns])
            expect(next.deliveries[4]!.redelivered).toBe(false)
          }),
      )

      spec(`delivers nothing of a ${type} queue once it is closed, and keeps nothing that came meanwhile`, (bench) =>
        Effect.gen(function* () {
          const link = yield* bench.link
          const queue = yield* bench.queue(link, { type })
          const channel = yield* link.openChannel
          const inbox = yield* bench.inbox(channel, queue, 1000)
          const bodies = Array.from({ length: 300 }, (_, n) => String(n))
          const sending = yield* Effect.forkChild(sendAll(link, queue, bodies), { startImmediately: true })
          yield* inbox.nth(20)
          yield* channel.close
          const count = inbox.deliveries.length
          yield* Fiber.join(sending)
          yield* ready(link, queue, 300)
          expect(inbox.deliveries).toHaveLength(count)
          expect(inbox.cancelled).toEqual([])
          const next = yield* bench.inbox(link, queue, 1000)
          yield* next.nth(299)
          expect([...next.bodies()].sort((a, b) => Number(a) - Number(b))).toEqual(bodies)
        }),
      )

      spec(
        `lets a consumer of a ${type} queue be cancelled, keeps what it has, and consumes with another prefetch`,
        (bench) =>
          Effect.gen(function* () {
            const link = yield* bench.link
            const queue = yield* bench.queue(link, { type })
            yield* sendAll(link, queue, ["1", "2", "3", "4", "5", "6", "7", "8", "9"])
            const channel = yield* link.openChannel
            const narrow = yield* bench.inbox(channel, queue, 2)
            yield* narrow.nth(1)
            yield* narrow.consumer.cancel
            const wide = yield* bench.inbox(channel, queue, 3)
            yield* wide.nth(2)
            yield* ready(link, queue, 4)
            expect([narrow.bodies(), wide.bodies()]).toEqual([
              ["1", "2"],
              ["3", "4", "5"],
            ])
            narrow.deliveries[0]!.ack()
            wide.deliveries[1]!.ack()
            yield* wide.nth(3)
            yield* channel.close
            const next = yield* bench.inbox(link, queue, 10)
            yield* next.nth(6)
            expect(next.bodies()).toEqual(["2", "3", "5", "6", "7", "8", "9"])
          }),
      )

      const where =
        type === "quorum" ? "behind what else was put back and still waits" : "before what else was put back"
      spec(`puts what it holds of a ${type} queue back ${where}`, (bench) =>
        Effect.gen(function* () {
          const link = yield* bench.link
          const queue = yield* bench.queue(link, { type })
          yield* sendAll(link, queue, ["1", "2", "3", "4", "5"])
          for (const prefetch of [4, 2]) {
            const channel = yield* link.openChannel
            const inbox = yield* bench.inbox(channel, queue, prefetch)
            yield* inbox.nth(prefetch - 1)
            yield* channel.close
            yield* ready(link, queue, 5)
          }
          const next = yield* bench.inbox(link, queue, 10)
          yield* next.nth(4)
          expect(next.bodies().join("")).toBe(type === "quorum" ? "34125" : "12345")
        }),
      )
    }

    spec("takes an ack or nack for nothing once it is closed", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "quorum" })
        yield* sendAll(link, queue, ["1", "2"])
        const channel = yield* link.openChannel
        const inbox = yield* bench.inbox(channel, queue, 2)
        yield* inbox.nth(1)
        yield* channel.close
        inbox.deliveries[0]!.ack()
        inbox.deliveries[1]!.nack({ requeue: false })
        const next = yield* bench.inbox(link, queue, 2)
        yield* next.nth(1)
        expect(next.bodies()).toEqual(["1", "2"])
        yield* inbox.consumer.cancel
      }),
    )

    spec("closes once, however often it is asked to, and consumes no more, which is worth a retry", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "classic" })
        const channel = yield* link.openChannel
        yield* bench.inbox(channel, queue, 1)
        yield* Effect.all([channel.close, channel.close], { concurrency: "unbounded" })
        yield* channel.close
        const failure = yield* Effect.flip(bench.inbox(channel, queue, 1))
        expect(failure).toBeInstanceOf(LinkLost)
        for (const words of [`consume from queue ${queue}`, "closed", "open another channel"]) {
          expect(failure.message).toContain(words)
        }
        yield* send(link, queue, "the link lives")
        yield* (yield* bench.inbox(yield* link.openChannel, queue, 1)).nth(0)
      }),
    )

    spec("disturbs no other channel when it is closed", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "quorum" })
        const [one, two] = [yield* link.openChannel, yield* link.openChannel]
        const inboxes = [
          yield* bench.inbox(one, queue, 1),
          yield* bench.inbox(two, queue, 1),
          yield* bench.inbox(link, queue, 1),
        ] as const
        yield* sendAll(link, queue, ["1", "2", "3"])
        for (const inbox of inboxes) yield* inbox.nth(0)
        const letGo = bodyOf(inboxes[0].deliveries[0]!)
        yield* one.close
        yield* ready(link, queue, 1)
        inboxes[1].deliveries[0]!.ack()
        expect(bodyOf(yield* inboxes[1].nth(1))).toBe(letGo)
        for (const inbox of inboxes) expect(inbox.cancelled).toEqual([])
        expect(inboxes.map((inbox) => inbox.deliveries.length)).toEqual([1, 2, 1])
      }),
    )

    spec("does not find a missing queue, and lives on", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "quorum" })
        const channel = yield* link.openChannel
        const inbox = yield* bench.inbox(channel, queue, 1)
        expect(yield* Effect.flip(bench.inbox(channel, bench.name("missing"), 1))).toBeInstanceOf(NotFound)
        yield* send(link, queue, "still here")
        ;(yield* inbox.nth(0)).ack()
        expect(inbox.cancelled).toEqual([])
        yield* channel.close
        yield* ready(link, queue, 0)
      }),
    )

    spec("tells the consumers of a deleted queue, each once, and lives on", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const other = yield* bench.link
        const doomed = yield* bench.queue(link, { type: "quorum" })
        const kept = yield* bench.queue(link, { type: "quorum" })
        const channel = yield* link.openChannel
        const ended = [yield* bench.inbox(channel, doomed, 1), yield* bench.inbox(channel, doomed, 1)]
        const inbox = yield* bench.inbox(channel, kept, 1)
        yield* sendAll(link, doomed, ["1", "2"])
        for (const each of ended) yield* each.nth(0)
        yield* other.deleteQueue(doomed)
        yield* eventually("both are told", () => ended.every((each) => each.cancelled.length === 1))
        for (const each of ended) each.deliveries[0]!.ack()
        yield* send(link, kept, "a")
        ;(yield* inbox.nth(0)).ack()
        const again = yield* bench.inbox(channel, kept, 5)
        yield* inbox.consumer.cancel
        yield* send(link, kept, "b")
        yield* again.nth(0)
        yield* channel.close
        expect([...ended, inbox, again].map((each) => each.cancelled.length)).toEqual([1, 1, 0, 0])
      }),
    )

    spec("is closed with its link", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "quorum" })
        yield* sendAll(link, queue, ["1", "2"])
        const { link: closing, close } = yield* bench.openLink
        const channel = yield* closing.openChannel
        const inbox = yield* bench.inbox(channel, queue, 2)
        ;(yield* inbox.nth(0)).ack()
        yield* inbox.nth(1)
        yield* close
        yield* ready(link, queue, 1)
        yield* channel.close
        expect(inbox.cancelled).toEqual([])
        expect(yield* Effect.flip(closing.openChannel)).toBeInstanceOf(LinkLost)
      }),
    )

    spec("is done at once with closing when the link is lost", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "quorum" })
        const [early, late] = [yield* link.openChannel, yield* link.openChannel]
        const inboxes = [yield* bench.inbox(early, queue, 1), yield* bench.inbox(late, queue, 1)]
        yield* sendAll(link, queue, ["1", "2"])
        for (const inbox of inboxes) yield* inbox.nth(0)
        rig().cut()
        yield* early.close.pipe(Effect.timeout(patience))
        yield* Effect.flip(link.lost).pipe(Effect.timeout(patience))
        yield* late.close.pipe(Effect.timeout(100))
        expect(yield* Effect.flip(bench.inbox(late, queue, 1))).toBeInstanceOf(LinkLost)
        expect(yield* Effect.flip(link.openChannel)).toBeInstanceOf(LinkLost)
        for (const inbox of inboxes) expect([inbox.deliveries.length, inbox.cancelled]).toEqual([1, []])
        yield* ready(yield* bench.link, queue, 2)
      }),
    )
  })
}
