// Streams as a client in another language speaks them (docs/wire.md, "Streams"), and as somebody speaks them who is
// careless or means harm (promise 7).

import { randomUUID } from "node:crypto"
import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { actor, ask, protocol, stream } from "../../src/index.ts"
import { encodeBatch } from "../../src/wire/batch.ts"
import { type Bench, domain } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { all } from "./streams.ts"

const Numbers = protocol("foreign-numbers", "1.0.0", {
  count: ask({ payload: Schema.Struct({ to: Schema.Number }), reply: stream(Schema.Number) }),
  sum: ask({ payload: stream(Schema.Number), reply: Schema.Number }),
  echo: ask({ payload: stream(Schema.Number), reply: stream(Schema.Number) }),
  plain: ask({ reply: Schema.Number }),
  incarnation: ask({ reply: Schema.Number }),
})

type Json = Readonly<Record<string, unknown>>

/** A client with a queue of its own that writes and reads frames by hand. */
class Foreigner {
  readonly node = randomUUID()
  readonly inbox: string
  readonly got: Array<Json> = []
  readonly #bench: Bench
  #id = 0
  #number = 0

  private constructor(bench: Bench) {
    this.#bench = bench
    this.inbox = `${bench.prefix}.client.${this.node}`
  }

  static async join(bench: Bench): Promise<Foreigner> {
    const foreigner = new Foreigner(bench)
    const { inbox } = foreigner
    await bench.run(bench.link.declareQueue({ name: inbox, type: "classic", expires: 60_000 }))
    bench.after(() => bench.run(bench.link.deleteQueue(inbox)))
    const delivery = (delivery: { message: { body: Buffer }; ack: () => void }) => {
      foreigner.got.push(...(JSON.parse(delivery.message.body.toString()) as { items: Array<Json> }).items)
      delivery.ack()
    }
    await bench.run(bench.link.consume(inbox, { prefetch: 100 }, { delivery, cancelled: () => {} }))
    return foreigner
  }

  #publish(exchange: string, routingKey: string, item: Json): Promise<void> {
    const head = { node: this.node, messageId: randomUUID(), replyTo: this.inbox }
    return this.#bench.publish({ ...encodeBatch(head, [JSON.stringify(item)]), exchange, routingKey })
  }

  /** The number of the stream at this end. */
  async open(id: string, name: string, more: Json): Promise<number> {
    const i = ++this.#id
    const key = `${domain}.${Numbers.name}.${id}.v1`
    await this.#publish(this.#bench.names.mail, key, { k: "a", i, n: name, d: Date.now() + 5_000, ...more })
    return i
  }

  /** The frame, or reply, that opened or refused it. */
  async answer(i: number): Promise<Json> {
    let answer: Json | undefined
    await eventually("it is answered", () => {
      answer = this.got.find((item) => item.i === i)
      return answer !== undefined
    })
    return answer as Json
  }

  frames(i: number, m: string): ReadonlyArray<Json> {
    return this.got.filter((item) => item.i === i && item.m === m)
  }

  items(i: number): ReadonlyArray<unknown> {
    return this.frames(i, "i").flatMap(({ v }) => v as ReadonlyArray<unknown>)
  }

  /** To the end that this frame has come from. */
  say(to: Json, frame: Json): Promise<void> {
    const numbered = "m" in frame && !["a", "n"].includes(frame.m as string) ? { q: ++this.#number } : {}
    const head = { k: "f", i: to.j, j: to.i, r: this.inbox, ...numbered }
    return this.#publish("", to.r as string, { ...head, ...frame })
  }

  /** Anything, to any inbox. */
  throw(inbox: string, item: Json): Promise<void> {
    return this.#publish("", inbox, item)
  }
}

export const streamsForeign = (bench: Bench): void => {
  const ended: Array<string> = []
  const numbers = () =>
    actor(Numbers, (self) => ({
      async *count({ to }) {
        try {
          for (let n = 0; n < to; n++) yield n
        } finally {
          ended.push("count")
        }
      },
      sum: async (items) => {
        let sum = 0
        for await (const n of items) sum += n
        return sum
      },
      echo: (items) => items,
      plain: () => 1,
      incarnation: () => self.incarnation,
    }))

  describe("a client in another language", () => {
    it("takes items by credit, gives more, and gets the end", async () => {
      const ref = await bench.spawn(numbers())
      const client = await Foreigner.join(bench)
      const i = await client.open(ref.$id, "count", { p: { to: 25 }, x: { c: [10, 1_000] } })
      const opened = await client.answer(i)
      expect(opened).toMatchObject({ k: "f", m: "o", q: 1 })
      await eventually("ten have come", () => client.items(i).length === 10)
      await client.say(opened, { m: "c", c: [20, 1_000] })
      await eventually("twenty have come", () => client.items(i).length === 20)
      expect(client.frames(i, "e")).toStrictEqual([])
      await client.say(opened, { m: "c", c: [1_000, 100_000] })
      await eventually("it is over", () => client.frames(i, "e").length === 1)
      expect(client.items(i)).toStrictEqual(Array.from({ length: 25 }, (_, n) => n))
      const numbered = client.got.map(({ q }) => q)
      expect(numbered).toStrictEqual(numbered.map((_, index) => index + 1))
    })

    it("sends a payload and gets the reply; and both at once", async () => {
      const ref = await bench.spawn(numbers())
      const client = await Foreigner.join(bench)
      const i = await client.open(ref.$id, "sum", { x: { u: true } })
      const opened = await client.answer(i)
      expect(opened).toMatchObject({ m: "o", q: 1, c: [expect.any(Number), expect.any(Number)] })
      await client.say(opened, { m: "i", b: 9, v: [1, 2, 3] })
      await client.say(opened, { m: "e" })
      await eventually("it is answered", () => client.frames(i, "e").length === 1)
      expect(client.frames(i, "e")).toMatchObject([{ q: 2, v: 6 }])

      const other = await Foreigner.join(bench)
      const both = await other.open(ref.$id, "echo", { x: { u: true, c: [100, 10_000] } })
      await other.say(await other.answer(both), { m: "i", b: 3, v: [7] })
      await eventually("it comes back", () => other.items(both).length === 1)
      await other.say(await other.answer(both), { m: "a", v: { _tag: "Cancelled" } })
      expect(await ref.incarnation()).toBe(1)
    })

    it("is told when it asks how much was sent, and what it has lost shows", async () => {
      const ref = await bench.spawn(numbers())
      const client = await Foreigner.join(bench)
      const i = await client.open(ref.$id, "count", { p: { to: 1_000 }, x: { c: [3, 1_000] } })
      const opened = await client.answer(i)
      await eventually("three have come", () => client.items(i).length === 3)
      await client.say(opened, { m: "n", q: 0, y: true })
      await eventually("it is told", () => client.frames(i, "n").length === 1)
      expect(client.frames(i, "n")).toMatchObject([{ q: 1 + client.frames(i, "i").length }])
      await client.say(opened, { m: "a", v: { _tag: "Cancelled" } })
      await eventually("its end is cleaned up", () => ended.length > 0)
    })

    it.each([
      ["plainly", "count", { p: { to: 1 } }],
      ["for one reply that are many", "count", { p: { to: 1 }, x: { u: true } }],
      ["with one payload that are many", "sum", { p: 1, x: { c: [1, 1] } }],
      ["with an opening that cannot be read", "count", { p: { to: 1 }, x: 7 }],
      ["with credit below zero", "count", { p: { to: 1 }, x: { c: [-1, 5] } }],
      ["with a payload that does not fit", "count", { p: "one", x: { c: [1, 100] } }],
    ])("is refused when it asks %s (7)", async (_, name, more) => {
      const ref = await bench.spawn(numbers())
      const client = await Foreigner.join(bench)
      const i = await client.open(ref.$id, name, more)
      expect(await client.answer(i)).toMatchObject({ k: "r", o: "failed", v: { _tag: "Rejected" } })
      expect(await ref.incarnation()).toBe(1)
    })

    it("is refused when it asks with a plain message (7)", async () => {
      const ref = await bench.spawn(numbers())
      const client = await Foreigner.join(bench)
      const replies: Array<Json> = []
      const queue = `${bench.prefix}.client.${bench.id()}`
      await bench.run(bench.link.declareQueue({ name: queue, type: "classic", expires: 60_000 }))
      await bench.publish({
        exchange: bench.names.mail,
        routingKey: `${domain}.${Numbers.name}.${ref.$id}.v1`,
        type: "count",
        replyTo: queue,
        body: Buffer.from('{"to":3}'),
      })
      await eventually("it is answered", async () => {
        for (const { message } of await bench.takeAll(queue)) replies.push(JSON.parse(message.body.toString()) as Json)
        return replies.length === 1
      })
      expect(replies).toMatchObject([{ _tag: "Rejected" }])
      await bench.run(bench.link.deleteQueue(queue))
      expect(client.got).toStrictEqual([])
    })
  })

  describe("frames of somebody who means harm", () => {
    it("for streams that nobody has are answered with the news that they are gone, and only that (7)", async () => {
      const ref = await bench.spawn(numbers())
      const client = await Foreigner.join(bench)
      const opened = await client.answer(await client.open(ref.$id, "count", { p: { to: 9 }, x: { c: [1, 100] } }))
      const inbox = opened.r as string
      for (const m of ["o", "i", "c", "s", "e", "n", "z", undefined]) {
        await client.throw(inbox, { k: "f", i: 12345, j: 777, r: client.inbox, m, q: 1, c: [1, 1], b: 1, v: [1] })
      }
      await eventually("each is answered", () => client.frames(777, "a").length === 8)
      expect(client.frames(777, "a")[0]).toMatchObject({ j: 12345, v: { _tag: "Disconnected" } })
      await client.throw(inbox, { k: "f", i: 12345, j: 778, r: client.inbox, m: "a", v: {} })
      // Garbage costs nothing but a line in the log.
      for (const item of [
        { k: "f" },
        { k: "f", i: 1 },
        { k: "f", i: 1, j: -1, r: "x" },
        { k: "f", i: 1, j: 1, r: "" },
      ]) {
        await client.throw(inbox, item)
      }
      expect(await ref.incarnation()).toBe(1)
      expect(client.frames(778, "a")).toStrictEqual([])
    })

    it("cannot speak for another end: neither its node nor its number may be borrowed (7)", async () => {
      const ref = await bench.spawn(numbers())
      const client = await Foreigner.join(bench)
      const i = await client.open(ref.$id, "count", { p: { to: 100 }, x: { c: [1, 100] } })
      const opened = await client.answer(i)
      const thief = await Foreigner.join(bench)
      const inbox = opened.r as string
      await thief.throw(inbox, { k: "f", i: opened.j, j: i, r: thief.inbox, m: "a", v: { _tag: "Cancelled" } })
      await thief.throw(inbox, { k: "f", i: opened.j, j: i, r: thief.inbox, m: "c", q: 1, c: [50, 5_000] })
      await client.throw(inbox, { k: "f", i: opened.j, j: i + 1, r: client.inbox, m: "c", q: 1, c: [50, 5_000] })
      await eventually("the others are sent away", () => thief.frames(i, "a").length === 1)
      await eventually("the others are sent away", () => client.frames(i + 1, "a").length === 1)
      await client.say(opened, { m: "c", c: [1_000, 100_000] })
      await eventually("the stream goes on", () => client.frames(i, "e").length === 1)
      expect(client.items(i)).toHaveLength(100)
    })

    it.each([
      ["numbers that are far ahead", { m: "c", q: 1_000_000, c: [5, 500] }],
      ["a number that is none", { m: "c", q: "1", c: [5, 500] }],
      ["credit below zero", { m: "c", c: [-5, -5] }],
      ["credit that is not a number", { m: "c", c: [null, null] }],
      ["credit without measure", { m: "c", c: [2 ** 53 - 1, 2 ** 53 - 1] }],
      ["credit that is taken back", { m: "c", c: [0, 0] }],
      ["items where none belong", { m: "i", b: 1, v: [1] }],
      ["something that nobody knows", { m: "?" }],
    ])("cost the stream that they are for, and nothing else: %s (7)", async (_, frame) => {
      const ref = await bench.spawn(numbers())
      const client = await Foreigner.join(bench)
      const i = await client.open(ref.$id, "count", { p: { to: 100_000 }, x: { c: [2, 100] } })
      const opened = await client.answer(i)
      const beside = all(ref.count({ to: 1_000 }))
      const { length } = ended
      await client.say(opened, frame)
      await eventually("it is sent away", () => client.frames(i, "a").length === 1)
      expect(client.frames(i, "a")).toMatchObject([{ v: { _tag: "Disconnected", sent: true } }])
      await eventually("its end is cleaned up", () => ended.length > length)
      expect(await beside).toHaveLength(1_000)
      expect(await ref.incarnation()).toBe(1)
    })

    it.each([
      [
        "more items than there was credit for",
        (most: number) => ({ m: "i", b: 2 * most + 2, v: Array(most + 1).fill(1) }),
      ],
      ["a large item that says it is small", () => ({ m: "i", b: 5, v: ["x".repeat(1_000)] })],
    ] as const)("that hold %s end their stream (7, 10)", async (_, frame) => {
      const ref = await bench.spawn(numbers())
      const client = await Foreigner.join(bench)
      const i = await client.open(ref.$id, "sum", { x: { u: true } })
      const opened = await client.answer(i)
      const [most] = opened.c as ReadonlyArray<number>
      await client.say(opened, frame(most as number))
      await eventually("it is sent away", () => client.frames(i, "a").length === 1)
      expect(await ref.sum([1, 2])).toBe(3)
      expect(await ref.incarnation()).toBe(1)
    })

    it("that come again are taken once (7)", async () => {
      const ref = await bench.spawn(numbers())
      const client = await Foreigner.join(bench)
      const i = await client.open(ref.$id, "sum", { x: { u: true } })
      const opened = await client.answer(i)
      const head = { k: "f", i: opened.j, j: i, r: client.inbox }
      for (let times = 0; times < 3; times++)
        await client.throw(opened.r as string, { ...head, m: "i", q: 2, b: 2, v: [10] })
      for (let times = 0; times < 3; times++)
        await client.throw(opened.r as string, { ...head, m: "i", q: 1, b: 2, v: [1] })
      for (let times = 0; times < 3; times++) await client.throw(opened.r as string, { ...head, m: "e", q: 3 })
      await eventually("it is answered", () => client.frames(i, "e").length === 1)
      expect(client.frames(i, "e")).toMatchObject([{ v: 11 }])
    })
  })
}
