// Handlers that take several messages at once (docs/semantics.md, "Batches").

import { Effect, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { type ActorOptions, actor, ask, batch, protocol, Rejected, tell } from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"

const Ledger = protocol("ledger", "1.0.0", {
  save: tell(Schema.Number),
  note: tell(Schema.Number),
  incarnation: ask({ reply: Schema.Number }),
})
const soon = { backoff: { initial: 1, max: 2 } }
const upTo = (count: number, from = 0): ReadonlyArray<number> => Array.from({ length: count }, (_, n) => from + n)

export const batches = (bench: Bench): void => {
  describe("a batch handler", () => {
    type Work = (items: ReadonlyArray<number>, attempts: ReadonlyArray<number>) => unknown
    /** What it was given, call by call; a note is a call with a negative number. */
    const open = async (
      limits: Parameters<typeof batch>[0],
      work: Work = () => {},
      options: ActorOptions = {},
      policy = soon,
    ) => {
      const calls: Array<ReadonlyArray<number>> = []
      const ref = await bench.spawn(
        actor(
          Ledger,
          (self) => ({
            save: batch(limits, async (items, contexts) => {
              calls.push(items)
              await work(
                items,
                contexts.map(({ attempt }) => attempt),
              )
            }),
            note: (n) => void calls.push([-n]),
            incarnation: () => self.incarnation,
          }),
          options,
        ),
        policy,
      )
      const queue = bench.claim(Ledger, ref.$id)
      const handled = (count: number) => eventually(`${count} are handled`, () => new Set(calls.flat()).size === count)
      /** Nothing is left to be acked: what is given back when the member has gone would be ready. */
      const left = async () => {
        await (await bench.system).stop()
        return bench.ready(queue)
      }
      return { ref, calls, queue, handled, left }
    }

    it("is given what comes together, in its order, and never more than it takes (1, 5)", async () => {
      const { ref, calls, handled, left } = await open({ max: 10, within: "2 seconds" })
      await Promise.all(upTo(25).map((n) => ref.save(n)))
      await handled(20)
      expect(calls).toEqual([upTo(10), upTo(10, 10)])
      await handled(25) // after the rest of 2 s
      expect(calls.at(-1)).toEqual(upTo(5, 20))
      expect(await left()).toBe(0)
    })

    it("has in hand as many broker messages as it takes at once (10)", async () => {
      const { ref, calls, handled } = await open({ max: 40, within: "10 seconds" })
      for (const n of upTo(40)) await ref.save(n) // each on its own
      await handled(40)
      expect(calls).toEqual([upTo(40)])
    })

    it("does not wait for others behind another message, and nothing is overtaken (5)", async () => {
      const { ref, calls, handled } = await open({ max: 10, within: "1 minute" })
      await Promise.all([ref.save(0), ref.save(1), ref.note(9), ref.save(2), ref.note(8)])
      await handled(5)
      expect(calls).toEqual([[0, 1], [-9], [2], [-8]])
    })

    it("takes what has come meanwhile when it is done, one turn after the other (1)", async () => {
      const stay = latch()
      bench.after(stay.open)
      let atOnce = 0
      let most = 0
      const { ref, calls, handled } = await open({ max: 100 }, async () => {
        most = Math.max(most, ++atOnce)
        await stay.opened
        atOnce--
      })
      await ref.save(0)
      await eventually("it is at work", () => calls.length === 1)
      await Promise.all(upTo(30, 1).map((n) => ref.save(n)))
      await ref.incarnation(undefined, { timeout: 50 }).catch(() => {})
      stay.open()
      await handled(31)
      expect(calls).toEqual([[0], upTo(30, 1)])
      expect(most).toBe(1)
    })

    it.for(["throws", "rejects", "dies"])(
      "that %s is given each of them alone: the poison costs itself and not its neighbours (6)",
      async (how) => {
        const attempts: Array<readonly [number, number]> = []
        const fail = (): unknown => {
          if (how === "throws") throw new Error("poison")
          return how === "rejects"
            ? Promise.reject(new Error("poison"))
            : Effect.runPromise(Effect.die(new Error("poison")))
        }
        const { ref, calls, handled, left } = await open({ max: 10, within: "2 seconds" }, (items, tries) => {
          attempts.push(...items.map((n, index) => [n, tries[index]!] as const))
          if (items.includes(3)) return fail()
          return undefined
        })
        await Promise.all(upTo(10).map((n) => ref.save(n)))
        await handled(10)
        await eventually("the poison is dead", async () => (await bench.deadLetters(ref.$address)).length === 1)
        expect(await bench.deadLetters(ref.$address)).toMatchObject([
          { reason: "crashed", attempts: 3, error: { message: "poison" }, remains: { item: { payload: 3 } } },
        ])
        await eventually("the last of them is handled", () => calls.some(([n]) => n === 9))
        expect(calls).toEqual([upTo(10), [0], [1], [2], [3], [3], [4], [5], [6], [7], [8], [9]])
        expect(attempts.filter(([n]) => n === 3).map(([, attempt]) => attempt)).toEqual([1, 2, 3])
        expect(attempts.filter(([n]) => n === 9).map(([, attempt]) => attempt)).toEqual([1, 2])
        expect(await ref.incarnation()).toBe(4)
        expect(await left()).toBe(0)
      },
    )

    it("gives each of them one try alone, also where there is but one (6)", async () => {
      const poison = (items: ReadonlyArray<number>) => {
        if (items.includes(1)) throw new Error("poison")
      }
      const { ref, calls, handled } = await open({ max: 3, within: "2 seconds" }, poison, { maxDeliveries: 1 })
      await Promise.all(upTo(3).map((n) => ref.save(n)))
      await handled(3)
      await eventually("the poison is dead", async () => (await bench.deadLetters(ref.$address)).length === 1)
      await eventually("all are handled", () => calls.length === 4)
      expect(calls).toEqual([upTo(3), [0], [1], [2]])
    })

    it("that refuses them is asked for each alone, and nothing crashes (7)", async () => {
      const { ref, calls, handled } = await open({ max: 5, within: "2 seconds" }, (items) => {
        if (items.includes(2)) throw new Rejected({ why: "not this one" })
      })
      await Promise.all(upTo(5).map((n) => ref.save(n)))
      await handled(5)
      await eventually("it is refused", async () => (await bench.deadLetters(ref.$address)).length === 1)
      expect(await bench.deadLetters(ref.$address)).toMatchObject([
        { reason: "rejected", remains: { item: { payload: 2 } } },
      ])
      await eventually("all are handled", () => calls.length === 6)
      expect(calls).toEqual([upTo(5), [0], [1], [2], [3], [4]])
      expect(await ref.incarnation()).toBe(1)
    })

    it("never sees bad input, and gets its neighbours (7)", async () => {
      const { ref, calls, handled, left } = await open({ max: 10, within: "2 seconds" })
      const Loose = protocol("ledger", "1.0.0", { save: tell(Schema.Unknown) })
      const loose = (await bench.system).ref(Loose, ref.$id)
      await Promise.all(["x", 1, "y", 2, ...upTo(6, 3)].map((value) => loose.save(value)))
      await handled(8)
      expect(calls).toEqual([upTo(8, 1)])
      await eventually("they are refused", async () => (await bench.deadLetters(ref.$address)).length === 2)
      expect(await left()).toBe(0)
    })

    it("may be an Effect, which is interrupted when its cell ends", async () => {
      let interrupted = 0
      const P = protocol("effectful", "1.0.0", { save: tell(Schema.Number) })
      const seen: Array<number> = []
      const def = actor(P, {
        save: batch({ max: 3, within: "2 seconds" }, (items) =>
          Effect.andThen(
            Effect.sync(() => seen.push(...items)),
            Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++)),
          ),
        ),
      })
      const ref = await bench.spawn(def, { shutdown: 500 })
      await Promise.all(upTo(3).map((n) => ref.save(n)))
      await eventually("it is at work", () => seen.length === 3)
      await (await bench.system).stopActor(def, ref.$id)
      await eventually("it is interrupted", () => interrupted === 1)
      await eventually("they are back in the queue", async () => (await bench.ready(bench.claim(P, ref.$id))) > 0)
    })

    it("takes one of the places of an actor that handles several things at once (1)", async () => {
      const stay = latch()
      bench.after(stay.open)
      const { ref, calls } = await open({ max: 10, within: "2 seconds" }, () => stay.opened, { concurrency: 2 })
      await Promise.all(upTo(10).map((n) => ref.save(n)))
      await eventually("it is at work", () => calls.length === 1)
      expect(await ref.incarnation()).toBe(1)
      await Promise.all(upTo(10, 10).map((n) => ref.save(n)))
      await eventually("a second one is", () => calls.length === 2)
      await ref.save(99)
      await ref.note(1)
      expect((await bench.system).printTree()).toMatch(/2 running/)
      expect(calls).toHaveLength(2)
      stay.open()
      await eventually("the rest", () => calls.flat().includes(-1))
    })

    it("finishes what it has begun when the system stops, and leaves the rest (11)", async () => {
      const stay = latch()
      bench.after(stay.open)
      const { ref, calls, queue } = await open({ max: 5 }, () => stay.opened, {}, {
        ...soon,
        shutdown: 5_000,
      } as typeof soon)
      await ref.save(0)
      await eventually("it is at work", () => calls.length === 1)
      for (const n of upTo(3, 1)) await ref.save(n)
      const stopping = (await bench.system).stop()
      stay.open()
      await stopping
      expect(calls).toEqual([[0]])
      expect(await bench.ready(queue)).toBe(3)
    })
  })
}
