// Dead letters: nothing is lost in them, and they can be sent again.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { batchType, decodeBatch, encodeBatch, encodeItem } from "../../src/wire/batch.ts"
import {
  cut,
  type DeadLetter,
  type DeadMessage,
  decodeDeadLetter,
  encodeDeadLetter,
  type Remains,
  rawProperties,
  replay,
} from "../../src/wire/dead-letter.ts"
import type { AskItem, TellItem } from "../../src/wire/item.ts"
import { isMalformed } from "../../src/wire/malformed.ts"
import { decodePlain } from "../../src/wire/plain.ts"

const tell: TellItem = { kind: "tell", node: "n-1", id: 7, name: "add", payload: { amount: 0 }, attempts: 3 }
const ask: AskItem = { ...tell, kind: "ask", deadline: 5, replyTo: "warren.inbox.n-1", sender: "acme/till/a" }
const letter = (remains: Remains, change: Partial<DeadLetter> = {}): DeadLetter => ({
  reason: "crashed",
  error: { name: "TypeError", message: "x is undefined", stack: "TypeError: x\n  at y" },
  attempts: 3,
  address: "acme/counter/main",
  origin: { exchange: "warren.mail", routingKey: "acme.counter.main.v1", node: "n-1", sender: "acme/till/a" },
  at: 1_700_000_000_123,
  replays: 0,
  remains,
  ...change,
})
const opened = (message: DeadMessage): DeadLetter => {
  const read = decodeDeadLetter(message)
  if (isMalformed(read)) throw new Error(read.why)
  return read
}
const again = { messageId: "m-2", deadline: 99 }

describe("a dead letter of ours", () => {
  it("brings back the item, its identity and the reasons", () => {
    for (const item of [tell, ask, { ...tell, payload: undefined }]) {
      const sent = letter({ kind: "item", item })
      expect(decodeDeadLetter(encodeDeadLetter(sent))).toStrictEqual(sent)
    }
  })

  it("of a leader says in which epoch it gave the mail up (8)", () => {
    const sent = letter({ kind: "item", item: tell }, { epoch: 1_732_000_000_007 })
    const encoded = encodeDeadLetter(sent)
    expect(encoded.headers).toMatchObject({ "warren-epoch": 1_732_000_000_007 })
    expect(decodeDeadLetter(encoded)).toStrictEqual(sent)
    expect(encodeDeadLetter(letter({ kind: "item", item: tell })).headers).not.toHaveProperty("warren-epoch")
  })

  it("brings back bytes of any kind with their properties", () => {
    const properties = fc.record(
      {
        contentType: fc.string(),
        type: fc.string(),
        messageId: fc.string(),
        replyTo: fc.string(),
        headers: fc.constantFrom({ a: 1 }, { b: "x", c: false }),
      },
      { requiredKeys: [], noNullPrototype: true },
    )
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.string({ unit: "binary" }).map((text) => Buffer.from(text)),
    )
    fc.assert(
      fc.property(bytes, properties, (bytes, properties) => {
        const sent = letter({ kind: "message", properties, body: Buffer.from(bytes) }, { reason: "undecodable" })
        expect(decodeDeadLetter(encodeDeadLetter(sent))).toStrictEqual(sent)
      }),
    )
  })

  it("says what people filter by in scalar headers", () => {
    expect(encodeDeadLetter(letter({ kind: "item", item: tell })).headers).toStrictEqual({
      "warren-reason": "crashed",
      "warren-error": "TypeError: x is undefined",
      "warren-attempts": 3,
      "warren-address": "acme/counter/main",
      "warren-exchange": "warren.mail",
      "warren-key": "acme.counter.main.v1",
      "warren-at": 1_700_000_000_123,
      "warren-replays": 0,
    })
  })

  it("bounds its headers, and the error in its body", () => {
    const error = { name: "E".repeat(500), message: "\u{1f407}".repeat(50_000), stack: "s".repeat(100_000) }
    const message = encodeDeadLetter(letter({ kind: "item", item: tell }, { error }))
    for (const value of Object.values(message.headers)) {
      expect(Buffer.byteLength(String(value))).toBeLessThanOrEqual(1024)
    }
    expect(message.body.length).toBeLessThan(64 * 1024)
    expect(message.headers["warren-error"]).not.toContain("\ufffd")
  })

  it("keeps an item whose payload is too deep for JSON.stringify", () => {
    const payload = JSON.parse(`${"[".repeat(50_000)}${"]".repeat(50_000)}`)
    const read = opened(encodeDeadLetter(letter({ kind: "item", item: { ...tell, payload } })))
    expect(read.remains.kind).toBe("item")
  })

  it("that was damaged is malformed, never an exception", () => {
    const whole = encodeDeadLetter(letter({ kind: "item", item: ask }))
    fc.assert(
      fc.property(fc.nat(whole.body.length - 1), fc.nat(255), fc.boolean(), (at, byte, short) => {
        const body = Buffer.from(short ? whole.body.subarray(0, at) : whole.body)
        if (!short) body[at] = byte
        const read = decodeDeadLetter({ ...whole, body })
        if (isMalformed(read)) expect(read.why).not.toBe("")
        else expect(read.remains.kind).toBe("item")
      }),
      { numRuns: 500 },
    )
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const body = Buffer.from(JSON.stringify(value))
        expect(isMalformed(decodeDeadLetter({ ...whole, body }))).toBe(true)
      }),
    )
  })
})

describe("a message that the broker dead-lettered", () => {
  // As RabbitMQ 3.10 sends it after too many returns in a quorum queue.
  const headers = {
    "x-death": [
      {
        count: 1,
        exchange: "warren.mail",
        queue: "warren.mailbox.acme.counter.main.v2",
        reason: "delivery_limit",
        "routing-keys": ["acme.counter.main.v2"],
        time: 1_700_000_000,
      },
    ],
    "x-delivery-count": 9,
    "warren-attempts": 5,
    "x-first-death-exchange": "warren.mail",
    "x-first-death-queue": "warren.mailbox.acme.counter.main.v2",
    "x-first-death-reason": "delivery_limit",
    tenant: "acme",
  }
  const batch = encodeBatch({ node: "n-1", messageId: "m-1" }, [encodeItem(tell), encodeItem({ ...tell, id: 8 })])

  it("reads as a dead letter with the whole message in it", () => {
    expect(opened({ ...batch, headers })).toStrictEqual({
      reason: "too many attempts",
      error: { name: "DeadLettered", message: expect.stringContaining("delivery_limit") },
      attempts: 5,
      address: "acme/counter/main",
      origin: { exchange: "warren.mail", routingKey: "acme.counter.main.v2", node: "" },
      at: 1_700_000_000_000,
      replays: 0,
      remains: {
        kind: "message",
        properties: {
          contentType: batchType,
          contentEncoding: "utf-8",
          messageId: "m-1",
          headers: { tenant: "acme", "warren-attempts": 5 },
        },
        body: batch.body,
      },
    })
  })

  it("reads with less: without x-death the queue's name says for whom it was", () => {
    const { "x-death": _, ...rest } = headers
    for (const lacking of [rest, { ...rest, "x-death": "odd" }, { ...rest, "x-death": [null, 3] }]) {
      expect(opened({ ...batch, headers: lacking })).toMatchObject({
        address: "acme/counter/main",
        origin: { routingKey: "acme.counter.main.v2" },
        at: 0,
      })
    }
  })

  it("reads the address from the routing key where several actors share the queue, if it is an actor's", () => {
    const queue = "warren.mailbox.acme.counters"
    for (const [key, address] of [
      ["acme.counter.main.v2", "acme/counter/main"],
      ["acme.counters", ""],
    ] as const) {
      const death = { queue, reason: "delivery_limit", "routing-keys": [key] }
      const shared = { ...headers, "x-first-death-queue": queue, "x-death": [death] }
      expect(opened({ ...batch, headers: shared })).toMatchObject({ address, origin: { routingKey: key } })
    }
  })

  it.each([
    ["expired", "expired"],
    ["maxlen", "mailbox full"],
    ["rejected", "rejected"],
    ["delivery_limit", "too many attempts"],
    ["tired", "unknown"],
  ])("for %s died of: %s", (why, reason) => {
    expect(opened({ headers: { "x-first-death-reason": why }, body: Buffer.alloc(0) })).toMatchObject({ reason })
  })

  it("is told from a stray message", () => {
    expect(decodeDeadLetter({ headers: {}, body: Buffer.from("hi") })).toMatchObject({ kind: "malformed" })
  })

  it("never throws, whatever its headers are", () => {
    const odd = fc.dictionary(fc.constantFrom(...Object.keys(headers), "warren-replays"), fc.anything())
    fc.assert(
      fc.property(odd, fc.anything(), (odd, death) => {
        const all = { ...odd, "x-death": [death], "x-first-death-reason": "expired" }
        expect(opened({ headers: all, body: Buffer.alloc(0) }).reason).toBe("expired")
      }),
    )
  })
})

describe("a replay", () => {
  it("of an item is a batch of one with the same identity and no attempts, and its replays are counted", () => {
    const first = replay(letter({ kind: "item", item: ask }), again)
    expect(decodeBatch(first)).toStrictEqual({
      node: "n-1",
      items: [
        {
          kind: "ask",
          node: "n-1",
          id: 7,
          name: "add",
          payload: { amount: 0 },
          deadline: 99,
          replyTo: "warren.inbox.n-1",
          sender: "acme/till/a",
        },
      ],
    })
    expect(first.headers).toStrictEqual({ "warren-replays": 1 })
    const third = replay(letter({ kind: "item", item: { ...tell, headers: { a: 1 } } }, { replays: 2 }), again)
    expect(third.headers).toStrictEqual({ "warren-replays": 3 })
    expect(decodeBatch(third)).toMatchObject({ items: [{ kind: "tell", id: 7, headers: { a: 1 } }] })
  })

  it("of a message is that message, without the attempts of its first life", () => {
    const properties = rawProperties({ type: "add", messageId: "p", headers: { a: 1, "warren-attempts": 4, "x-b": 1 } })
    const message = replay(letter({ kind: "message", properties, body: Buffer.from("5") }, { replays: 1 }), again)
    expect(message.headers).toStrictEqual({ a: 1, "warren-replays": 2 })
    expect(decodePlain(message, 0, { fallback: "f" })).toStrictEqual({
      item: { kind: "tell", node: "plain:p", id: 0, name: "add", payload: 5, headers: { a: 1 } },
    })
  })

  it("that dies again remembers how often it was sent", () => {
    const message = replay(letter({ kind: "item", item: tell }, { replays: 4 }), again)
    const dead = { ...message, headers: { ...message.headers, "x-first-death-reason": "delivery_limit" } }
    expect(opened(dead).replays).toBe(5)
  })
})

describe("cutting a text", () => {
  it("keeps the longest beginning that fits, and never half a character", () => {
    const chars = fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }))
    fc.assert(
      fc.property(chars, fc.nat(40), (chars, bytes) => {
        const text = chars.join("")
        const kept = cut(text, bytes)
        expect(text.startsWith(kept)).toBe(true)
        expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(bytes)
        const next = String.fromCodePoint(text.codePointAt(kept.length) ?? 0)
        if (kept !== text) expect(Buffer.byteLength(kept + next)).toBeGreaterThan(bytes)
      }),
      { numRuns: 500 },
    )
  })
})
