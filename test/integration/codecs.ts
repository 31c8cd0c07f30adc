// Actors that would like their mail in MessagePack: callers change over by themselves, and nobody has to (promises 4, 5, 7).

import { describe, expect, it } from "vitest"
import type { Outgoing } from "../../src/broker/broker.ts"
import { type ActorOptions, actor, ask, protocol, tell, type } from "../../src/index.ts"
import { decodeBatch, encodePackedBatch, isPacked } from "../../src/wire/batch.ts"
import type { Item } from "../../src/wire/item.ts"
import { itemValue } from "../../src/wire/item-value.ts"
import { isMalformed } from "../../src/wire/malformed.ts"
import { PlainCopy } from "../../src/wire/plain-copy.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { reasonOf } from "./rejection.ts"

const Echo = protocol("codec-echo", "1.0.0", {
  say: ask({ payload: type<unknown>(), reply: type<unknown>() }),
  note: tell(type<unknown>()),
  fail: ask({ error: type<{ readonly code: number }>() }),
})

const echo = (options: ActorOptions = { codec: "msgpack" }, seen: Array<unknown> = []) =>
  actor(
    Echo,
    {
      say: (payload) => {
        seen.push(payload)
        return payload
      },
      note: (payload) => void seen.push(payload),
      fail: () => {
        throw { code: 7 }
      },
    },
    options,
  )

export const codecs = (bench: Bench): void => {
  describe("an actor that reads MessagePack", () => {
    const keyOf = (id: string) => `test.codec-echo.${id}.v1`

    /** A queue that gets a copy of everything that is sent to the actor; how each message was written so far. */
    const tap = async (id: string) => {
      const name = `${bench.prefix}.tap.${id}`
      await bench.run(bench.link.declareQueue({ name, type: "classic", expires: 60_000 }))
      bench.after(() => bench.run(bench.link.deleteQueue(name)))
      await bench.run(bench.link.bind({ queue: name, exchange: bench.names.mail, routingKey: keyOf(id) }))
      return async () => (await bench.takeAll(name)).map(({ message }) => (isPacked(message) ? "msgpack" : "json"))
    }

    /** Somebody who writes batches by hand. */
    const peer = async (id: string) => {
      const replyTo = `${bench.prefix}.peer.${id}`
      await bench.run(bench.link.declareQueue({ name: replyTo, type: "classic", expires: 60_000 }))
      bench.after(() => bench.run(bench.link.deleteQueue(replyTo)))
      const send = (message: Partial<Outgoing> & Pick<Outgoing, "body">) =>
        bench.publish({ exchange: bench.names.mail, routingKey: keyOf(id), mandatory: true, replyTo, ...message })
      const reply = async () => {
        let found: Awaited<ReturnType<typeof bench.takeAll>> = []
        await eventually("a reply", async () => {
          found = await bench.takeAll(replyTo)
          return found.length > 0
        })
        const { message } = found[0]!
        const batch = decodeBatch(message)
        if (isMalformed(batch)) throw new Error(batch.why)
        return { packed: isPacked(message), items: batch.items }
      }
      const packed = (items: ReadonlyArray<PlainCopy>) =>
        encodePackedBatch({ node: "peer", replyTo, messageId: `${Math.random()}` }, items)
      return { send, reply, packed, replyTo }
    }

    const values = [0, "", null, [], {}, false, "ü€😀\n", { a: { b: [1.5, -1, 2 ** 40] } }, "x".repeat(200_000)]

    it("is told in JSON first, and in MessagePack from its first reply on (4)", async () => {
      const ref = await bench.spawn(echo())
      const sent = await tap(ref.$id)
      for (const value of values) expect(await ref.say(value)).toStrictEqual(value)
      expect(await sent()).toStrictEqual(["json", ...values.slice(1).map(() => "msgpack")])
      expect(await ref.fail.outcome()).toStrictEqual({ ok: false, error: { code: 7 } })
      const other = (await bench.system).ref(Echo, ref.$id)
      expect(await other.say(1), "another client of the same node knows at once").toBe(1)
      expect(await sent()).toStrictEqual(["msgpack", "msgpack"])
      const stranger = (await bench.start()).ref(Echo, ref.$id)
      expect(await stranger.say(1)).toBe(1)
      expect(await sent(), "another node has to be told").toStrictEqual(["json"])
    })

    it("is asked for: others get JSON, from callers of any kind (4)", async () => {
      const ref = await bench.spawn(echo({}))
      const sent = await tap(ref.$id)
      for (const value of values.slice(0, 3)) expect(await ref.say(value)).toStrictEqual(value)
      expect(await sent()).toStrictEqual(["json", "json", "json"])
      const { send, reply, packed, replyTo } = await peer(ref.$id)
      const item: Item = {
        kind: "ask",
        node: "peer",
        id: 1,
        name: "say",
        payload: "hi",
        deadline: Date.now() + 9_000,
        replyTo,
      }
      await send(packed([itemValue(item)!]))
      expect(await reply(), "but who writes MessagePack is understood").toStrictEqual({
        packed: true,
        items: [{ kind: "reply", id: 1, outcome: { tag: "value", value: "hi" }, service: expect.any(Number) }],
      })
    })

    it("answers in JSON who asks in JSON, and says what it would like (4)", async () => {
      const ref = await bench.spawn(echo())
      const { send, reply } = await peer(ref.$id)
      const body = { node: "peer", items: [{ k: "a", i: 1, n: "say", p: "hi", d: Date.now() + 9_000 }] }
      for (let round = 0; round < 2; round++) {
        await send({ contentType: "application/vnd.warren.v1+json", body: Buffer.from(JSON.stringify(body)) })
        const { packed, items } = await reply()
        expect(packed).toBe(false)
        expect(items).toMatchObject([{ kind: "reply", id: 1, outcome: { value: "hi" }, reads: "msgpack" }])
      }
    })

    it("gets tells and asks in the order in which they were sent, over the change (5)", async () => {
      const seen: Array<unknown> = []
      const ref = await bench.spawn(echo({ codec: "msgpack" }, seen))
      const sent = await tap(ref.$id)
      const calls: Array<Promise<unknown>> = []
      for (let n = 0; n < 300; n++) {
        // Every seventh is something that only JSON can say.
        const payload = n % 7 === 0 ? { n, half: "\ud800" } : { n, whole: "x" }
        calls.push(n % 3 === 0 ? ref.say(payload) : ref.note(payload))
        if (n % 10 === 9) await new Promise((resolve) => setImmediate(resolve))
      }
      await Promise.all(calls)
      await eventually("all of them", () => seen.length === 300)
      expect(seen.map((payload) => (payload as { readonly n: number }).n)).toStrictEqual(
        Array.from({ length: 300 }, (_, n) => n),
      )
      expect(seen[7]).toStrictEqual({ n: 7, half: "\ud800" })
      const ways = await sent()
      expect(ways[0]).toBe("json")
      expect(ways.indexOf("json", ways.indexOf("msgpack")), "both, in turn").toBeGreaterThan(0)
    })

    it("answers with what its answer was when it was given, whatever becomes of it later (7)", async () => {
      const list: Array<unknown> = []
      const grow = (payload: unknown) => {
        list.push(payload)
        return list
      }
      const ref = await bench.spawn(actor(Echo, { say: grow, note: () => {}, fail: () => {} }, { codec: "msgpack" }))
      await ref.say(0)
      const payload = { n: 1 }
      const asked = [ref.say(payload)]
      payload.n = 2
      asked.push(ref.say(payload), ref.say(3))
      expect(await Promise.all(asked)).toStrictEqual([
        [0, { n: 1 }],
        [0, { n: 1 }, { n: 2 }],
        [0, { n: 1 }, { n: 2 }, 3],
      ])
    })

    it("is brought what JSON makes of a value, and what is no JSON is refused alone (7)", async () => {
      const ref = await bench.spawn(echo())
      await ref.say("first")
      const date = new Date(5)
      const loop: Array<unknown> = []
      loop.push(loop)
      const outcomes = await Promise.all([
        ref.say({ date, gone: undefined, odd: [undefined, Number.NaN, -0] }),
        reasonOf(ref.say({ big: 1n })),
        reasonOf(ref.say(loop)),
        reasonOf(ref.note({ big: 1n })),
        ref.say("last"),
      ])
      const rejected = { _tag: "Rejected", why: expect.stringContaining("not JSON") }
      expect(outcomes).toMatchObject([
        { date: date.toISOString(), odd: [null, null, 0] },
        rejected,
        rejected,
        rejected,
        "last",
      ])
      expect(Object.keys(outcomes[0] as object)).toStrictEqual(["date", "odd"])
    })

    it("may have members that would rather have JSON: each is understood (4)", async () => {
      const id = bench.id()
      bench.claim(Echo, id)
      const [one, other] = [[], []] as [Array<unknown>, Array<unknown>]
      const systems = [await bench.start(), await bench.start()]
      await systems[0]!.spawn(echo({ codec: "msgpack" }, one), { id })
      await systems[1]!.spawn(echo({}, other), { id })
      const ref = (await bench.system).ref(Echo, id)
      await eventually("an answer of each", async () => {
        const value = { at: performance.now() }
        expect(await ref.say(value)).toStrictEqual(value)
        return one.length > 3 && other.length > 3
      })
    })

    it("puts what it cannot read among the dead letters, and handles its neighbours (6, 7)", async () => {
      const seen: Array<unknown> = []
      const ref = await bench.spawn(echo({ codec: "msgpack" }, seen))
      const { send, packed } = await peer(ref.$id)
      const contentType = "application/vnd.warren.v1+msgpack"
      await send({ contentType, body: Buffer.from("c1c1c1", "hex") })
      await send(
        packed(
          [
            { k: "t", i: 1, n: "note", p: "before" },
            { k: "t", i: 2 },
            { k: "t", i: 3, n: "note", p: "after" },
          ].map((item) => new PlainCopy(item)),
        ),
      )
      await send({ contentType: "application/vnd.warren.v2+msgpack", body: Buffer.alloc(3) })
      await eventually("three dead letters", async () => (await bench.deadLetters(ref.$address)).length === 3)
      const [garbage, part, newer] = await bench.deadLetters(ref.$address)
      expect(garbage).toMatchObject({
        reason: "undecodable",
        error: { message: expect.stringContaining("MessagePack") },
      })
      expect(garbage!.remains).toMatchObject({ properties: { contentType }, body: Buffer.from("c1c1c1", "hex") })
      expect(part).toMatchObject({ reason: "undecodable", remains: { kind: "message" } })
      const { remains } = part!
      if (remains.kind !== "message") throw new Error("not a message")
      expect(remains.properties.contentType).toBe("application/vnd.warren.v1+json")
      expect(JSON.parse(remains.body.toString())).toStrictEqual({ node: "peer", items: [{ k: "t", i: 2 }] })
      expect(newer!.error.message).toMatch(/version 2\b.*version 1\b/)
      await eventually("the neighbours", () => seen.length === 2)
      expect(seen).toStrictEqual(["before", "after"])
    })
  })
}
