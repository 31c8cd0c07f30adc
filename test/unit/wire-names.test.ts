// Addresses, and the broker's names that are built of them.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Address, format, fromRoutingKey, invalid, routingKey, sharedKey } from "../../src/wire/address.ts"
import { names } from "../../src/wire/names.ts"

const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,63}$/)
const address: fc.Arbitrary<Address> = fc.record(
  { domain: token, type: token, id: token, major: fc.nat(999_999_999) },
  { noNullPrototype: true },
)

describe("an address", () => {
  it("is not read from the key of a queue that actors share", () => {
    fc.assert(
      fc.property(token, token, (domain, name) => {
        expect(fromRoutingKey(sharedKey(domain, name))).toBeUndefined()
      }),
    )
  })

  it("is read back from its routing key", () => {
    fc.assert(
      fc.property(address, (address) => {
        expect(invalid(address)).toBeUndefined()
        expect(fromRoutingKey(routingKey(address))).toStrictEqual(address)
        expect(format(address)).toBe(`${address.domain}/${address.type}/${address.id}`)
      }),
    )
  })

  it.each([
    "",
    "a.b.c",
    "a.b.c.1",
    "a.b.c.v01",
    "a.b.c.v-1",
    "a.b.c.d.v1",
    "a.b..v1",
    "a.b.c\n.v1",
    "a.b.c.v1\n",
    "*.b.c.v1",
  ])("is not read from %j", (text) => {
    expect(fromRoutingKey(text)).toBeUndefined()
  })

  it.each([
    { domain: "" },
    { type: "a.b" },
    { id: "x".repeat(64) },
    { id: "caf\u00e9" },
    { id: "#" },
    { id: "a\n" },
    { major: 1.5 },
    { major: -1 },
    { major: Number.NaN },
  ])("says what is wrong with %j", (wrong) => {
    expect(invalid({ domain: "a", type: "b", id: "c", major: 1, ...wrong })).toContain(Object.keys(wrong)[0])
  })
})

describe("the names on the broker", () => {
  it("start with the prefix and fit an AMQP short string", () => {
    fc.assert(
      fc.property(address, fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/), (address, prefix) => {
        const made = names(prefix)
        const { mail, control, presence, dead, deadLetters } = made
        const shared = made.sharedMailbox(address.domain, address.id)
        const own = made.mailbox(address)
        expect(shared).not.toBe(own)
        const ofNode = [made.inbox("x".repeat(63), 1), made.inbox("x".repeat(63), 2), made.beats("x".repeat(63), 1)]
        for (const name of [mail, control, presence, dead, deadLetters, own, shared, ...ofNode]) {
          expect(name.startsWith(`${prefix}.`)).toBe(true)
          expect(name.length).toBeLessThanOrEqual(255)
        }
      }),
    )
  })
})
