// Frames of streams: what is written is read again, and what cannot be read is a value.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Cancelled, Crashed, Disconnected } from "../../src/protocol/errors.ts"
import { leastBytes } from "../../src/streams/least-bytes.ts"
import { decodeBatch, encodeBatch, encodeItem, encodePackedBatch } from "../../src/wire/batch.ts"
import { decodeOpening, encodeFrame, type Frame, frameHead, type Opening, type Said } from "../../src/wire/frame.ts"
import type { AskItem, Outcome } from "../../src/wire/item.ts"
import { itemValue } from "../../src/wire/item-value.ts"
import { isMalformed } from "../../src/wire/malformed.ts"

const node = "node-1"
const count = fc.maxSafeNat()
const number = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const inbox = fc.string({ minLength: 1, maxLength: 80, unit: "binary" })
const credit = fc.record({ items: count, bytes: count }, { noNullPrototype: true })
const reason = fc.constantFrom(
  new Cancelled({}),
  new Crashed({ why: 'it "did"' }),
  new Disconnected({ why: "ü", sent: true }),
)
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.jsonValue().map((value) => ({ tag: "value", value }) as const),
  fc.constant({ tag: "value", value: undefined } as const),
  fc.jsonValue().map((error) => ({ tag: "declared", error }) as const),
  reason.map((reason) => ({ tag: "failed", reason }) as const),
)
const items = fc.array(fc.jsonValue(), { minLength: 1, maxLength: 5 })
const said: fc.Arbitrary<Said<ReadonlyArray<unknown>>> = fc.oneof(
  fc.record({ says: fc.constant("open" as const), number, credit: fc.option(credit, { nil: undefined }) }),
  fc.record({ says: fc.constant("items" as const), number, items, bytes: count }),
  fc.record({ says: fc.constant("credit" as const), number, credit }),
  fc.record({ says: fc.constant("stop" as const), number }),
  fc.record({ says: fc.constant("end" as const), number, outcome }),
  fc.record({ says: fc.constant("abort" as const), reason }),
  fc.record({ says: fc.constant("sent" as const), number: count, answer: fc.boolean() }),
)
const textOf = (head: string, said: Said<ReadonlyArray<unknown>>) =>
  encodeFrame(head, said.says === "items" ? { ...said, items: said.items.map((item) => JSON.stringify(item)) } : said)

const read = (...texts: ReadonlyArray<string>) => {
  const batch = decodeBatch({ ...encodeBatch({ node, messageId: "m" }, texts), headers: {} })
  if (isMalformed(batch)) throw new Error(batch.why)
  return batch.items
}

describe("a frame", () => {
  it("comes back as it was written, in a batch with others", () => {
    fc.assert(
      fc.property(count, count, inbox, fc.array(said, { minLength: 1, maxLength: 4 }), (to, from, inbox, all) => {
        const head = frameHead(to, from, inbox)
        const cancel = encodeItem({ kind: "cancel", node, id: 5 })
        const [first, ...frames] = read(cancel, ...all.map((said) => textOf(head, said)))
        expect(first).toMatchObject({ kind: "cancel", id: 5 })
        expect(JSON.parse(JSON.stringify(frames))).toStrictEqual(
          JSON.parse(JSON.stringify(all.map((said) => ({ kind: "frame", node, to, from, inbox, said })))),
        )
      }),
    )
  })

  it("that does not say for which session it is is refused alone", () => {
    const bad = [
      '{"k":"f"}',
      '{"k":"f","i":1}',
      '{"k":"f","i":1,"j":"2","r":"x","m":"s","q":1}',
      '{"k":"f","i":1.5,"j":2,"r":"x","m":"s","q":1}',
      '{"k":"f","i":1,"j":2,"m":"s","q":1}',
      `{"k":"f","i":1,"j":2,"r":"${"x".repeat(256)}","m":"s","q":1}`,
    ]
    const decoded = read(...bad, '{"k":"f","i":1,"j":2,"r":"x","m":"s","q":1}')
    expect(decoded.map(({ kind }) => kind)).toStrictEqual([...bad.map(() => "malformed"), "frame"])
  })

  it("never makes its reader throw", () => {
    const keys = fc.constantFrom("i", "j", "r", "m", "q", "c", "b", "v", "o", "y")
    const base = { k: "f", i: 1, j: 2, r: "x", m: "i", q: 1, b: 1, v: [1] }
    fc.assert(
      fc.property(fc.dictionary(keys, fc.jsonValue(), { noNullPrototype: true }), (change) => {
        const [item] = read(JSON.stringify({ ...base, ...change }))
        expect(["frame", "malformed"]).toContain(item?.kind)
        if (item?.kind === "frame") expect((item as Frame).said.says).toBeTypeOf("string")
      }),
    )
  })
})

describe("the opening of a stream", () => {
  const opening: fc.Arbitrary<Opening> = fc.record(
    { up: fc.boolean(), credit: fc.option(credit, { nil: undefined }) },
    { noNullPrototype: true },
  )
  const ask = (opening: Opening): AskItem => ({
    kind: "ask",
    node,
    id: 1,
    name: "x",
    payload: 7,
    deadline: 5,
    replyTo: "inbox",
    opening,
  })

  it("travels with its ask, in JSON and in MessagePack", () => {
    fc.assert(
      fc.property(opening, (opening) => {
        const head = { node, messageId: "m", replyTo: "inbox" }
        const item = ask(opening)
        for (const encoded of [encodeBatch(head, [encodeItem(item)]), encodePackedBatch(head, [itemValue(item)!])]) {
          const batch = decodeBatch({ ...encoded, headers: {} })
          if (isMalformed(batch)) throw new Error(batch.why)
          expect(batch.items).toStrictEqual([item])
        }
      }),
    )
  })

  it.each([[null], [7], [{ c: 5 }], [{ c: [1] }], [{ c: [1, -1] }], [{ c: [1.5, 1] }], [{ u: "yes" }]])(
    "that is %j refuses its ask",
    (x) => {
      expect(decodeOpening(x)).toBeUndefined()
      const text = JSON.stringify({ k: "a", i: 1, n: "x", d: 5, x })
      const batch = decodeBatch({ ...encodeBatch({ node, messageId: "m", replyTo: "q" }, [text]), headers: {} })
      const [item] = isMalformed(batch) ? [] : batch.items
      expect(item).toMatchObject({ kind: "malformed", ask: { node, id: 1, replyTo: "q" } })
    },
  )
})

describe("the least that a value can be", () => {
  it("is never more than its JSON text, nor less than half of it for texts, and looks into any depth", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(leastBytes(value)).toBeLessThanOrEqual(JSON.stringify(value).length)
      }),
    )
    expect(leastBytes("x".repeat(1_000))).toBe(1_002)
    let deep: unknown = "x"
    for (let level = 0; level < 100_000; level++) deep = [deep]
    expect(leastBytes(deep)).toBeGreaterThan(0)
  })
})
