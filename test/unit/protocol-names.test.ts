// What a protocol may be called, and its messages.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ask, tell } from "../../src/protocol/message.ts"
import { majorVersion, protocol } from "../../src/protocol/protocol.ts"

const named = (message: string) => protocol("p", "1.0.0", { [message]: ask({}) } as never)

describe("a protocol", () => {
  it.for(["a", "Word-Count_2", "x".repeat(63)])("may be called %s", (name) => {
    expect(protocol(name, "1.0.0", {}).name).toBe(name)
  })

  it.for(["", "a.b", "a/b", "a b", "ü", "a\n", "#", "*", "x".repeat(64)])("may not be called %j", (name) => {
    expect(() => protocol(name, "1.0.0", {})).toThrow(/protocol name .*: 1 to 63 letters/)
  })

  it.for([
    "",
    "1",
    "1.0",
    "1.2.3.4",
    "v1.0.0",
    "1.0.0-beta",
    "01.0.0",
    "1.02.0",
    "1.0.03",
    "1.0.x",
    " 1.0.0",
    "1.0.0\n",
    "-1.0.0",
  ])("has no version %j", (version) => {
    expect(() => protocol("p", version, {})).toThrow(/^version .* want 1\.2\.3$/)
  })

  it("has the major version that decides who understands whom", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), (major, minor, patch) => {
        expect(majorVersion(protocol("p", `${major}.${minor}.${patch}`, {}))).toBe(major)
      }),
    )
  })

  it.for(["a", "countWords", "_x", "a1", "toString", "x".repeat(127)])("may have a message %s", (name) => {
    expect(Object.keys(named(name).messages)).toStrictEqual([name])
  })

  it.for(["then", "catch", "finally", "toJSON", "constructor", "1a", "a-b", "a.b", "", "ü", "x".repeat(128)])(
    "may have no message %j: it would break the client or the wire",
    (name) => {
      expect(() => named(name)).toThrow(/want an identifier, not a reserved one/)
    },
  )

  it("may have no message __proto__, even if it is an own key", () => {
    const messages = JSON.parse('{"__proto__":1}')
    expect(() => protocol("p", "1.0.0", messages)).toThrow(TypeError)
  })

  it("gives handlers back as they are", () => {
    const P = protocol("p", "1.0.0", { a: ask({}), t: tell() })
    const handlers = { a: () => {}, t: () => {} }
    expect(P.of(handlers)).toBe(handlers)
  })
})
