// How many at a time, and in which order (promises 1, 5).

import { Effect, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { actor, ask, protocol, tell } from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"

const Slow = protocol("slow", "1.0.0", { work: ask({ payload: Schema.Number, reply: Schema.Number }) })

/** An actor whose handlers wait, and how many of them did so at once. */
const watched = (kind: "promise" | "effect", concurrency: number | "unbounded") => {
  const gauge = { now: 0, most: 0 }
  const enter = () => {
    gauge.now++
    gauge.most = Math.max(gauge.most, gauge.now)
  }
  const leave = () => void gauge.now--
  const pause = () => new Promise((resolve) => setTimeout(resolve, 2))
  const promise = async (n: number) => {
    enter()
    await pause()
    leave()
    return n
  }
  const effect = (n: number) =>
    Effect.sync(enter).pipe(Effect.andThen(Effect.sleep(2)), Effect.andThen(Effect.sync(leave)), Effect.as(n))
  return { gauge, def: actor(Slow, { work: kind === "promise" ? promise : effect }, { concurrency }) }
}

export const order = (bench: Bench): void => {
  describe("an actor", () => {
    it.for([
      ["promise", 1, 1],
      ["effect", 1, 1],
      ["promise", 4, 4],
      ["effect", 4, 4],
      ["promise", "unbounded", 24],
    ] as const)(
      "with %s handlers and concurrency %s handles %i of 24 messages at a time (1)",
      async ([kind, concurrency, most]) => {
        const { gauge, def } = watched(kind, concurrency)
        const ref = await bench.spawn(def)
        const numbers = Array.from({ length: 24 }, (_, n) => n)
        expect(await Promise.all(numbers.map((n) => ref.work(n)))).toStrictEqual(numbers)
        expect(gauge).toStrictEqual({ now: 0, most })
      },
    )

    it("waits for an aborted promise to settle before it takes the next message (1)", async () => {
      const log: Array<string> = []
      const stay = latch()
      bench.after(stay.open)
      const ref = await bench.spawn(
        actor(Slow, {
          work: async (n, { signal }) => {
            log.push(`begin ${n}`)
            signal.addEventListener("abort", () => log.push(`abort ${n}`))
            if (n === 1) await stay.opened
            log.push(`end ${n}`)
            return n
          },
        }),
      )
      const first = ref.work.outcome(1, { timeout: 50 })
      const second = ref.work(2)
      expect(await first).toMatchObject({ ok: false, error: { reason: { _tag: "TimedOut" } } })
      await eventually("the handler hears of its deadline", () => log.includes("abort 1"))
      stay.open()
      expect(await second).toBe(2)
      expect(log).toStrictEqual(["begin 1", "abort 1", "end 1", "begin 2", "end 2"])
    })
  })

  describe("the messages of one sender", () => {
    const Line = protocol("line", "1.0.0", {
      put: tell(Schema.Number),
      ask: ask({ payload: Schema.Number }),
      got: ask({ reply: Schema.Array(Schema.Number) }),
    })

    it("are handled in the order in which they were sent, asks and tells alike (5)", async () => {
      const got: Array<number> = []
      const put = async (n: number) => {
        got.push(n)
        if (n % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      const ref = await bench.spawn(actor(Line, { put, ask: put, got: () => got }))
      const numbers = Array.from({ length: 600 }, (_, n) => n)
      const sent: Array<Promise<void>> = []
      for (const n of numbers) {
        sent.push(n % 3 === 0 ? ref.ask(n) : ref.put(n))
        if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await Promise.all(sent)
      expect(await ref.got()).toStrictEqual(numbers)
    })

    it("keep their order when one of them crashes and is retried (5, 6)", async () => {
      const got: Array<number> = []
      let crashes = 1
      const put = (n: number) => {
        if (n === 10 && crashes-- > 0) throw new Error("once")
        got.push(n)
      }
      const ref = await bench.spawn(
        actor(Line, () => ({ put, ask: put, got: () => got })),
        {
          backoff: { initial: 1, max: 2 },
        },
      )
      const numbers = Array.from({ length: 40 }, (_, n) => n)
      await Promise.all(numbers.map((n) => ref.put(n)))
      expect(await ref.got()).toStrictEqual(numbers)
    })

    it("are spread over the members of a shared clique, each of them once (3)", async () => {
      const got = new Map<string, Array<number>>()
      const member = (name: string) =>
        actor(Slow, {
          work: async (n) => {
            got.set(name, [...(got.get(name) ?? []), n])
            await new Promise((resolve) => setTimeout(resolve, 3))
            return n
          },
        })
      const ref = await bench.spawn(member("a"))
      const other = await bench.start()
      await other.spawn(member("b"), { id: ref.$id })
      const numbers = Array.from({ length: 60 }, (_, n) => n)
      for (let at = 0; at < 60; at += 4) await Promise.all(numbers.slice(at, at + 4).map((n) => ref.work(n)))
      expect([...got.values()].flat().sort((a, b) => a - b)).toStrictEqual(numbers)
      expect(got.get("a")?.length).toBeGreaterThan(5)
      expect(got.get("b")?.length).toBeGreaterThan(5)
    })
  })
}
