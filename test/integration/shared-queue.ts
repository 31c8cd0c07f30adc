// Several actors that share one mailbox queue: what is promised of a mailbox holds for each of them.

import { describe, expect, it } from "vitest"
import { child, supervisor } from "../../src/index.ts"
import type { DeadLetter } from "../../src/wire/dead-letter.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { Account, Accounts } from "./fixtures/accounts.ts"
import { rejection } from "./rejection.ts"

const upTo = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, n) => n + 1)
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const address = (id: string) => `test/account/${id}`

export const sharedQueue = (bench: Bench): void => {
  const ids = () => ({ a: bench.id(), b: bench.id(), c: bench.id() })

  describe("actors that share a queue", () => {
    it.for(["durable", "transient"] as const)(
      "each get their own mail from a %s one, by their own keys, by the shared one, and plainly (3)",
      async (mailbox) => {
        const accounts = new Accounts(bench, { mailbox })
        const { a, b } = ids()
        const [toA, toB] = [
          await bench.spawn(accounts.def(a), { id: a }),
          await bench.spawn(accounts.def(b), { id: b }),
        ]
        await accounts.tellOwn(a, 1, 2)
        await accounts.tellOwn(b, 1)
        await accounts.tell([b, 2], [a, 3], [b, 3])
        const plain = { exchange: bench.names.mail, type: "put", mandatory: true, body: Buffer.from("4") }
        await bench.publish({ ...plain, routingKey: accounts.key(a) })
        await toB.put(4)
        expect(await toA.total(5)).toBe(5)
        expect(await toB.total(5)).toBe(5)
        expect(accounts.of(a)).toStrictEqual([1, 2, 3, 4, 5])
        expect(accounts.of(b)).toStrictEqual([1, 2, 3, 4, 5])
        await rejection(bench.ready(bench.claim(Account, a))) // there is no other queue
        await eventually("nothing is left", async () => (await bench.ready(accounts.queue)) === 0)
      },
    )

    it("tell callers that do not know it yet of the shared key, and how long one more message takes (4, 10)", async () => {
      const accounts = new Accounts(bench)
      const { a, b } = ids()
      let inside = 0
      const work = async () => {
        const from = performance.now()
        await new Promise((resolve) => setTimeout(resolve, 60))
        inside = performance.now() - from
      }
      await bench.spawn(accounts.def(a, work), { id: a })
      await bench.spawn(accounts.def(b), { id: b })
      const { ask, replies } = await accounts.asks()
      await ask(accounts.key(a), 1)
      await eventually("it is answered", async () => (await replies()).length === 1)
      await ask(accounts.sharedKey, 2, accounts.key(a))
      await eventually("it is answered", async () => (await replies()).length === 2)
      const [first, second] = await replies()
      expect(first).toMatchObject({ id: 1, outcome: { value: 1 }, via: accounts.sharedKey })
      expect(second).toMatchObject({ id: 2, outcome: { value: 2 } })
      expect(second).not.toHaveProperty("via")
      // Two work side by side: one more message takes half as long.
      expect(second?.service).toBeGreaterThan((inside - 2) / 2)
      expect(second?.service).toBeLessThan(inside * 0.75)
    })

    it("handle what one sender sends to each in order, however it comes (5)", async () => {
      const accounts = new Accounts(bench)
      const { a, b } = ids()
      const work = (n: number) => (n % 3 === 0 ? turn() : undefined)
      await bench.spawn(accounts.def(a, work), { id: a })
      await bench.spawn(accounts.def(b, work), { id: b })
      const numbers = upTo(300)
      const sent: Array<Promise<void>> = []
      for (const n of numbers) {
        if (n % 5 === 0) sent.push(accounts.tellOwn(a, n), accounts.tellOwn(b, n))
        else sent.push(accounts.tell([a, n], [b, n]))
      }
      await Promise.all(sent)
      await eventually("all are handled", () => accounts.log.length === 600)
      expect(accounts.of(a)).toStrictEqual(numbers)
      expect(accounts.of(b)).toStrictEqual(numbers)
    })

    it("are not disturbed when one of them crashes; its dead letter names it (6)", async () => {
      const accounts = new Accounts(bench)
      const { a, b } = ids()
      const tried: Array<number> = []
      const work = (n: number) => {
        tried.push(n)
        if (n === 2) throw new Error("not two")
      }
      await bench.spawn(accounts.def(a, work), { id: a, backoff: { initial: 1, max: 2 } })
      await bench.spawn(accounts.def(b), { id: b })
      await accounts.tell([a, 1], [b, 1], [a, 2], [b, 2], [a, 3], [b, 3])
      await eventually("all the rest is handled", () => accounts.log.length === 5)
      expect(tried).toStrictEqual([1, 2, 2, 2, 3])
      expect(accounts.of(a)).toStrictEqual([1, 3])
      expect(accounts.of(b)).toStrictEqual([1, 2, 3])
      await eventually("it is buried", async () => (await bench.deadLetters(address(a))).length === 1)
      const [letter] = await bench.deadLetters(address(a))
      expect(letter).toMatchObject({ reason: "crashed", attempts: 3, origin: { routingKey: accounts.key(a) } })
      expect(letter?.remains).toMatchObject({ item: { payload: 2, to: accounts.key(a) } })
      expect(await bench.deadLetters(address(b))).toStrictEqual([])
    })

    it("have mail refused that cannot be read or names nobody, and handle its neighbours (7)", async () => {
      const accounts = new Accounts(bench)
      const { a, b: nobody } = ids()
      await bench.spawn(accounts.def(a), { id: a })
      const put = { kind: "tell", node: "n", id: 1, payload: 1 } as const
      await accounts.publish(accounts.sharedKey, [
        { ...put, name: "", to: accounts.key(a) },
        { ...put, name: "put" },
        { ...put, name: "put", to: nobody },
        { ...put, name: "put", to: accounts.key(a) },
      ])
      const { ask, replies } = await accounts.asks()
      await ask(accounts.sharedKey, 2)
      await eventually("the neighbour is handled", () => accounts.of(a).length === 1)
      await eventually("the ask is refused", async () => (await replies()).length === 1)
      expect((await replies())[0]?.outcome).toMatchObject({ tag: "failed", reason: { _tag: "Rejected" } })
      const isNobodys = ({ origin }: DeadLetter) => [accounts.sharedKey, nobody].includes(origin.routingKey)
      const letters = async () => [
        ...(await bench.deadLetters(address(a))),
        ...(await bench.deadLetters("")).filter(isNobodys),
      ]
      await eventually("the others are buried", async () => (await letters()).length === 3)
      const [unreadable, ...nobodys] = await letters()
      expect(unreadable).toMatchObject({ reason: "undecodable", origin: { routingKey: accounts.key(a) } })
      expect(nobodys).toMatchObject([{ reason: "rejected" }, { reason: "rejected" }])
      await eventually("nothing is left", async () => (await bench.ready(accounts.queue)) === 0)
    })

    it("have a batch split that came back, and each gets its own part of it (3, 6)", async () => {
      const accounts = new Accounts(bench, { mailbox: "transient" })
      const { a, b } = ids()
      const [one, two] = [accounts.def(a), accounts.def(b)]
      await bench.spawn(one, { id: a })
      await bench.spawn(two, { id: b })
      const system = await bench.system
      for (const [def, id] of [
        [one, a],
        [two, b],
      ] as const)
        await system.stopActor(def, id)
      await accounts.tell([a, 1], [b, 1], [a, 2])
      await accounts.tellOwn(b, 2, 3)
      const take = () => bench.run(bench.link.get(accounts.queue))
      const [first, second] = [await take(), await take()]
      for (const delivery of [second, first]) delivery?.nack({ requeue: true })
      await bench.spawn(one, { id: a })
      await bench.spawn(two, { id: b })
      await eventually("all is handled", () => accounts.log.length === 5)
      expect([...accounts.of(a)].sort()).toStrictEqual([1, 2])
      expect([...accounts.of(b)].sort()).toStrictEqual([1, 2, 3])
      await eventually("nothing is left", async () => (await bench.ready(accounts.queue)) === 0)
    })

    it("have it declared and bound again when somebody deletes it (9)", async () => {
      const accounts = new Accounts(bench)
      const { a, b } = ids()
      await bench.spawn(accounts.def(a), { id: a })
      await bench.spawn(accounts.def(b), { id: b })
      await bench.run(bench.link.deleteQueue(accounts.queue))
      await eventually("it is there", async () => {
        await accounts.tellOwn(b, 1)
        return true
      })
      await accounts.tellOwn(a, 1)
      await accounts.tell([a, 2], [b, 2])
      await eventually("all is handled", () => accounts.log.length === 4)
    })

    it("that differ in what belongs to the queue are refused with words, and so is one that runs here already", async () => {
      const accounts = new Accounts(bench)
      const { a, b } = ids()
      const ref = await bench.spawn(accounts.def(a), { id: a })
      const clashes = [
        [{ maxDeliveries: 5 }, "maxDeliveries, which is 5 here and 3 there"],
        [{ capacity: 7 }, "capacity, which is 7 here and 100000 there"],
        [{ mailbox: "transient" }, "mailbox, which is transient here and durable there"],
      ] as const
      for (const [options, words] of clashes) {
        const error = String(await rejection(bench.spawn(accounts.def(b, undefined, options), { id: b })))
        expect(error).toContain(`${address(b)} shares the queue ${accounts.queue} with ${address(a)}`)
        expect(error).toContain(words)
      }
      const tree = supervisor("app", {}, [
        child(accounts.def(a), { id: a }),
        supervisor("other", {}, [child(accounts.def(a), { id: a })]),
      ])
      expect(String(await rejection(bench.start({ tree })))).toContain(`${address(a)} runs in this process already`)
      const named = accounts.def(b, undefined, { queue: "a.b" })
      expect(String(await rejection(bench.spawn(named, { id: b })))).toContain('queue "a.b" must be 1 to 63 letters')
      expect(await ref.total(1)).toBe(1)
    })
  })

  describe("mail for an actor that is not there, in a queue that others share,", () => {
    it("waits 5 s until it comes; if it does not, an ask is NoSuchActor and a tell a dead letter (3, 4)", async () => {
      const accounts = new Accounts(bench)
      const { a, b, c } = ids()
      await bench.spawn(accounts.def(a), { id: a })
      const { ask, replies } = await accounts.asks()
      const from = performance.now()
      await ask(accounts.sharedKey, 1, accounts.key(b))
      await accounts.tell([c, 1], [a, 1], [b, 1])
      await eventually("the neighbour is handled", () => accounts.of(a).length === 1)
      await bench.spawn(accounts.def(b), { id: b })
      await eventually("it is handled", () => accounts.of(b).length === 2)
      expect(performance.now() - from, "the test is quick enough to tell").toBeLessThan(4_000)
      expect(accounts.of(b)).toStrictEqual([1, 1])
      await ask(accounts.sharedKey, 2, accounts.key(c))
      await eventually("the ask is refused", async () => (await replies()).some(({ id }) => id === 2))
      expect(performance.now() - from).toBeGreaterThan(4_900)
      expect(performance.now() - from).toBeLessThan(9_000)
      expect(await replies()).toMatchObject([
        { id: 1, outcome: { value: 1 } },
        { id: 2, outcome: { reason: { _tag: "NoSuchActor", address: address(c) } } },
      ])
      // By now it is known to be absent: its mail holds up nobody.
      await ask(accounts.sharedKey, 3, accounts.key(c))
      await eventually("the next is refused", async () => (await replies()).some(({ id }) => id === 3), 2_000)
      await eventually("the tell is buried", async () => (await bench.deadLetters(address(c))).length === 1)
      const [letter] = await bench.deadLetters(address(c))
      expect(letter).toMatchObject({ reason: "rejected", attempts: 0, error: { name: "NoSuchActor" } })
      await eventually("nothing is left", async () => (await bench.ready(accounts.queue)) === 0)
    })
  })
}
