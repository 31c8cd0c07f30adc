// Stops and starts of actors that share one mailbox queue: alone, and with their system.

import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { child, supervisor, type View } from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { Accounts, type Entry } from "./fixtures/accounts.ts"
import { latch } from "./latch.ts"

const upTo = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, n) => n + 1)
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const address = (id: string) => `test/account/${id}`
const find = (view: View, id: string): View | undefined =>
  view.id === id ? view : view.children.map((each) => find(each, id)).find((found) => found !== undefined)

export const sharedQueueStops = (bench: Bench): void => {
  const ids = () => ({ a: bench.id(), b: bench.id(), c: bench.id() })

  describe("an actor that shares a queue", () => {
    it("is stopped promptly while the others go on under load, and ends what it has begun (11)", async () => {
      const accounts = new Accounts(bench)
      const { a, b } = ids()
      const stay = latch()
      bench.after(stay.open)
      const begun: Array<number> = []
      const def = accounts.def(a, async (n) => {
        begun.push(n)
        await stay.opened
      })
      await bench.spawn(def, { id: a, shutdown: 30_000 })
      await bench.spawn(accounts.def(b, turn), { id: b })
      let n = 0
      let loading = true
      const load = async () => {
        while (loading) {
          n++
          await accounts.tell([a, n], [a, -n], [b, n])
          await new Promise((resolve) => setTimeout(resolve, 2))
        }
      }
      const loaded = load()
      await eventually("both are at work", () => begun.length === 1 && accounts.of(b).length > 20)
      const from = performance.now()
      const system = await bench.system
      const stopped = system.stopActor(def, a)
      await eventually("it is being stopped", () => find(system.tree(), a)?.state === "stopping")
      stay.open()
      expect(await stopped).toBe(true)
      expect(performance.now() - from).toBeLessThan(3_000)
      expect(accounts.of(a), "the batch that it has begun").toStrictEqual([1, -1])
      const sofar = accounts.of(b).length
      await eventually("the other goes on", () => accounts.of(b).length > sofar + 20)
      loading = false
      await loaded
      await eventually("the other has all", () => accounts.of(b).length === n)
      expect(accounts.of(b)).toStrictEqual(upTo(n))
      // What it left undone has waited for it.
      await bench.spawn(accounts.def(a), { id: a })
      await eventually("it has all", () => accounts.of(a).length === 2 * n)
      expect(accounts.of(a)).toStrictEqual(upTo(n).flatMap((each) => [each, -each]))
    })
  })

  describe("a system whose actors share a queue", () => {
    const start = async (accounts: Accounts, one: string, two: string, work?: (n: number) => unknown) => {
      const system = await bench.start()
      await system.spawn(accounts.def(one, work), { id: one })
      await system.spawn(accounts.def(two, work), { id: two })
      return system
    }

    it("finishes the batches it has begun when it stops; the rest waits for the next, in order (5, 11)", async () => {
      const accounts = new Accounts(bench)
      const { a, b, c } = ids()
      const stay = latch()
      const begun: Array<number> = []
      const stopping = await start(accounts, a, b, async (n) => {
        begun.push(n)
        if (n === 1) await stay.opened
      })
      await accounts.tell([a, 1], [b, 1], [b, 2])
      await accounts.tell([a, 2])
      await accounts.tell([a, 3], [b, 3], [c, 3])
      await eventually("both are at work", () => begun.length === 2)
      await eventually("all is in hand", async () => (await bench.ready(accounts.queue)) === 0)
      const stopped = stopping.stop()
      stay.open()
      await stopped
      const done: ReadonlyArray<Entry> = [
        [a, 1],
        [b, 1],
        [b, 2],
      ]
      expect(accounts.log).toStrictEqual(done)
      await eventually("the rest is in the queue", async () => (await bench.ready(accounts.queue)) === 2)

      const next = await start(accounts, a, b)
      await next.spawn(accounts.def(c), { id: c })
      await eventually("the rest is handled", () => accounts.log.length === 7)
      expect(accounts.of(a)).toStrictEqual([1, 2, 3])
      expect(accounts.of(b)).toStrictEqual([1, 2, 3])
      expect(accounts.of(c)).toStrictEqual([3])
      for (const id of [a, b, c]) expect(await bench.deadLetters(address(id))).toStrictEqual([])
    })

    it("finishes what is older than a batch that one of them has begun, so that nothing is overtaken (5, 11)", async () => {
      const accounts = new Accounts(bench)
      const { a, b } = ids()
      const stay = latch()
      const stopping = await start(accounts, a, b, (n) => (n === 1 ? stay.opened : undefined))
      await accounts.tell([a, 1])
      await accounts.tell([a, 2])
      await accounts.tell([a, 3], [b, 3])
      await accounts.tell([a, 4])
      await eventually("one is ahead", () => accounts.of(b).length === 1)
      await eventually("all is in hand", async () => (await bench.ready(accounts.queue)) === 0)
      const stopped = stopping.stop()
      stay.open()
      await stopped
      expect(accounts.of(a)).toStrictEqual([1, 2, 3])
      await start(accounts, a, b)
      await eventually("the rest is handled", () => accounts.of(a).length === 4)
      expect(accounts.of(b)).toStrictEqual([3])
    })

    it("finds what was sent while it was down, and gives it to the right ones though they start late (3)", async () => {
      const accounts = new Accounts(bench)
      const { a, b } = ids()
      const first = await start(accounts, a, b)
      await first.stop()
      await accounts.tell([b, 1], [a, 1])
      await accounts.tellOwn(b, 2)
      await accounts.tellOwn(a, 2)
      await accounts.tell([b, 3], [a, 3])
      expect(await bench.ready(accounts.queue)).toBe(4)
      const slow = latch()
      const [one, two] = [accounts.def(a), accounts.def(b)]
      const tree = supervisor("app", {}, [
        child(
          {
            ...one,
            make: (self) =>
              Effect.andThen(
                Effect.promise(() => slow.opened),
                one.make(self),
              ),
          },
          { id: a },
        ),
        child(two, { id: b }),
      ])
      const started = bench.start({ tree })
      await eventually("it is in hand", async () => (await bench.ready(accounts.queue)) === 0)
      slow.open()
      await started
      await eventually("all is handled", () => accounts.log.length === 6)
      expect(accounts.of(a)).toStrictEqual([1, 2, 3])
      expect(accounts.of(b)).toStrictEqual([1, 2, 3])
    })
  })
}
