// Events on the wire: keys, items and plain messages, there and back, and whatever else may come (promise 7).

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Incoming } from "../../src/broker/broker.ts"
import { openEvents } from "../../src/events/opening.ts"
import { encodeBatch, encodeItem } from "../../src/wire/batch.ts"
import { eventKey, readEventKey, sourceKey } from "../../src/wire/event-key.ts"
import type { EventItem } from "../../src/wire/item.ts"
import { decodePlainEvent, encodePlainEvent } from "../../src/wire/plain-event.ts"

const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/)
const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,20}$/)
const topic = fc.array(fc.stringMatching(/^[^.*#\p{Cc}]{1,8}$/u), { maxLength: 4 }).map((words) => words.join("."))
const source = fc.record({ domain: token, type: token, id: token, major: fc.nat(999_999) })
const key = fc.record({ source, event: name, topic })
const headers = fc.dictionary(
  fc.stringMatching(/^[a-w][a-z]{0,8}$/).filter((each) => !each.startsWith("warren-")),
  fc.oneof(fc.string(), fc.boolean(), fc.integer()),
  { minKeys: 1, maxKeys: 5 },
)
const item: fc.Arbitrary<EventItem> = fc
  .record(
    {
      node: fc.uuid(),
      id: fc.nat(),
      name,
      payload: fc.jsonValue(),
      at: fc.integer({ min: 1, max: 4e12 }),
      epoch: fc.integer({ min: 1 }),
      headers,
    },
    { requiredKeys: ["node", "id", "name", "payload"] },
  )
  .map((fields) => ({ kind: "event", ...fields }))

/** What JSON brings: no negative zero. */
const overJson = <A>(value: A): A => JSON.parse(JSON.stringify(value)) as A

const incoming = (message: Partial<Incoming>): Incoming => ({
  exchange: "warren.events",
  routingKey: "a.b.c.v1.sold",
  headers: {},
  body: Buffer.alloc(0),
  ...message,
})

describe("the key of an event", () => {
  it("says where the event comes from, there and back", () => {
    fc.assert(
      fc.property(key, (key) => {
        expect(readEventKey(eventKey(key))).toEqual(key)
        expect(eventKey(key).startsWith(sourceKey({ ...key.source, event: key.event }))).toBe(true)
      }),
    )
  })

  it("is read from nothing else, whatever it is", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const read = readEventKey(text)
        if (read !== undefined) expect(eventKey(read)).toBe(text)
      }),
    )
    for (const text of [
      "",
      "a.b.c.v1",
      "a.b.c.1.sold",
      "a.b.c.v01.sold",
      "a.b.c.v1.",
      "a.b.c.v1.2x",
      "a b.b.c.v1.sold",
    ]) {
      expect(readEventKey(text), text).toBeUndefined()
    }
  })
})

describe("an event", () => {
  it("comes out of a batch as it went in, with its key and its source", () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 5 }), key, (items, key) => {
        const same = items.map((each) => ({ ...each, name: key.event, node: "n" }))
        const batch = encodeBatch({ node: "n", messageId: "m" }, same.map(encodeItem))
        const { items: got, unreadable } = openEvents(incoming({ ...batch, routingKey: eventKey(key) }))
        expect(unreadable).toStrictEqual([])
        const { domain, type, id } = key.source
        const expected = same.map((each) => ({ ...each, to: eventKey(key), sender: `${domain}/${type}/${id}` }))
        expect(overJson(got)).toStrictEqual(overJson(expected))
      }),
    )
  })

  it("comes out of a plain message as it went in, with the same identity", () => {
    fc.assert(
      fc.property(item, (item) => {
        const plain = encodePlainEvent(item)
        const got = decodePlainEvent(plain, item.name, () => "none")
        expect(overJson(got)).toStrictEqual(overJson({ ...item, ...(item.at === undefined ? {} : { at: item.at }) }))
      }),
    )
  })

  it("with `undefined` for a body has an empty one, and every other falsy value is a value", () => {
    const plain = (payload: unknown) =>
      decodePlainEvent(encodePlainEvent({ kind: "event", node: "n", id: 1, name: "x", payload }), "x", () => "none")
    for (const payload of [undefined, 0, "", false, null]) {
      expect((plain(payload) as EventItem).payload).toBe(payload)
    }
  })
})

describe("whatever comes", () => {
  const anyMessage = fc.record(
    {
      exchange: fc.constantFrom("", "warren.events"),
      routingKey: fc.oneof(key.map(eventKey), fc.string()),
      contentType: fc.constantFrom(
        "application/vnd.warren.v1+json",
        "application/vnd.warren.v9+json",
        "application/json",
        "x",
      ),
      messageId: fc.string(),
      timestamp: fc.double(),
      headers: fc.dictionary(
        fc.constantFrom("warren-key", "warren-at", "warren-epoch", "x", "__proto__"),
        fc.anything(),
      ),
      body: fc.oneof(
        fc.uint8Array().map((bytes) => Buffer.from(bytes)),
        fc.anything({ maxDepth: 3 }).map((value) => {
          try {
            return Buffer.from(JSON.stringify({ node: "n", items: [value] }) ?? "")
          } catch {
            return Buffer.alloc(0)
          }
        }),
        item.map((each) => Buffer.from(`{"node":"n","items":[${encodeItem(each)}]}`)),
      ),
    },
    { requiredKeys: ["exchange", "routingKey", "headers", "body"] },
  )

  it("is an event with a key, or is put aside with a reason; reading never throws", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const { items, unreadable } = openEvents(message as Incoming)
        for (const each of items) {
          expect(readEventKey(each.to!)).toMatchObject({ event: each.name })
          expect(each.sender).toMatch(/^[^/]+\/[^/]+\/[^/]+$/)
        }
        for (const { why, answer } of unreadable) {
          expect(why).not.toBe("")
          expect(answer).toBeUndefined()
        }
      }),
      { numRuns: 2000 },
    )
  })

  it("cannot say that it is of somebody else: the key that the broker has seen counts", () => {
    const text = encodeItem({ kind: "event", node: "n", id: 1, name: "sold", payload: 1, sender: "a/b/other" })
    const { items } = openEvents(incoming({ ...encodeBatch({ node: "n", messageId: "m" }, [text]) }))
    expect(items[0]).toMatchObject({ sender: "a/b/c", to: "a.b.c.v1.sold" })
    const forged = openEvents(incoming({ headers: { "warren-key": "x.y.z.v1.sold" }, body: Buffer.from("1") }))
    expect(forged.items[0]).toMatchObject({ sender: "a/b/c" })
  })
})
