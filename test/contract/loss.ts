// The contract of trouble: a link that is cut or closed, a broker that takes no more.

import { Effect, Fiber } from "effect"
import { describe, expect, it } from "vitest"
import { LinkLost } from "../../src/broker/errors.ts"
import { bodyOf, eventually, patience, publish, send, sendAll } from "./bench.ts"
import type { Suite } from "./contract.ts"

const types = ["quorum", "classic"] as const

export const loss = ({ spec, rig }: Suite, can: { readonly alarm: boolean }): void => {
  describe("loss", () => {
    spec("tells that a link was cut, settles what was in flight, and refuses everything after", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "quorum" })
        yield* send(link, queue, "before")
        const settled: Array<unknown> = []
        for (let n = 0; n < 50; n++) {
          const message = { exchange: "", routingKey: queue, body: Buffer.from(String(n)) }
          link.publish(message, (failure) => settled.push(failure))
        }
        rig().cut()
        const lost = yield* Effect.flip(link.lost).pipe(Effect.timeout(patience))
        expect(lost).toBeInstanceOf(LinkLost)
        yield* eventually("all are settled", () => settled.length === 50)
        for (const failure of settled) if (failure !== undefined) expect(failure).toBeInstanceOf(LinkLost)
        expect(yield* Effect.flip(send(link, queue, "after"))).toBeInstanceOf(LinkLost)
        expect(yield* Effect.flip(link.declareQueue({ name: queue, type: "quorum" }))).toBeInstanceOf(LinkLost)
        expect(yield* Effect.flip(link.get(queue))).toBeInstanceOf(LinkLost)
        expect(settled).toHaveLength(50)
      }),
    )

    for (const type of types) {
      spec(`gives the unacked messages of a cut link to the next one, in order, on a ${type} queue`, (bench) =>
        Effect.gen(function* () {
          const link = yield* bench.link
          const queue = yield* bench.queue(link, { type })
          yield* sendAll(link, queue, ["0", "1", "2", "3", "4", "5"], { persistent: true })
          const inbox = yield* bench.inbox(link, queue, 3)
          ;(yield* inbox.nth(0)).ack()
          const held = yield* inbox.nth(3)
          expect(bodyOf(held)).toBe("3")
          rig().cut()
          yield* Effect.flip(link.lost).pipe(Effect.timeout(patience))
          held.ack()
          const next = yield* bench.link
          const after = yield* bench.inbox(next, queue, 10)
          yield* eventually("the last one", () => after.bodies().includes("5"))
          // The ack of the first one may have been under way when the link was cut.
          const bodies = after.bodies().filter((body) => body !== "0")
          expect(bodies).toEqual(["1", "2", "3", "4", "5"])
          expect(after.deliveries.find((delivery) => bodyOf(delivery) === "1")?.redelivered).toBe(true)
          expect(after.deliveries.find((delivery) => bodyOf(delivery) === "5")?.redelivered).toBe(false)
          expect(inbox.deliveries).toHaveLength(4)
          expect(inbox.cancelled).toEqual([])
        }),
      )
    }

    spec("does not call a closed link lost, and hands back what it held", (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "quorum" })
        const { link: closing, close } = yield* bench.openLink
        const watch = yield* Effect.forkDetach(Effect.flip(closing.lost))
        const inbox = yield* bench.inbox(closing, queue, 1)
        yield* sendAll(link, queue, ["1", "2"])
        ;(yield* inbox.nth(0)).ack()
        yield* inbox.nth(1)
        yield* close
        yield* close
        const next = yield* (yield* bench.inbox(link, queue, 10)).nth(0)
        expect([bodyOf(next), next.redelivered]).toEqual(["2", true])
        expect(watch.pollUnsafe()).toBeUndefined()
        expect(yield* Effect.flip(send(closing, queue, "late"))).toBeInstanceOf(LinkLost)
        expect([inbox.deliveries.length, inbox.cancelled]).toEqual([2, []])
        yield* Fiber.interrupt(watch)
      }),
    )

    spec("has confirmed or failed every publish by the time that a link is closed", (bench) =>
      Effect.gen(function* () {
        const { link, close } = yield* bench.openLink
        const queue = yield* bench.queue(link, { type: "quorum" })
        const settled: Array<unknown> = []
        for (let n = 0; n < 100; n++) {
          link.publish({ exchange: "", routingKey: queue, body: Buffer.from(String(n)) }, (f) => settled.push(f))
        }
        yield* close
        expect(settled).toEqual(Array.from({ length: 100 }, () => undefined))
      }),
    )

    if (!can.alarm) {
      it.skip("says that the broker takes no publishes, and goes on after (this rig cannot raise an alarm)", () => {})
      return
    }
    spec("says that the broker takes no publishes, lets acks flow, and goes on after", (bench) =>
      Effect.gen(function* () {
        const alarm = rig().alarm!
        const link = yield* bench.link
        const queue = yield* bench.queue(link, { type: "classic" })
        const told: Array<string | undefined> = []
        link.onBlocked((why) => told.push(why))
        yield* sendAll(link, queue, ["1", "2"])
        const inbox = yield* bench.inbox(link, queue, 1)
        yield* inbox.nth(0)
        expect(link.blocked()).toBeUndefined()
        yield* Effect.promise(alarm.raise)
        let settled = false
        const held = yield* Effect.forkDetach(
          Effect.tap(publish(link, { exchange: "", routingKey: queue, body: Buffer.from("3") }), () =>
            Effect.sync(() => {
              settled = true
            }),
          ),
        )
        yield* eventually("blocked", () => told.length === 1)
        expect([typeof told[0], link.blocked()]).toEqual(["string", told[0]])
        inbox.deliveries[0]!.ack()
        yield* inbox.nth(1)
        yield* link.inspectQueue(queue)
        expect(settled).toBe(false)
        yield* Effect.promise(alarm.lift)
        yield* Fiber.join(held).pipe(Effect.timeout(patience))
        yield* eventually("unblocked", () => told.length === 2)
        expect([told[1], link.blocked()]).toEqual([undefined, undefined])
      }).pipe(Effect.ensuring(Effect.promise(() => rig().alarm!.lift()))),
    )
  })
}
