// What becomes of streams when links are lost, frames come twice or never are confirmed, and nodes fall silent; on a broker
// that fails to order.

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { actor, ask, protocol, type Ref, stream } from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { rejection } from "./rejection.ts"
import { all } from "./streams.ts"

const Flow = protocol("flow", "1.0.0", {
  count: ask({ payload: Schema.Number, reply: stream(Schema.Number) }),
  idle: ask({ reply: stream(Schema.Number) }),
  sum: ask({ payload: stream(Schema.Number), reply: Schema.Number }),
  echo: ask({ payload: stream(Schema.Number), reply: stream(Schema.Number) }),
})

const pause = () => new Promise((resolve) => setTimeout(resolve, 1))

/** Numbers, with a moment between some of them. */
async function* numbers(count: number) {
  for (let n = 0; n < count; n++) {
    if (n % 500 === 0) await pause()
    yield n
  }
}

export const streamsLosses = (bench: Bench): void => {
  let begun = 0
  let ended = 0
  const flow = actor(Flow, {
    count: (to) => {
      begun++
      return numbers(to)
    },
    async *idle(_, { signal }) {
      try {
        yield 1
        await new Promise((resolve) => signal.addEventListener("abort", resolve))
      } finally {
        ended++
      }
    },
    sum: async (items) => {
      let sum = 0
      for await (const n of items) sum += n
      return sum
    },
    echo: (items) => items,
  })
  /** A caller and a callee, each on a link of its own. @param interval of presence, ms: longer than a reconnect takes. */
  const open = async (interval = 5_000) => {
    const broker = bench.venue.embedded!
    const presence = { interval }
    const callee = await bench.start({ broker: broker.as("callee"), presence })
    const caller = await bench.start({ broker: broker.as("caller"), presence })
    const id = bench.id()
    bench.claim(Flow, id)
    await callee.spawn(flow, { id })
    begun = 0
    ended = 0
    return { broker, caller, callee, ref: caller.ref(Flow, id) as Ref<typeof Flow> }
  }
  const upTo = (count: number) => Array.from({ length: count }, (_, n) => n)

  describe("a stream whose links fail", () => {
    it.each(["caller", "callee"])(
      "brings every item once and in order when the %s's is cut again and again (9)",
      async (name) => {
        const { broker, ref } = await open()
        const got: Array<number> = []
        for await (const n of ref.count(20_000)) {
          got.push(n)
          if (n % 4_000 === 1_000) broker.faults.cut({ name })
          if (n % 1_000 === 0) await pause()
        }
        expect(got).toStrictEqual(upTo(20_000))
        expect(begun, "the handler is not run again").toBe(1)
      },
    )

    it("brings the payload, too, when both are (9)", async () => {
      const { broker, ref } = await open()
      const hurt = async function* () {
        for await (const n of numbers(20_000)) {
          if (n % 4_000 === 1_000) broker.faults.cut({ name: n % 8_000 === 1_000 ? "caller" : "callee" })
          yield n
        }
      }
      expect(await ref.sum(hurt())).toBe((20_000 * 19_999) / 2)
    })

    it("brings nothing twice when the broker does, or does not confirm (3)", async () => {
      const { broker, ref } = await open()
      const got: Array<number> = []
      for await (const n of ref.echo(numbers(5_000))) {
        got.push(n)
        if (n % 1_000 === 0) broker.faults.duplicate(3)
        if (n % 1_000 === 500) broker.faults.loseConfirms(2)
      }
      expect(got).toStrictEqual(upTo(5_000))
    })

    it.each(["caller", "callee"])(
      "goes on when the inbox of the %s is deleted while nothing is on its way",
      async (name) => {
        const { broker, caller, callee, ref } = await open()
        const next: { resolve?: (n: number) => void } = {}
        const byHand = async function* () {
          for (let n = 0; n < 3; n++) yield await new Promise<number>((resolve) => Object.assign(next, { resolve }))
        }
        const items = ref.echo(byHand())[Symbol.asyncIterator]()
        const first = items.next()
        await eventually("the payload is wanted", () => next.resolve !== undefined)
        next.resolve?.(7)
        expect((await first).value).toBe(7)
        const { node } = name === "caller" ? caller : callee
        const inbox = bench.names.inbox(node, 1)
        await eventually("nothing is on its way", () => {
          const state = broker.queue(inbox)
          return state !== undefined && state.ready + state.unacked === 0
        })
        await bench.run(bench.link.deleteQueue(inbox))
        await eventually("there is another", () => broker.queue(bench.names.inbox(node, 2)) !== undefined)
        await new Promise((resolve) => setTimeout(resolve, 100)) // the far end hears of it
        const second = items.next()
        next.resolve?.(8)
        expect((await second).value).toBe(8)
        await items.return?.()
      },
    )

    it("ends with a failure that says so when part of it was lost, and never without a part", async () => {
      const { broker, caller, ref } = await open()
      let hurt = false
      const got: Array<number> = []
      const error = await rejection(
        (async () => {
          for await (const n of ref.count(1_000_000)) {
            got.push(n)
            if (n % 1_000 === 0) await pause()
            if (n > 10_000 && !hurt) {
              hurt = true
              // What is in it is gone.
              broker.faults.cut({ name: "caller" })
              await bench.run(bench.link.deleteQueue(bench.names.inbox(caller.node, 1)))
            }
          }
        })(),
      )
      expect(error).toMatchObject({ reason: { _tag: "Disconnected", sent: true }, retrySafe: false })
      expect(got).toStrictEqual(upTo(got.length))
      expect(got.length).toBeLessThan(1_000_000)
    })

    it("ends within two intervals when the far end falls silent, though nothing is sent; at the far end as well (12)", async () => {
      const interval = 300
      const { broker, ref } = await open(interval)
      const items = ref.idle()[Symbol.asyncIterator]()
      await items.next()
      const next = rejection(items.next())
      broker.faults.cut({ name: "callee" })
      broker.faults.refuse()
      const cut = performance.now()
      expect(await next).toMatchObject({ reason: { _tag: "Disconnected", sent: true } })
      expect(performance.now() - cut).toBeLessThan(2 * interval + 300)
      broker.faults.allow()
      await eventually("the far end is told when it is back", () => ended === 1)
      expect(await all(ref.count(3))).toStrictEqual([0, 1, 2])
    })
  })
}
