// Addresses, the broker's names that are built of them, and versions.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Address, format, fromRoutingKey, invalid, routingKey } from "../../src/wire/address.ts"
import { names } from "../../src/wire/names.ts"
import { major, parse } from "../../src/wire/version.ts"

const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,63}$/)
const address: fc.Arbitrary<Address> = fc.record(
  { domain: token, type: token, id: token, major: fc.nat(999_999_999) },
  { noNullPrototype: true },
)

describe("an address", () => {
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
        const { mail, control, dead, deadLetters } = made
        for (const name of [mail, control, dead, deadLetters, made.mailbox(address), made.inbox("x".repeat(63))]) {
          expect(name.startsWith(`${prefix}.`)).toBe(true)
          expect(name.length).toBeLessThanOrEqual(255)
        }
      }),
    )
  })
})

describe("a version", () => {
  const part = fc.nat(999_999_999)

  it("is major, minor and patch", () => {
    fc.assert(
      fc.property(part, part, part, (a, b, c) => {
        expect(parse(`${a}.${b}.${c}`)).toStrictEqual({ major: a, minor: b, patch: c })
        expect(major(`${a}.${b}.${c}`)).toBe(a)
      }),
    )
  })

  it.each([
    "",
    "1",
    "1.2",
    "1.2.3.4",
    "v1.2.3",
    "1.2.3-rc.1",
    "01.2.3",
    "1.02.3",
    "1.2.03",
    "1.2.x",
    " 1.2.3",
    "1.2.3\n",
    "1e3.0.0",
  ])("is not %j", (text) => {
    expect(parse(text)).toBeUndefined()
    expect(major(text)).toBeUndefined()
  })
})
