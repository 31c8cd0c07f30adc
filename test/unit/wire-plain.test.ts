// Plain messages from clients that know nothing of Warren but its exchange.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Crashed, NoSuchActor, TimedOut } from "../../src/protocol/errors.ts"
import { isMalformed } from "../../src/wire/malformed.ts"
import { decodePlain, encodePlainReply, type PlainMessage } from "../../src/wire/plain.ts"

const now = 1_700_000_000_000
const options = { fallback: "f-1" }
const base: PlainMessage = { type: "add", headers: {}, body: Buffer.from('{"amount":1}') }
const read = (change: Partial<PlainMessage>) => decodePlain({ ...base, ...change }, now, options)
const item = (change: Partial<PlainMessage>) => {
  const plain = read(change)
  if (isMalformed(plain)) throw new Error(plain.why)
  return plain.item
}

describe("a plain message", () => {
  it("without replyTo is a tell, named by its type", () => {
    expect(read({ messageId: "m-1" })).toStrictEqual({
      item: { kind: "tell", node: "plain:m-1", id: 0, name: "add", payload: { amount: 1 } },
    })
    expect(item({ replyTo: "" }).kind).toBe("tell")
  })

  it("with replyTo is an ask that keeps the correlation id for the reply", () => {
    expect(read({ replyTo: "q", correlationId: "c-1", messageId: "m-1" })).toStrictEqual({
      item: {
        kind: "ask",
        node: "plain:m-1",
        id: 0,
        name: "add",
        payload: { amount: 1 },
        deadline: now + 30_000,
        replyTo: "q",
      },
      correlationId: "c-1",
    })
  })

  it("brings back any JSON payload, and no body is no payload", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (payload) => {
        const text = JSON.stringify(payload)
        expect(item({ body: Buffer.from(text) }).payload).toStrictEqual(JSON.parse(text))
      }),
    )
    expect(item({ body: Buffer.alloc(0) }).payload).toBeUndefined()
    expect(item({ body: Buffer.from("null") }).payload).toBeNull()
  })

  it.each([undefined, "", "application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"])(
    "may have the content type %s",
    (contentType) => {
      expect(item(contentType === undefined ? {} : { contentType }).payload).toEqual({ amount: 1 })
    },
  )

  it.each(["text/plain", "application/octet-stream", "application/jsonx", "application/vnd.other+json"])(
    "may not have the content type %s",
    (contentType) => {
      expect(read({ contentType })).toMatchObject({ kind: "malformed", why: expect.stringContaining(contentType) })
    },
  )

  it("in another version of the batch is refused by both versions' names", () => {
    expect(read({ contentType: "application/vnd.warren.v2+json" })).toMatchObject({
      why: expect.stringMatching(/version 2\b.*version 1\b/),
    })
  })

  it("needs a name, a body that is JSON, and UTF-8", () => {
    const { type: _, ...nameless } = base
    expect(decodePlain(nameless, now, options)).toMatchObject({ why: expect.stringContaining('"type"') })
    expect(read({ body: Buffer.from("{") })).toMatchObject({ kind: "malformed" })
    expect(read({ body: Buffer.from([0x22, 0xff, 0x22]) })).toMatchObject({ why: expect.stringContaining("UTF-8") })
  })

  it("waits until the earlier of its expiration and its warren-deadline", () => {
    const ask = { replyTo: "q" }
    expect(item({ ...ask, expiration: 500 })).toMatchObject({ deadline: now + 500 })
    expect(item({ ...ask, expiration: 0 })).toMatchObject({ deadline: now })
    const headers = { "warren-deadline": now + 100 }
    expect(item({ ...ask, headers })).toMatchObject({ deadline: now + 100 })
    expect(item({ ...ask, headers, expiration: 500 })).toMatchObject({ deadline: now + 100 })
    expect(item({ ...ask, headers, expiration: 50 })).toMatchObject({ deadline: now + 50 })
    expect(read({ ...ask, headers: { "warren-deadline": "soon" } })).toMatchObject({ kind: "malformed" })
    expect(decodePlain({ ...base, ...ask }, now, { ...options, timeout: 7 })).toMatchObject({
      item: { deadline: now + 7 },
    })
  })

  it("is known by its message id, an ask without one by its reply queue and correlation id", () => {
    expect(item({ messageId: "m", correlationId: "c", replyTo: "q" }).node).toBe("plain:m")
    expect(item({ correlationId: "c", replyTo: "q" }).node).toBe("plain:q/c")
    expect(item({ replyTo: "q" }).node).toBe("plain:f-1")
  })

  it("is not known by its correlation id when it is a tell: the tells of one trace share it", () => {
    expect(read({ correlationId: "trace-1" })).toMatchObject({ item: { node: "plain:f-1" }, correlationId: "trace-1" })
  })

  it("hands on scalar headers only, without the broker's and ours", () => {
    const headers = {
      tenant: "acme",
      n: 0,
      ok: false,
      "x-death": [{}],
      "X-Match": "all",
      "warren-attempts": 2,
      "warren-outcome": "value",
      "warren-replays": 1,
      list: ["a"],
      nothing: null,
      nan: Number.NaN,
      ["__proto__"]: "p",
    }
    expect(item({ headers })).toMatchObject({ attempts: 2 })
    expect(item({ headers }).headers).toStrictEqual({ tenant: "acme", n: 0, ok: false })
    expect(item({ headers: { "x-death": [] } })).not.toHaveProperty("headers")
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`h${i}`, i]))
    expect(Object.keys(item({ headers: many }).headers ?? {})).toHaveLength(64)
  })

  it("never throws, whatever its properties and bytes are", () => {
    const odd = fc.oneof(fc.anything(), fc.string(), fc.constant(undefined))
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.anything()),
        fc.uint8Array(),
        fc.array(odd, { minLength: 6, maxLength: 6 }),
        (headers, bytes, [contentType, type, messageId, correlationId, replyTo, expiration]) => {
          const message = { contentType, type, messageId, correlationId, replyTo, expiration, headers }
          const plain = decodePlain({ ...message, body: Buffer.from(bytes) } as PlainMessage, now, options)
          if (isMalformed(plain)) expect(plain.why).not.toBe("")
          else expect(plain.item.name).toBe(type)
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe("a plain reply", () => {
  const parse = (body: Buffer): unknown => JSON.parse(body.toString())

  it("carries any value and any declared error as JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const reply = encodePlainReply({ tag: "value", value }, "c-1")
        expect(reply).toMatchObject({ type: "reply", correlationId: "c-1", headers: { "warren-outcome": "value" } })
        expect(parse(reply.body)).toStrictEqual(JSON.parse(JSON.stringify(value)))
        const declared = encodePlainReply({ tag: "declared", error: value })
        expect(declared.headers).toStrictEqual({ "warren-outcome": "declared" })
        expect(declared.body.equals(reply.body)).toBe(true)
        expect(declared).not.toHaveProperty("correlationId")
      }),
    )
  })

  it("of a leader says in a header in which epoch it was given (8)", () => {
    const given = encodePlainReply({ tag: "value", value: 1 }, "c-1", 1_732_000_000_007)
    expect(given.headers).toStrictEqual({ "warren-outcome": "value", "warren-epoch": 1_732_000_000_007 })
  })

  it("without a value is JSON null", () => {
    expect(encodePlainReply({ tag: "value", value: undefined }).body.toString()).toBe("null")
  })

  it("of a failure names the reason in a header, and says in the body whether to retry", () => {
    const lost = encodePlainReply({ tag: "failed", reason: new NoSuchActor({ address: "a/b/c" }) })
    expect(lost.headers).toStrictEqual({ "warren-outcome": "failed", "warren-reason": "NoSuchActor" })
    expect(parse(lost.body)).toMatchObject({ _tag: "NoSuchActor", address: "a/b/c", retrySafe: true })
    const late = encodePlainReply({ tag: "failed", reason: new TimedOut({ after: 5 }) })
    expect(parse(late.body)).toMatchObject({ after: 5, retrySafe: false, message: expect.stringContaining("5 ms") })
    const crash = encodePlainReply({ tag: "failed", reason: new Crashed({ why: "boom" }) })
    expect(parse(crash.body)).toMatchObject({ why: "boom", message: expect.stringContaining("boom") })
  })
})
