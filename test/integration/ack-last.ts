// Ack last (promise 2), on a broker whose confirms can be held back.

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { type ActorSystem, actor, ask, batch, event, protocol, tell } from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"

const Relay = protocol("relay", "1.0.0", { pass: tell(Schema.String) })
const Sink = protocol("sink", "1.0.0", { put: tell(), got: ask({ reply: Schema.Number }) })

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

export const ackLast = (bench: Bench): void => {
  describe("a message", () => {
    const open = async (before: () => void) => {
      let got = 0
      let done = 0
      const sink = await bench.spawn(actor(Sink, { put: () => void got++, got: () => got }))
      const pass = (id: string, self: Pick<ActorSystem, "ref">) => {
        before()
        // Nobody waits for it, but the ack does.
        void self.ref(Sink, id).put.outcome()
        done++
      }
      const relay = await bench.spawn(actor(Relay, (self) => ({ pass: (id) => pass(id, self) })))
      const queue = bench.claim(Relay, relay.$id)
      return { relay, sink, queue, got: () => got, done: () => done }
    }

    it("is acked only after what its handler sent is confirmed (2)", async () => {
      const broker = bench.venue.embedded!
      const { relay, sink, queue, got, done } = await open(() => broker.faults.loseConfirms(1))
      await relay.pass(sink.$id)
      await eventually("the sink has it", () => got() === 1)
      await turns(20)
      expect(done()).toBe(1)
      expect(broker.queue(queue)?.unacked, "its confirm is lost: no ack yet").toBe(1)
      // It is sent again, with the same id, when the confirm does not come.
      await eventually("it is acked", () => broker.queue(queue)?.unacked === 0)
      expect(got()).toBe(2)
      expect(done()).toBe(1)
    })

    it("waits with its ack while the broker takes nothing (2, 10)", async () => {
      const broker = bench.venue.embedded!
      const { relay, sink, queue, got, done } = await open(() => broker.faults.block("low on disk"))
      await relay.pass(sink.$id)
      await eventually("it is handled", () => done() === 1)
      await turns(20)
      expect(broker.queue(queue)?.unacked).toBe(1)
      expect(got()).toBe(0)
      broker.faults.unblock()
      await eventually("it is acked", () => broker.queue(queue)?.unacked === 0)
      await eventually("the sink has it", () => got() === 1)
    })

    it("is acked only after what its handler emitted is confirmed (2)", async () => {
      const broker = bench.venue.embedded!
      const Bell = protocol("bell", "1.0.0", { ring: tell(), rang: event(Schema.Boolean) })
      let done = false
      const bell = await bench.spawn(
        actor(Bell, (self) => ({
          ring: () => {
            broker.faults.block("low on disk")
            void self.emit("rang", false)
            done = true
          },
        })),
      )
      const queue = bench.claim(Bell, bell.$id)
      await using loop = await bell.rang().open()
      await bell.ring()
      await eventually("it is handled", () => done)
      for (const until = performance.now() + 50; performance.now() < until; await turns(1)) {
        expect(broker.queue(queue)?.unacked, "its event is not confirmed: no ack yet").toBe(1)
      }
      broker.faults.unblock()
      await eventually("it is acked", () => broker.queue(queue)?.unacked === 0)
      expect((await loop.next()).value?.body).toBe(false)
    })

    it("that is handled together with others is acked with them, after what their handler sent is confirmed (2)", async () => {
      const broker = bench.venue.embedded!
      const calls: Array<number> = []
      let got = 0
      const sink = await bench.spawn(actor(Sink, { put: () => void got++, got: () => got }))
      const relay = await bench.spawn(
        actor(Relay, (self) => ({
          pass: batch({ max: 3, within: "2 seconds" }, (ids) => {
            broker.faults.loseConfirms(1)
            void self.ref(Sink, ids[0]!).put.outcome()
            calls.push(ids.length)
          }),
        })),
      )
      const queue = bench.claim(Relay, relay.$id)
      for (let n = 0; n < 3; n++) await relay.pass(sink.$id)
      await eventually("the sink has it", () => got === 1)
      for (const until = performance.now() + 50; performance.now() < until; await turns(1)) {
        expect(broker.queue(queue)?.unacked, "its confirm is lost: no ack yet").toBe(3)
      }
      await eventually("they are acked", () => broker.queue(queue)?.unacked === 0)
      expect([calls, got]).toEqual([[3], 2])
    })

    it("that is an ask is acked only after its answer is confirmed (2)", async () => {
      const broker = bench.venue.embedded!
      const got = () => {
        broker.faults.loseConfirms(1)
        return 1
      }
      const sink = await bench.spawn(actor(Sink, { put: () => {}, got }))
      const queue = bench.claim(Sink, sink.$id)
      expect(await sink.got()).toBe(1)
      await turns(20)
      expect(broker.queue(queue)?.unacked, "the confirm of its answer is lost: no ack yet").toBe(1)
      await eventually("it is acked", () => broker.queue(queue)?.unacked === 0)
    })

    it("is given back when the link is lost before what it sent is confirmed, and not handled twice by who has it (2, 9)", async () => {
      const broker = bench.venue.embedded!
      const { relay, sink, queue, got, done } = await open(() => broker.faults.loseConfirms(1))
      await relay.pass(sink.$id)
      await eventually("the sink has it", () => got() === 1)
      broker.faults.cut({ name: "embedded" })
      await eventually("it is acked on the next link", () => {
        const view = broker.queue(queue)
        return view?.unacked === 0 && view.ready === 0 && view.consumers === 1
      })
      expect(done()).toBe(1)
    })
  })

  describe("while the broker blocks publishers", () => {
    it("a new ask fails fast as Disconnected, and a tell waits (10)", async () => {
      const broker = bench.venue.embedded!
      let got = 0
      const sink = await bench.spawn(actor(Sink, { put: () => void got++, got: () => got }))
      await sink.got()
      broker.faults.block("low on memory")
      await eventually("it is known", async () => {
        const outcome = await sink.got.outcome(undefined, { timeout: 1_000 })
        return !outcome.ok && outcome.error.reason._tag === "Disconnected"
      })
      const from = performance.now()
      expect(await sink.got.outcome()).toMatchObject({
        error: { reason: { _tag: "Disconnected", why: expect.stringContaining("low on memory"), sent: false } },
      })
      expect(performance.now() - from).toBeLessThan(100)
      const told = sink.put()
      await turns(10)
      expect(got).toBe(0)
      broker.faults.unblock()
      await told
      expect(await sink.got()).toBe(1)
    })
  })
}
