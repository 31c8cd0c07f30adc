// The limits of a message: nothing passes that AMQP would cut, and nothing is refused that it can carry.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Outgoing } from "../../src/broker/broker.ts"
import { checkOutgoing, checkShortString, defaultLimits } from "../../src/broker/limits.ts"

const base: Outgoing = { exchange: "", routingKey: "k", body: new Uint8Array() }
const check = (more: Partial<Outgoing>, limits = defaultLimits) => checkOutgoing({ ...base, ...more }, limits)

const text = fc.string({ unit: "binary", maxLength: 300 })
const shortFields = ["exchange", "routingKey", "contentType", "contentEncoding", "correlationId", "replyTo"] as const
const moreShortFields = ["messageId", "type", "appId"] as const

describe("the limits of a message", () => {
  it("lets a short string pass exactly when its UTF-8 has at most 255 bytes", () => {
    fc.assert(
      fc.property(text, fc.constantFrom(...shortFields, ...moreShortFields), (value, field) => {
        const fits = Buffer.byteLength(value) <= 255
        expect(checkShortString(value) === undefined).toBe(fits)
        expect(check({ [field]: value })?.what).toBe(fits ? undefined : field)
      }),
    )
  })

  it("lets a header number pass exactly when it is a safe integer or a fraction below 2^50", () => {
    const numbers = fc.oneof(
      fc.double(),
      fc.maxSafeInteger(),
      fc.constantFrom(2 ** 53, -(2 ** 63), 1e300, -0, 2 ** 51 + 0.5),
    )
    fc.assert(
      fc.property(numbers, (n) => {
        const fits = Number.isSafeInteger(n) || (Number.isFinite(n) && Math.abs(n) < 2 ** 50)
        expect(check({ headers: { n } }) === undefined).toBe(fits)
      }),
    )
  })

  it("never lets properties pass that do not fit into a frame, and refuses none that leave 64 bytes", () => {
    const headers = fc.dictionary(fc.string({ maxLength: 20 }), fc.string({ unit: "binary", maxLength: 200 }), {
      maxKeys: 20,
    })
    fc.assert(
      fc.property(headers, fc.string({ maxLength: 80 }), fc.integer({ min: 200, max: 4000 }), (table, id, frameMax) => {
        fc.pre(!("CC" in table) && !("BCC" in table))
        let bytes = 8 + 14 + 4 + 1 + Buffer.byteLength(id)
        for (const [name, value] of Object.entries(table))
          bytes += 6 + Buffer.byteLength(name) + Buffer.byteLength(value)
        const passes = check({ headers: table, messageId: id }, { ...defaultLimits, frameMax }) === undefined
        if (bytes > frameMax) expect(passes).toBe(false)
        if (bytes + 64 <= frameMax) expect(passes).toBe(true)
      }),
    )
  })

  it("bounds the body, the expiration and the timestamp", () => {
    const limits = { ...defaultLimits, maxMessageSize: 10 }
    expect(check({ body: new Uint8Array(10) }, limits)).toBeUndefined()
    expect(check({ body: new Uint8Array(11) }, limits)?.what).toBe("body")
    for (const expiration of [-1, 0.5, 2 ** 32, Number.NaN]) expect(check({ expiration })?.what).toBe("expiration")
    for (const expiration of [0, 1, 2 ** 32 - 1]) expect(check({ expiration })).toBeUndefined()
    expect(check({ timestamp: -1 })?.what).toBe("timestamp")
  })

  it("refuses headers that are no scalars, and those that RabbitMQ keeps for itself", () => {
    for (const value of [null, undefined, {}, [], 1n, new Date(), Buffer.from("x")]) {
      expect(check({ headers: { h: value as unknown as string } })?.what).toBe("header h")
    }
    expect(check({ headers: { CC: "x" } })?.what).toBe("header CC")
    expect(check({ headers: { BCC: "x" } })?.what).toBe("header BCC")
  })
})
