// Reminders on the wire: what is written is read again, and nothing that is read throws (promise 7).

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { batchType, decodeBatch, encodeBatch, encodeItem, encodePackedBatch } from "../../src/wire/batch.ts"
import { itemValue } from "../../src/wire/item-value.ts"
import { isMalformed } from "../../src/wire/malformed.ts"
import { readReminded, remindedValue } from "../../src/wire/reminded.ts"
import { decodeReminder, encodeReminder, maxPeriod, maxReminder, reminderType } from "../../src/wire/reminder.ts"

const text = fc.string({ minLength: 1, maxLength: 255 })
const moment = fc.nat(8_640_000_000_000_000)
const waiter = fc.record({ queue: text, id: fc.maxSafeInteger(), deadline: moment }, { noNullPrototype: true })
const set = fc.record(
  {
    op: fc.constant("set" as const),
    name: text,
    set: text,
    due: moment,
    every: fc.integer({ min: 1_000, max: maxPeriod }),
    message: text,
    payload: fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value))),
    copy: fc.constant(true as const),
    waiter,
  },
  { requiredKeys: ["op", "name", "set", "due", "message", "payload"], noNullPrototype: true },
)
const forget = fc.record(
  { op: fc.constant("forget" as const), name: text, set: text, waiter },
  { requiredKeys: ["op", "name", "set"], noNullPrototype: true },
)
const list = fc.record({ op: fc.constant("list" as const), waiter }, { noNullPrototype: true })

const decode = (json: unknown, more = {}) =>
  decodeReminder({ contentType: reminderType, messageId: "1", body: Buffer.from(JSON.stringify(json)), ...more })

describe("a reminder on the wire", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(fc.oneof(set, forget, list), (request) => {
        const encoded = encodeReminder(request)
        expect(encoded.persistent).toBe(request.op !== "list")
        if (encoded.body.byteLength <= maxReminder) expect(decodeReminder(encoded)).toEqual(request)
      }),
    )
  })

  it("never throws, whatever somebody put there", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(
          isMalformed(decodeReminder({ contentType: reminderType, messageId: "1", body: Buffer.from(bytes) })),
        ).toBe(true)
      }),
    )
    fc.assert(fc.property(fc.jsonValue(), (json) => void decode(json)))
  })

  const good = { op: "set", name: "a", set: "1", due: 5, message: "m" }

  it("has no payload where none was written", () => {
    expect(decode(good)).toEqual({ ...good, payload: undefined })
  })

  it.for([
    [{ ...good, name: "" }, /"name"/],
    [{ ...good, name: "x".repeat(256) }, /"name"/],
    [{ ...good, set: 7 }, /"set"/],
    [{ ...good, due: 1.5 }, /"due"/],
    [{ ...good, due: -1 }, /"due"/],
    [{ ...good, due: 9e15 }, /"due"/],
    [{ ...good, every: 999 }, /"every"/],
    [{ ...good, every: null }, /"every"/],
    [{ ...good, message: undefined }, /"message"/],
    [{ ...good, waiter: { queue: "q", id: 1 } }, /"waiter"/],
    [{ op: "forget", name: "a" }, /"set"/],
    [{ op: "list" }, /"waiter"/],
    [{ op: "drop" }, /"op"/],
    [[], /object/],
  ] as const)("is refused with words: %j", ([json, why]) => {
    expect(decode(json)).toMatchObject({ kind: "malformed", why: expect.stringMatching(why) })
  })

  it("is refused without a message id, of another type, and beyond its size", () => {
    expect(decode(good, { messageId: undefined })).toMatchObject({ why: expect.stringContaining("message id") })
    expect(decode(good, { contentType: "application/json" })).toMatchObject({
      why: expect.stringContaining(reminderType),
    })
    expect(decode({ ...good, payload: "x".repeat(maxReminder) })).toMatchObject({
      why: expect.stringContaining("bytes"),
    })
  })
})

describe("what a message says of its reminder", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(text, moment, fc.nat(), fc.boolean(), (name, due, missed, repeated) => {
        const reminded = { name, due, missed, repeated }
        expect(readReminded(JSON.parse(JSON.stringify(remindedValue(reminded))))).toEqual(reminded)
      }),
    )
  })

  it("travels with the message, in JSON and in MessagePack", () => {
    const reminder = { name: "tea", due: 5, missed: 2, repeated: true }
    const item = { kind: "tell", node: "n", id: 1, name: "ring", payload: 1, reminder } as const
    const head = { node: "n", messageId: "1" }
    const value = itemValue(item)
    expect(decodeBatch({ ...encodeBatch(head, [encodeItem(item)]), headers: {} })).toMatchObject({ items: [item] })
    expect(decodeBatch({ ...encodePackedBatch(head, [value!]), headers: {} })).toMatchObject({ items: [item] })
  })

  it("that cannot be read costs the message that says it", () => {
    const body = Buffer.from(JSON.stringify({ node: "n", items: [{ k: "t", i: 1, n: "ring", u: ["tea"] }] }))
    const batch = decodeBatch({ contentType: batchType, headers: {}, body })
    expect(batch).toMatchObject({ items: [{ kind: "malformed", why: expect.stringContaining('"u"') }] })
  })

  it.for([null, {}, [], ["a"], ["a", 1], ["", 1, 1], ["a", -1, 1], ["a", 1, 0.5], ["a", "1", 1]])(
    "is refused when it is %j",
    (json) => {
      expect(readReminded(json)).toBeUndefined()
    },
  )
})
