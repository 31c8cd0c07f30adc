// Cancelling an ask: by an AbortSignal, and by interrupting an Effect (promise 4).

import { Effect, Fiber, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { actor, ask, protocol } from "../../src/index.ts"
import { Actors } from "../../src/system/actors.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"
import { reasonOf, rejection } from "./rejection.ts"

const Work = protocol("work", "1.0.0", {
  promise: ask({ payload: Schema.Number }),
  effect: ask({ payload: Schema.Number }),
  incarnation: ask({ reply: Schema.Number }),
})

/** ms: long before the deadline, which would abort them as well. */
const soon = 2_000

/** Handlers that wait for their end; what becomes of each call is in `log`. */
const worker = (log: Array<string>) =>
  actor(Work, (self) => ({
    promise: (n, { signal }) => {
      log.push(`started ${n}`)
      return new Promise<void>((_, reject) =>
        signal.addEventListener("abort", () => {
          log.push(`aborted ${n}`)
          reject(signal.reason)
        }),
      )
    },
    effect: (n) => {
      log.push(`started ${n}`)
      return Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => log.push(`interrupted ${n}`))))
    },
    incarnation: () => self.incarnation,
  }))

export const cancels = (bench: Bench): void => {
  describe("a cancelled ask", () => {
    it("ends at once, and aborts the signal of a promise handler (4)", async () => {
      const log: Array<string> = []
      const ref = await bench.spawn(worker(log))
      const abort = new AbortController()
      const asked = rejection(ref.promise(1, { signal: abort.signal }))
      await eventually("it runs", () => log.length === 1)
      abort.abort()
      expect(await asked).toMatchObject({ reason: { _tag: "Cancelled" }, retrySafe: false })
      await eventually("the handler hears of it", () => log.includes("aborted 1"), soon)
      expect(await ref.incarnation()).toBe(1)
    })

    it("interrupts an Effect handler (4)", async () => {
      const log: Array<string> = []
      const ref = await bench.spawn(worker(log))
      const abort = new AbortController()
      const asked = reasonOf(ref.effect(1, { signal: abort.signal }))
      await eventually("it runs", () => log.length === 1)
      abort.abort()
      expect(await asked).toMatchObject({ _tag: "Cancelled" })
      await eventually("the handler hears of it", () => log.includes("interrupted 1"), soon)
      expect(await ref.incarnation()).toBe(1)
    })

    it.for(["promise", "effect"] as const)(
      "by interrupting the caller's Effect reaches a %s handler (4)",
      async (kind) => {
        const log: Array<string> = []
        const ref = await bench.spawn(worker(log))
        const runtime = bench.effects()
        const interrupting = Effect.gen(function* () {
          const client = yield* Actors.ref(Work, ref.$id)
          const fiber = yield* Effect.forkChild(client[kind](1))
          yield* Effect.promise(() => eventually("it runs", () => log.length === 1))
          yield* Fiber.interrupt(fiber)
        })
        await runtime.runPromise(interrupting)
        const heard = kind === "promise" ? "aborted 1" : "interrupted 1"
        await eventually("the handler hears of it", () => log.includes(heard), soon)
        expect(await ref.incarnation()).toBe(1)
      },
    )

    it("that has not started never runs (4)", async () => {
      const ran: Array<number> = []
      const stay = latch()
      const ref = await bench.spawn(
        actor(Work, {
          promise: async (n) => {
            ran.push(n)
            if (n === 1) await stay.opened
          },
          effect: () => {},
          incarnation: () => 1,
        }),
      )
      const abort = new AbortController()
      const first = ref.promise(1)
      await eventually("the member is busy", () => ran.length === 1)
      const cancelled = reasonOf(ref.promise(2, { signal: abort.signal }))
      const third = ref.promise(3)
      const queue = bench.claim(Work, ref.$id)
      await eventually("it is in hand", async () => (await bench.ready(queue)) === 0)
      abort.abort()
      expect(await cancelled).toMatchObject({ _tag: "Cancelled" })
      // This reply stands behind the cancel in the same inbox: once it is here, so is the cancel.
      await (await bench.spawn(worker([]))).incarnation()
      stay.open()
      await Promise.all([first, third])
      expect(ran).toStrictEqual([1, 3])
    })

    it("is not even sent when its signal has been aborted before (4)", async () => {
      const system = await bench.system
      const nobody = system.ref(Work, bench.id())
      expect(await reasonOf(nobody.promise(1, { signal: AbortSignal.abort() }))).toMatchObject({ _tag: "Cancelled" })
    })

    it("leaves nothing behind on a signal that lives on, however the ask ends", async () => {
      const ref = await bench.spawn(worker([]))
      const { signal } = new AbortController()
      const listeners = new Set<unknown>()
      const counted = {
        aborted: false,
        addEventListener: (_: string, listener: unknown) => void listeners.add(listener),
        removeEventListener: (_: string, listener: unknown) => void listeners.delete(listener),
      }
      Object.setPrototypeOf(counted, Object.getPrototypeOf(signal))
      const options = { signal: counted as unknown as AbortSignal }
      await ref.incarnation(undefined, options)
      await reasonOf(ref.promise("no number" as never, options))
      await reasonOf(ref.promise(1, { ...options, timeout: 0 }))
      expect(listeners.size).toBe(0)
    })
  })
}
