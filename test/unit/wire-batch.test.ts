// The batch and its items: what is written is read again, and what cannot be read is a value.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  AskReason,
  Cancelled,
  Crashed,
  Disconnected,
  MailboxFull,
  NoSuchActor,
  Rejected,
  TimedOut,
} from "../../src/protocol/errors.ts"
import {
  batchType,
  decodeBatch,
  encodeBatch,
  encodeItem,
  encodePackedBatch,
  isBatch,
  maxItems,
  packedType,
} from "../../src/wire/batch.ts"
import type { AskItem, CancelItem, Item, Outcome, ReplyItem, TellItem } from "../../src/wire/item.ts"
import { itemValue } from "../../src/wire/item-value.ts"
import { isMalformed } from "../../src/wire/malformed.ts"

const any = fc.string({ unit: "binary" })
const text = fc.string({ unit: "binary", minLength: 1, maxLength: 40 })
const name = fc.oneof(fc.constantFrom("add", "get-all", 'quo"te', "line\nbreak"), text)
const json = fc.oneof(
  fc.jsonValue({ noUnicodeString: false }),
  fc.constantFrom(undefined, null, 0, "", false, true, "\u2028\ud800", "__proto__", 1e300),
)
const scalar = fc.oneof(
  any,
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
  fc.boolean(),
)
const headers = fc.dictionary(
  text.filter((key) => key !== "__proto__"),
  scalar,
  { minKeys: 1, maxKeys: 8, noNullPrototype: true },
)
const id = fc.maxSafeInteger().map((n) => n + 0)

const node = "0192f7b1-0000-7000-8000-000000000001"
const replyTo = "warren.inbox.0192f7b1-0000-7000-8000-000000000001"

const maybe = { requiredKeys: [] }
const extras = fc.record({ sender: text, headers, attempts: fc.integer({ min: 1, max: 1_000_000 }) }, maybe)
const lists = fc.record(
  {
    chain: fc.array(text, { minLength: 1, maxLength: 64 }),
    path: fc.array(text, { minLength: 1, maxLength: 64 }),
    abandon: fc.constant("cancel" as const),
  },
  maybe,
)
const ask: fc.Arbitrary<AskItem> = fc
  .tuple(id, name, json, fc.integer({ min: 0, max: 4e12 }), extras, lists)
  .map(([id, name, payload, deadline, extras, lists]) => ({
    kind: "ask",
    node,
    id,
    name,
    payload,
    deadline,
    replyTo,
    ...extras,
    ...lists,
  }))
const tell: fc.Arbitrary<TellItem> = fc
  .tuple(id, name, json, extras)
  .map(([id, name, payload, extras]) => ({ kind: "tell", node, id, name, payload, ...extras }))
const reason: fc.Arbitrary<AskReason> = fc.oneof(
  fc.nat().map((after) => new TimedOut({ after })),
  any.map((address) => new NoSuchActor({ address })),
  any.map((what) => new MailboxFull({ what })),
  any.map((why) => new Rejected({ why })),
  any.map((why) => new Crashed({ why })),
  fc.constant(new Cancelled()),
  fc.tuple(any, fc.boolean()).map(([why, sent]) => new Disconnected({ why, sent })),
)
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  json.map((value) => ({ tag: "value" as const, value })),
  json.map((error) => ({ tag: "declared" as const, error })),
  reason.map((reason) => ({ tag: "failed" as const, reason })),
)
const told = fc.record(
  {
    service: fc.nat(1e9).map((us) => us / 1000),
    via: text,
    reads: fc.constant("msgpack"),
    epoch: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  },
  maybe,
)
const reply: fc.Arbitrary<ReplyItem> = fc
  .tuple(id, outcome, told)
  .map(([id, outcome, told]) => ({ kind: "reply", id, outcome, ...told }) as ReplyItem)
const cancel: fc.Arbitrary<CancelItem> = id.map((id) => ({ kind: "cancel", node, id }))
const item: fc.Arbitrary<Item> = fc.oneof(ask, tell, reply, cancel)

const send = (items: ReadonlyArray<Item>) => ({
  ...encodeBatch({ node, replyTo, messageId: "m" }, items.map(encodeItem)),
  headers: {},
})
/** Those of them that MessagePack is used for: the others go as JSON. */
const packable = (items: ReadonlyArray<Item>): ReadonlyArray<Item> =>
  items.filter((item) => itemValue(item) !== undefined)
const sendPacked = (items: ReadonlyArray<Item>) => ({
  ...encodePackedBatch(
    { node, replyTo, messageId: "m" },
    items.map((item) => itemValue(item)!),
  ),
  headers: {},
})
const ways = [
  { way: "JSON", sent: send, usable: (items: ReadonlyArray<Item>) => items },
  { way: "MessagePack", sent: sendPacked, usable: packable },
] as const
const raw = (body: string | Buffer) => ({ contentType: batchType, replyTo, headers: {}, body: Buffer.from(body) })
const only = (entry: string) => {
  const batch = decodeBatch(raw(`{"node":"n","items":[${entry}]}`))
  if (isMalformed(batch)) throw new Error(batch.why)
  return batch.items[0]
}

/** A payload as JSON knows it: -0 is 0. */
const asJson = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)))
const normal = (item: Item): unknown => {
  if (item.kind !== "reply") return "payload" in item ? { ...item, payload: asJson(item.payload) } : item
  const { outcome } = item
  if (outcome.tag === "failed") return item
  return {
    ...item,
    outcome:
      outcome.tag === "value"
        ? { tag: "value", value: asJson(outcome.value) }
        : { tag: "declared", error: asJson(outcome.error) },
  }
}

describe("a batch", () => {
  it.each(ways)("in $way brings every item back as it was sent, in order", ({ sent, usable }) => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 8 }).map(usable), (items) => {
        const batch = decodeBatch(sent(items))
        expect(batch).toStrictEqual({ node, items: items.map(normal) })
      }),
      { numRuns: 500 },
    )
  })

  it("for MessagePack is in JSON when its items have too many sets of keys between them", () => {
    const payload = Array.from({ length: 1_100 }, (_, n) => ({ [`k${n}`]: n }))
    const items = Array.from({ length: 4 }, (_, id): Item => ({ kind: "tell", node, id, name: "m", payload }))
    const message = sendPacked(items)
    expect(message).toMatchObject({ contentType: batchType, contentEncoding: "utf-8", messageId: "m", replyTo })
    expect(decodeBatch(message)).toStrictEqual({ node, items })
  })

  it.each(ways)("in $way keeps falsy values, and tells undefined from null", ({ sent }) => {
    for (const value of [0, "", null, false, [], {}, undefined]) {
      const items: ReadonlyArray<Item> = [
        { kind: "tell", node, id: 1, name: "m", payload: value },
        { kind: "reply", id: 2, outcome: { tag: "value", value } },
        { kind: "reply", id: 3, outcome: { tag: "declared", error: value } },
      ]
      expect(decodeBatch(sent(items))).toStrictEqual({ node, items })
    }
  })

  it("leaves defaults out of the text", () => {
    const item: Item = { kind: "ask", node, id: 7, name: "get", payload: undefined, deadline: 5, replyTo, attempts: 0 }
    expect(encodeItem({ ...item, headers: {}, chain: [], path: [] })).toBe('{"k":"a","i":7,"n":"get","d":5}')
    expect(encodeItem({ kind: "cancel", node, id: 7 })).toBe('{"k":"c","i":7}')
  })

  it.each(ways)(
    "in $way survives any change to its bytes: the answer is a batch, or says what is wrong",
    ({ sent, usable }) => {
      const change = fc.record({ at: fc.nat(), byte: fc.nat(255), how: fc.constantFrom("set", "cut", "insert") })
      fc.assert(
        fc.property(
          fc.array(item, { maxLength: 4 }).map(usable),
          fc.array(change, { minLength: 1, maxLength: 6 }),
          (items, changes) => {
            const message = sent(items)
            let body: Buffer = message.body
            for (const { at, byte, how } of changes) {
              const place = at % (body.length + 1)
              const after = how === "insert" ? place : place + 1
              const middle = how === "cut" ? [] : [byte]
              body = Buffer.concat([body.subarray(0, place), Buffer.from(middle), body.subarray(after)])
            }
            const batch = decodeBatch({ ...message, body })
            if (isMalformed(batch)) expect(batch.why).not.toBe("")
            else
              for (const item of batch.items)
                expect(["ask", "tell", "reply", "cancel", "malformed"]).toContain(item.kind)
          },
        ),
        { numRuns: 1000 },
      )
    },
  )

  it("survives any JSON in the place of an item, a node or the whole", () => {
    const keys = fc.constantFrom("k", "i", "n", "p", "d", "c", "w", "f", "h", "t", "o", "v", "s", "__proto__")
    const odd = fc.oneof(
      fc.jsonValue(),
      fc.dictionary(keys, fc.oneof(fc.constantFrom("a", "t", "r", "c", 1), fc.jsonValue())),
    )
    fc.assert(
      fc.property(odd, (value) => {
        const text = JSON.stringify(value)
        for (const body of [
          text,
          `{"node":${text},"items":[]}`,
          `{"node":"n","items":${text}}`,
          `{"node":"n","items":[${text}]}`,
        ]) {
          const batch = decodeBatch(raw(body))
          if (!isMalformed(batch)) expect(batch.node).toBeTypeOf("string")
        }
      }),
      { numRuns: 1000 },
    )
  })

  it("takes payloads of any depth, both ways", () => {
    const depth = 100_000
    const deep = JSON.parse(`${'{"a":['.repeat(depth)}7${"]}".repeat(depth)}`)
    const message = send([{ kind: "tell", node, id: 1, name: "m", payload: deep }])
    const batch = decodeBatch(message)
    if (isMalformed(batch)) throw new Error(batch.why)
    expect(send(batch.items as ReadonlyArray<Item>).body.equals(message.body)).toBe(true)
  })

  it("takes a deep payload that has the same object in two places", () => {
    const shared = { a: [undefined, null, "\u00e9"], b: undefined }
    const deep = [shared, shared, JSON.parse(`${"[".repeat(20_000)}${"]".repeat(20_000)}`)]
    const text = encodeItem({ kind: "tell", node, id: 1, name: "m", payload: deep })
    expect(text).toContain('"p":[{"a":[null,null,"\u00e9"]},{"a":[null,null,"\u00e9"]},[[')
  })

  it("refuses a payload that contains itself, however long the way round", () => {
    const end: Array<unknown> = []
    let loop: Array<unknown> = end
    for (let i = 0; i < 20_000; i++) loop = [loop]
    end.push(loop)
    expect(() => encodeItem({ kind: "tell", node, id: 1, name: "m", payload: loop })).toThrow(TypeError)
  })

  it("is told by its exact content type, and names both versions when it is of another", () => {
    const message = send([])
    expect(isBatch(message)).toBe(true)
    expect(isBatch({ contentType: packedType })).toBe(true)
    expect(isBatch({ contentType: "application/json" })).toBe(false)
    expect(isBatch({})).toBe(false)
    const newer = decodeBatch({ ...message, contentType: "application/vnd.warren.v2+json" })
    const packed = decodeBatch({ ...message, contentType: "application/vnd.warren.v2+msgpack" })
    expect(packed).toMatchObject({ kind: "malformed", why: expect.stringMatching(/version 2\b.*version 1\b/) })
    expect(newer).toMatchObject({ kind: "malformed", why: expect.stringMatching(/version 2\b.*version 1\b/) })
    expect(decodeBatch({ headers: {}, body: message.body })).toMatchObject({ kind: "malformed" })
  })

  it("refuses bytes that are not UTF-8 instead of repairing them", () => {
    const body = Buffer.from('{"node":"n","items":[{"k":"t","i":1,"n":"m","p":"\u00e9"}]}')
    expect(decodeBatch(raw(body))).toMatchObject({ items: [{ payload: "\u00e9" }] })
    body[body.indexOf(0xc3)] = 0xff
    expect(decodeBatch(raw(body))).toMatchObject({ kind: "malformed", why: expect.stringContaining("UTF-8") })
  })

  it("bounds how many items a small body can hold", () => {
    const items = (count: number) => raw(`{"node":"n","items":[${Array(count).fill("0").join(",")}]}`)
    expect(decodeBatch(items(maxItems))).toMatchObject({ node: "n" })
    expect(decodeBatch(items(maxItems + 1))).toMatchObject({ kind: "malformed" })
  })
})

describe("an item", () => {
  const good = { k: "a", i: 1, n: "m", d: 5 }

  it.each([
    ["an id that is not whole", { i: 1.5 }],
    ["an id beyond 2^53", { i: 2 ** 53 }],
    ["an id in text", { i: "1" }],
    ["no name", { n: undefined }],
    ["an empty name", { n: "" }],
    ["a name of 256 characters", { n: "x".repeat(256) }],
    ["no deadline", { d: undefined }],
    ["a deadline in text", { d: "5" }],
    ["a null deadline", { d: null }],
    ["a chain that is no list", { c: "a:1" }],
    ["a chain of 65", { c: Array(65).fill("a:1") }],
    ["a chain of numbers", { c: [1] }],
    ["a path with an empty entry", { w: [""] }],
    ["a path with a huge entry", { w: ["x".repeat(1025)] }],
    ["a sender that is no string", { f: 1 }],
    ["headers in a list", { h: ["a"] }],
    ["a header that is no scalar", { h: { a: {} } }],
    ["a null header", { h: { a: null } }],
    ["65 headers", { h: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`h${i}`, i])) }],
    ["negative attempts", { t: -1 }],
    ["broken attempts", { t: 0.5 }],
    ["absurdly many attempts", { t: 1e9 }],
    ["an unknown kind", { k: "z" }],
    ["no kind", { k: undefined }],
  ])("is refused alone for %s", (_, wrong) => {
    const batch = decodeBatch(raw(JSON.stringify({ node: "n", items: [good, { ...good, ...wrong }, good] })))
    expect(batch).toMatchObject({ items: [{ kind: "ask" }, { kind: "malformed" }, { kind: "ask" }] })
  })

  it("that is a broken ask says whom to tell, so that its caller need not wait", () => {
    expect(only('{"k":"a","i":3,"n":"m"}')).toMatchObject({ kind: "malformed", ask: { node: "n", id: 3, replyTo } })
    expect(only('{"k":"t","i":3}')).not.toHaveProperty("ask")
  })

  it("that is an ask needs a queue for its reply", () => {
    const { replyTo: _, ...message } = raw(JSON.stringify({ node: "n", items: [good] }))
    expect(decodeBatch(message)).toMatchObject({
      items: [{ kind: "malformed", why: expect.stringContaining("replyTo") }],
    })
  })

  it("with a header or a key named __proto__ changes no prototype", () => {
    expect(only('{"k":"t","i":1,"n":"m","h":{"__proto__":"x"}}')).toMatchObject({ kind: "malformed" })
    const item = only('{"k":"t","i":1,"n":"m","__proto__":{"f":"forged"},"p":{"__proto__":{"admin":true}}}')
    expect(item).not.toHaveProperty("sender")
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
    expect((item as TellItem & { payload: { admin?: boolean } }).payload.admin).toBeUndefined()
  })

  it("that JSON cannot say in full is refused alone by the receiver, and never written in MessagePack", () => {
    const broken: Item = { kind: "ask", node, id: 1, name: "m", payload: 1, deadline: Number.NaN, replyTo }
    expect(itemValue(broken)).toBeUndefined()
    expect(decodeBatch(send([broken, { ...broken, id: 2, deadline: 5 }]))).toMatchObject({
      items: [{ kind: "malformed" }, { kind: "ask", id: 2 }],
    })
  })

  it("may carry keys that a newer peer added", () => {
    expect(only('{"k":"t","i":1,"n":"m","zz":[1]}')).toStrictEqual({
      kind: "tell",
      node: "n",
      id: 1,
      name: "m",
      payload: undefined,
    })
  })

  it("that is a reply must say a known outcome, and a sane service time and epoch", () => {
    for (const l of [0, -1, 1.5, 2 ** 53, "7", null]) {
      expect(only(JSON.stringify({ k: "r", i: 1, l }))).toMatchObject({ kind: "malformed" })
    }
    expect(only('{"k":"r","i":1,"o":"maybe"}')).toMatchObject({ kind: "malformed" })
    expect(only('{"k":"r","i":1,"s":-1}')).toMatchObject({ kind: "malformed" })
    expect(only('{"k":"r","i":1,"s":"1"}')).toMatchObject({ kind: "malformed" })
    expect(only('{"k":"r","i":1,"e":"carrier pigeon"}')).toStrictEqual(only('{"k":"r","i":1}'))
  })
})

describe("a failure", () => {
  const failed = (value: unknown) => {
    const item = only(JSON.stringify({ k: "r", i: 1, o: "failed", v: value }))
    if (item?.kind !== "reply" || item.outcome.tag !== "failed") throw new Error("not a failure")
    return item.outcome.reason
  }

  it("comes back as an instance of its class", () => {
    expect(failed({ _tag: "TimedOut", after: 5 })).toBeInstanceOf(TimedOut)
    expect(failed({ _tag: "Rejected", why: "no", since: "newer" })).toEqual(new Rejected({ why: "no" }))
  })

  it("is never called safe to retry when it cannot be read", () => {
    for (const value of [{ _tag: "Tired" }, { _tag: "NoSuchActor" }, { _tag: "Rejected", why: 1 }, {}, [], null, 3]) {
      expect(failed(value)).toMatchObject({ _tag: "Crashed", retrySafe: false })
    }
    expect(failed({ _tag: "Tired" }).message).toContain('"Tired"')
    expect(failed(undefined).message).toContain("no reason")
  })

  it("has a codec for every reason there is", () => {
    expect(AskReason.members.length).toBe(7)
    fc.assert(
      fc.property(reason, (reason) => {
        const batch = decodeBatch(send([{ kind: "reply", id: 1, outcome: { tag: "failed", reason } }]))
        expect(batch).toStrictEqual({ node, items: [{ kind: "reply", id: 1, outcome: { tag: "failed", reason } }] })
      }),
    )
  })
})
