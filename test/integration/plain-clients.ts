// Any AMQP client may send a plain JSON message to a mailbox, and gets a plain reply (docs/wire.md; promise 7).

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import type { Incoming, Outgoing } from "../../src/broker/broker.ts"
import { actor, ask, protocol, tell, type } from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"

class Short extends Schema.TaggedError<Short>()("Short", { missing: Schema.Number }) {}

const Shop = protocol("shop", "1.0.0", {
  buy: ask({
    payload: Schema.Struct({ amount: Schema.Number }),
    reply: Schema.Struct({ ok: Schema.Boolean }),
    error: Short,
  }),
  look: tell(Schema.Struct({ at: Schema.String })),
  context: ask({ reply: type<unknown>() }),
  crash: ask({}),
})

const shop = (seen: Array<string> = []) =>
  actor(Shop, {
    buy: ({ amount }) => {
      if (amount > 5) throw new Short({ missing: amount - 5 })
      return { ok: true }
    },
    look: ({ at }) => void seen.push(at),
    context: (_, { sender, headers, messageId, attempt }) => ({ sender: sender ?? null, headers, messageId, attempt }),
    crash: () => {
      throw new Error("down")
    },
  })

export const plainClients = (bench: Bench): void => {
  describe("a plain AMQP client", () => {
    const open = async (seen?: Array<string>) => {
      const ref = await bench.spawn(shop(seen), { backoff: { initial: 1, max: 2 } })
      const replies = `${bench.prefix}.replies.${ref.$id}`
      await bench.run(bench.link.declareQueue({ name: replies, type: "classic", expires: 60_000 }))
      bench.after(() => bench.run(bench.link.deleteQueue(replies)))
      const send = (message: Partial<Outgoing>, json: unknown) =>
        bench.publish({
          exchange: bench.names.mail,
          routingKey: `test.shop.${ref.$id}.v1`,
          mandatory: true,
          body: Buffer.from(typeof json === "string" ? json : JSON.stringify(json)),
          ...message,
        })
      const ask = async (message: Partial<Outgoing>, json: unknown): Promise<Incoming> => {
        await send({ replyTo: replies, ...message }, json)
        let reply: Incoming | undefined
        await eventually("a reply", async () => {
          const [first] = await bench.takeAll(replies)
          reply = first?.message
          return reply !== undefined
        })
        return reply!
      }
      return { ref, send, ask }
    }
    const json = (message: Incoming): unknown => JSON.parse(message.body.toString())

    it("gets a plain reply to what it asks (4)", async () => {
      const { ask } = await open()
      const reply = await ask({ type: "buy", correlationId: "c-1", contentType: "application/json" }, { amount: 1 })
      expect(reply).toMatchObject({ correlationId: "c-1", contentType: "application/json", type: "reply" })
      expect(reply.headers).toMatchObject({ "warren-outcome": "value" })
      expect(json(reply)).toStrictEqual({ ok: true })
    })

    it("gets a declared error as JSON (4)", async () => {
      const { ask } = await open()
      const reply = await ask({ type: "buy", correlationId: "c-2" }, { amount: 7 })
      expect(reply.headers).toMatchObject({ "warren-outcome": "declared" })
      expect(json(reply)).toStrictEqual({ _tag: "Short", missing: 2 })
    })

    it.for([
      ["bad JSON", { type: "buy" }, "{"],
      ["a payload of the wrong shape", { type: "buy" }, { amount: "one" }],
      ["an unknown message", { type: "sell" }, {}],
      ["no name", {}, {}],
      ["another content type", { type: "buy", contentType: "text/xml" }, "<a/>"],
    ] as const)("is told Rejected for %s, and the actor goes on (7)", async ([, message, body]) => {
      const { ask, ref } = await open()
      const reply = await ask({ ...message, correlationId: "c-3" }, body)
      expect(reply.correlationId).toBe("c-3")
      expect(reply.headers).toMatchObject({ "warren-outcome": "failed", "warren-reason": "Rejected" })
      expect(json(reply)).toMatchObject({ _tag: "Rejected", retrySafe: true, message: expect.any(String) })
      expect(await ref.context()).toMatchObject({ attempt: 1 })
    })

    it("is told Crashed by a handler that crashed (6)", async () => {
      const { ask } = await open()
      const reply = await ask({ type: "crash" }, "")
      expect(reply.headers).toMatchObject({ "warren-reason": "Crashed" })
      expect(json(reply)).toMatchObject({ _tag: "Crashed", why: "down", retrySafe: false })
    })

    it("tells when it wants no reply (3)", async () => {
      const seen: Array<string> = []
      const { send } = await open(seen)
      await send({ type: "look", persistent: true }, { at: "shoes" })
      await eventually("it is handled", () => seen.length === 1)
      expect(seen).toStrictEqual(["shoes"])
    })

    it("is a stranger to the handler, who sees its message id and its headers, but none of the runtime's", async () => {
      const { ask } = await open()
      const headers = { tenant: "a", "x-mine": 1, "warren-attempts": 0 }
      const reply = await ask({ type: "context", messageId: "m-1", headers }, "")
      expect(json(reply)).toMatchObject({ sender: null, headers: { tenant: "a" }, attempt: 1 })
      expect((json(reply) as { messageId: string }).messageId).toContain("m-1")
      expect((json(reply) as { headers: object }).headers).toStrictEqual({ tenant: "a" })
    })

    it("whose reply queue is full does not hold up the mailbox (10)", async () => {
      const { ref, send } = await open()
      const full = `${bench.prefix}.full.${ref.$id}`
      await bench.run(bench.link.declareQueue({ name: full, type: "classic", maxLength: 1, expires: 60_000 }))
      bench.after(() => bench.run(bench.link.deleteQueue(full)))
      await bench.publish({ exchange: "", routingKey: full, mandatory: true, body: Buffer.from("full") })
      // More than the mailbox takes in hand at once.
      for (let n = 0; n < 20; n++) await send({ type: "buy", replyTo: full, correlationId: `${n}` }, { amount: 1 })
      expect(await ref.buy({ amount: 1 }, { timeout: 5_000 })).toStrictEqual({ ok: true })
    })

    it("whose ask has expired gets no handling (4)", async () => {
      const seen: Array<string> = []
      const { ask, send } = await open(seen)
      await send({ type: "look", replyTo: "nowhere", headers: { "warren-deadline": Date.now() - 1 } }, { at: "it" })
      expect(json(await ask({ type: "buy" }, { amount: 1 }))).toStrictEqual({ ok: true })
      expect(seen).toStrictEqual([])
    })
  })
}
