// What a subscriber wants, as data: its patterns, its headers, and the filter of a group in one line.

import { Schema } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { filterText, headerMatcher, keyMatcher, wanted } from "../../src/events/wanted.ts"
import { event, protocol } from "../../src/index.ts"
import { selection } from "../../src/protocol/selection.ts"
import type { AnySubscribeOptions } from "../../src/protocol/subscription.ts"
import { eventKey } from "../../src/wire/event-key.ts"

const Till = protocol("till", "2.3.4", {
  sold: event(Schema.Number),
  kept: event(Schema.Number, { retain: { bytes: 10_000 } }),
  last: event(Schema.Number, { retain: "last" }),
})

const scalar = fc.oneof(fc.constantFrom("a", "b", "1", ""), fc.constantFrom(0, 1, 2), fc.boolean())
const headers = fc.dictionary(fc.constantFrom("x", "y", "z", "toString"), scalar, { maxKeys: 4 })

describe("what a subscriber wants", () => {
  it("is found among keys by the same pattern that the broker binds", () => {
    const of = (options: AnySubscribeOptions & { readonly id?: string }) =>
      keyMatcher(wanted(selection(Till, "sold", options, undefined), "acme"))
    const key = (id: string, topic: string, major = 2, event = "sold") =>
      eventKey({ source: { domain: "acme", type: "till", id, major }, event, topic })
    expect(of({})(key("1", ""))).toBe(true)
    expect(of({})(key("1", "eu.west"))).toBe(true)
    expect(of({})(key("1", "", 3))).toBe(false)
    expect(of({})(key("1", "", 2, "kept"))).toBe(false)
    expect(of({ id: "1" })(key("2", ""))).toBe(false)
    expect(of({ topic: "" })(key("1", "eu"))).toBe(false)
    expect(of({ topic: "eu.*" })(key("1", "eu.west"))).toBe(true)
    expect(of({ topic: "eu.*" })(key("1", "eu"))).toBe(false)
  })

  it("is all or any of its headers, exactly: so says the rule written down plainly", () => {
    fc.assert(
      fc.property(headers, headers, fc.constantFrom("all" as const, "any" as const), (filter, given, match) => {
        const matcher = headerMatcher({ headers: filter, match })
        const hits = Object.entries(filter).map(([name, value]) => Object.hasOwn(given, name) && given[name] === value)
        if (hits.length === 0) expect(matcher).toBeUndefined()
        else expect(matcher!(given)).toBe(match === "all" ? hits.every(Boolean) : hits.some(Boolean))
      }),
    )
  })

  it("is one line for a group: the same for the same filter, another for another", () => {
    const filter = fc.record(
      {
        topic: fc.constantFrom("#", "eu", "eu.#", ""),
        headers,
        match: fc.constantFrom("all" as const, "any" as const),
      },
      { requiredKeys: [] },
    )
    const meaning = ({ topic = "#", headers = {}, match = "all" }: AnySubscribeOptions) => {
      const entries = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1))
      return JSON.stringify([topic, entries, entries.length === 0 ? "all" : match])
    }
    fc.assert(
      fc.property(filter, filter, (a, b) => {
        expect(filterText(a) === filterText(b)).toBe(meaning(a) === meaning(b))
      }),
      { numRuns: 2000 },
    )
    expect(filterText({})).toBe("")
    expect(filterText({ topic: "eu.#", headers: { b: "x", a: 1 }, match: "any" })).toBe('topic=eu.#&any(a=1,b="x")')
    const long = filterText({ topic: Array(30).fill("europe").join(".") })
    expect(long).toMatch(/^sha1=[0-9a-f]{40}$/)
  })

  it("cannot be what makes no sense: that is a TypeError where it is written", () => {
    const wrong = (event: "sold" | "kept" | "last", options: AnySubscribeOptions & { readonly id?: string }) => () =>
      selection(Till, event, options, undefined)
    expect(wrong("sold", { from: "first" })).toThrow("till.sold: `from` and `resume` need an event with `retain`")
    expect(wrong("last", { from: "last" })).toThrow("say of which, `id`")
    expect(wrong("kept", { from: -1 })).toThrow("no number of an event")
    expect(wrong("kept", { from: 0.5 })).toThrow("no number of an event")
    expect(wrong("kept", { from: new Date("?") })).toThrow("an invalid Date")
    expect(wrong("kept", { resume: "a.b" })).toThrow('resume "a.b"')
    expect(wrong("kept", { from: "first", group: "g" })).toThrow("cannot be combined")
    expect(wrong("kept", { id: "a b" })).toThrow('id "a b"')
    expect(wrong("kept", { maxDeliveries: 1.5 })).toThrow("maxDeliveries")
    expect(wrong("last", { from: "last", id: "main" })).not.toThrow()
    expect(wrong("kept", { from: 0 })).not.toThrow()
  })

  it.for([[{}], [{ age: 10 }], [{ age: "forever" }], [{ bytes: 10 }], [{ bytes: 1e5 + 0.5 }]] as ReadonlyArray<
    [object]
  >)("cannot be kept as %j", ([retain]) => {
    expect(() => event(Schema.Number, { retain: retain as never })).toThrow()
  })
})
