// Slots as codecs: Effect Schemas, Standard Schemas, and types alone (promise 7).

import { Schema } from "effect"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { z } from "zod"
import { type CompiledCall, compile, compiled, Mismatch } from "../../src/protocol/codec.ts"
import { action, ask, event, tell } from "../../src/protocol/message.ts"
import { protocol } from "../../src/protocol/protocol.ts"
import { stream, type } from "../../src/protocol/slot.ts"

const overTheWire = (slot: Parameters<typeof compile>[0], value: unknown): unknown => {
  const codec = compile(slot)
  return codec.decode(JSON.parse(JSON.stringify(codec.encode(value))))
}

describe("an Effect Schema", () => {
  it("brings over JSON what JSON does not know", () => {
    const S = Schema.Struct({ at: Schema.Date, n: Schema.BigInt, tags: Schema.ReadonlySet(Schema.String) })
    const value = { at: new Date(5), n: 2n ** 80n, tags: new Set(["a"]) }
    expect(overTheWire(S, value)).toStrictEqual(value)
  })

  it("brings over every value that it allows", () => {
    const S = Schema.Struct({
      a: Schema.NullOr(Schema.Finite),
      b: Schema.Array(Schema.String),
      c: Schema.optionalKey(Schema.Boolean),
    })
    const values = fc.record(
      {
        a: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true, min: Number.MIN_VALUE })),
        b: fc.array(fc.string()),
        c: fc.boolean(),
      },
      { requiredKeys: ["a", "b"], noNullPrototype: true },
    )
    fc.assert(fc.property(values, (value) => void expect(overTheWire(S, value)).toEqual(value)))
  })

  it("brings over every number, also those that JSON has no word for, wherever it stands", () => {
    interface Tree {
      readonly n: number
      readonly below: ReadonlyArray<Tree>
    }
    const Tree = Schema.Struct({
      n: Schema.Number,
      below: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree)),
    })
    const S = Schema.Struct({
      tree: Tree,
      maybe: Schema.optionalKey(Schema.Number),
      either: Schema.Union([Schema.Number, Schema.String]),
      maybeTree: Schema.NullOr(Tree),
      shape: Schema.Union([Schema.Struct({ side: Schema.Number }), Schema.Struct({ side: Schema.String })]),
      small: Schema.Number.check(Schema.isLessThan(10)),
      pair: Schema.Tuple([Schema.Number, Schema.NullOr(Schema.Number)]),
      named: Schema.Record(Schema.String, Schema.Number),
    })
    const n = fc.double().map((n) => (n === 0 ? 0 : n)) // JSON has no -0
    const leaf = fc.record({ n, below: fc.constant([]) }, { noNullPrototype: true })
    const tree = fc.record({ n, below: fc.array(leaf, { maxLength: 3 }) }, { noNullPrototype: true })
    const values = fc.record(
      {
        tree,
        maybe: n,
        either: fc.oneof(n, fc.constantFrom("a", "b")),
        maybeTree: fc.option(tree),
        shape: fc.oneof(
          fc.record({ side: n }, { noNullPrototype: true }),
          fc.record({ side: fc.constantFrom("a", "b") }, { noNullPrototype: true }),
        ),
        small: fc.double({ max: 9, noNaN: true }).map((n) => (n === 0 ? 0 : n)),
        pair: fc.tuple(n, fc.option(n)),
        named: fc.dictionary(fc.constantFrom("a", "b"), n, { noNullPrototype: true }),
      },
      { requiredKeys: ["tree", "either", "maybeTree", "shape", "small", "pair", "named"], noNullPrototype: true },
    )
    const property = fc.property(values, (value) => void expect(overTheWire(S, value)).toStrictEqual(value))
    fc.assert(property, { numRuns: 500 })
    const codec = compile(S)
    const good = {
      tree: { n: 1, below: [] },
      either: 1,
      maybeTree: null,
      shape: { side: 1 },
      small: 1,
      pair: [1, null],
      named: {},
    }
    for (const wrong of [{ small: 10 }, { maybe: "1" }, { tree: { n: null, below: [] } }, { pair: [1] }]) {
      expect(() => codec.encode({ ...good, ...wrong })).toThrow(Mismatch)
      expect(() => codec.decode({ ...good, ...wrong })).toThrow(Mismatch)
    }
  })

  it("makes instances of its classes", () => {
    class Point extends Schema.Class<Point>("Point")({ x: Schema.Number }) {}
    expect(overTheWire(Point, new Point({ x: 1 }))).toBeInstanceOf(Point)
  })

  it("refuses at both ends what it does not allow, with a Mismatch of one line and nothing else (7)", () => {
    const codec = compile(Schema.Struct({ n: Schema.Number, more: Schema.Array(Schema.Struct({ d: Schema.Date })) }))
    fc.assert(
      fc.property(fc.anything(), (value) => {
        for (const run of [codec.encode, codec.decode]) {
          try {
            run(value)
          } catch (error) {
            expect(error).toBeInstanceOf(Mismatch)
            expect((error as Mismatch).message).not.toContain("\n")
          }
        }
      }),
    )
    expect(() => codec.encode({ n: 1, more: [{ d: "no date" }] })).toThrow(Mismatch)
    expect(() => codec.decode({ n: "1", more: [] })).toThrow(Mismatch)
  })

  it("drops what it does not list", () => {
    expect(overTheWire(Schema.Struct({ a: Schema.Number }), { a: 1, secret: 2 })).toStrictEqual({ a: 1 })
  })

  it("of nothing is nothing, whatever comes", () => {
    const codec = compile(Schema.Void)
    for (const value of [undefined, null, 1, { a: 1 }]) {
      expect(codec.encode(value)).toBeUndefined()
      expect(codec.decode(value)).toBeUndefined()
    }
  })
})

describe("a Standard Schema", () => {
  it("is run once, by the receiver", () => {
    const codec = compile(z.object({ name: z.string().transform((text) => text.length) }))
    expect(codec.encode({ name: "four" })).toStrictEqual({ name: "four" })
    expect(codec.decode({ name: "four" })).toStrictEqual({ name: 4 })
  })

  it("says where and why it refuses a value (7)", () => {
    const codec = compile(z.object({ list: z.array(z.object({ n: z.number() })) }))
    expect(() => codec.decode({ list: [{ n: 1 }, { n: "x" }] })).toThrow(/^list\.1\.n: /)
    expect(() => codec.decode(undefined)).toThrow(Mismatch)
  })

  it("that is asynchronous is refused (7)", () => {
    const later = z.string().refine(async () => true)
    expect(() => compile(later).decode("x")).toThrow("asynchronous schemas cannot check a message")
  })

  it("that throws is a Mismatch as well (7)", () => {
    const bad: StandardSchemaV1 = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: () => {
          throw new Error("a broken validator")
        },
      },
    }
    expect(() => compile(bad).decode(1)).toThrow(Mismatch)
  })

  it("of types alone lets everything pass", () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void expect(compile(type<unknown>()).decode(value)).toBe(value)))
  })
})

describe("the errors that an ask declares", () => {
  class Broke extends Schema.TaggedError<Broke>()("Broke", { missing: Schema.Number }) {}
  class Gone extends Schema.TaggedError<Gone>()("Gone", {}) {}
  const declared = (message: ReturnType<typeof ask>) =>
    (compiled(protocol("p", "1.0.0", { m: message })).get("m") as CompiledCall).isDeclared

  it("are known by their class, and no others are", () => {
    const isDeclared = declared(ask({ error: Schema.Union([Broke, Gone]) }) as never)
    expect(isDeclared(new Broke({ missing: 1 }))).toBe(true)
    expect(isDeclared(new Gone())).toBe(true)
    for (const other of [new Error("x"), { _tag: "Gone" }, undefined, "Gone"]) expect(isDeclared(other)).toBe(false)
  })

  it("are none unless it says so", () => {
    const isDeclared = declared(ask({}))
    for (const anything of [new Error("x"), undefined, null, 0]) expect(isDeclared(anything)).toBe(false)
  })

  it("of a Standard Schema are what it accepts, and never an Error", () => {
    const isDeclared = declared(ask({ error: z.object({ message: z.string() }) }) as never)
    expect(isDeclared({ message: "no" })).toBe(true)
    expect(isDeclared(new Error("no"))).toBe(false)
    expect(isDeclared("no")).toBe(false)
  })
})

describe("the compiled messages of a protocol", () => {
  const P = protocol("p", "1.0.0", {
    a: ask({}),
    t: tell(Schema.Number),
    up: ask({ payload: stream(Schema.Number) }),
    down: ask({ reply: stream(Schema.Number) }),
    e: event(Schema.Number),
    g: action({ goal: Schema.Number }),
  })

  it("are compiled once", () => {
    expect(compiled(P)).toBe(compiled(P))
  })

  it("say of which kind they are, and which way a stream goes", () => {
    const kinds = [...compiled(P)].map(([name, message]) =>
      message.kind === "stream" ? [name, message.kind, message.up, message.down] : [name, message.kind],
    )
    expect(kinds).toStrictEqual([
      ["a", "ask"],
      ["t", "tell"],
      ["up", "stream", true, false],
      ["down", "stream", false, true],
      ["e", "event"],
      ["g", "action"],
    ])
  })

  it("are looked up by their own names alone (7)", () => {
    for (const name of ["toString", "constructor", "__proto__", "hasOwnProperty"]) {
      expect(compiled(P).get(name)).toBeUndefined()
    }
  })
})
