// MessagePack as batches use it: what comes out is what JSON would have brought, and bytes from outside can do no harm.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { isMalformed } from "../../src/wire/malformed.ts"
import { joinPacked } from "../../src/wire/msgpack/batch.ts"
import { readMsgpack } from "../../src/wire/msgpack/reader.ts"
import { Shapes } from "../../src/wire/msgpack/shapes.ts"
import { maxDepth, type Packed, pack } from "../../src/wire/msgpack/writer.ts"

const packed = (shapes: Shapes, value: unknown): Packed => {
  const result = pack(shapes, value)
  if (result === undefined) throw new Error("not for MessagePack")
  return result
}
const join = (values: ReadonlyArray<unknown>, shapes = new Shapes()): Buffer =>
  joinPacked(
    "n",
    values.map((value) => packed(shapes, value)),
  )
const read = (body: Buffer): unknown => {
  const result = readMsgpack(body)
  if (isMalformed(result)) throw new Error(result.why)
  return result.value
}
const itemsOf = (body: Buffer): unknown => (read(body) as { readonly items: unknown }).items
const why = (body: Buffer | string): string => {
  const result = readMsgpack(typeof body === "string" ? Buffer.from(body, "hex") : body)
  return isMalformed(result) ? result.why : `it was read: ${JSON.stringify(result.value)?.slice(0, 100)}`
}
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
const nested = (depth: number): unknown => JSON.parse(`${"[".repeat(depth)}1${"]".repeat(depth)}`)

const key = fc.oneof(
  fc.constantFrom("id", "name", "", "__proto__", "valueOf", 'a"b', "1", "ä", "x".repeat(300), "toString"),
  fc.string({ unit: "binary", maxLength: 12 }),
)
const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("é".repeat(12), "é".repeat(13), "x".repeat(12), "x".repeat(13), "€😀", "x".repeat(70_000)),
)
const number = fc.oneof(
  fc.integer({ min: -300, max: 300 }),
  fc.maxSafeInteger(),
  fc.double(),
  fc.constantFrom(2 ** 31, 2 ** 32, -(2 ** 31), -(2 ** 31) - 1, 65_535, 65_536, 63, 64, 127, 128, 255, 256, -32, -33),
)
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom<unknown>(null, true, false, undefined),
    number,
    text,
    fc.array(tie("tree"), { maxLength: 20 }),
    fc.dictionary(key, tie("tree"), { maxKeys: 20, noNullPrototype: true }),
  ),
}))

describe("a packed value", () => {
  it("comes back as JSON would have brought it, alone and among others", () => {
    const shapes = new Shapes()
    fc.assert(
      fc.property(fc.array(tree, { maxLength: 6 }), (values) => {
        const fit = values.filter((value) => pack(shapes, value) !== undefined)
        const items = itemsOf(join(fit, shapes))
        expect(items).toStrictEqual(fit.map(asJson))
        expect(JSON.stringify(items)).toBe(JSON.stringify(fit)) // the order of the keys too
      }),
      { numRuns: 1000 },
    )
  })

  it("comes back the same once its shape is read by compiled code", () => {
    const row = (n: number) => ({ id: n, 'k"\\': `${n}`, "line\nbreak": { "": [n], constructor: null } })
    const rows = Array.from({ length: 400 }, (_, n) => row(n))
    for (let round = 0; round < 3; round++) expect(itemsOf(join(rows))).toStrictEqual(rows)
  })

  it.each([
    ["an own __proto__", JSON.parse('{"__proto__":{"admin":true},"a":1}')],
    ["undefined, functions and symbols", { a: undefined, b: () => 1, c: Symbol("c"), d: [undefined, () => 1, 2] }],
    ["numbers that JSON has no word for", [Number.NaN, Number.POSITIVE_INFINITY, -0]],
    ["holes", Object.assign(new Array(3), { 0: 1 })],
    ["no prototype", Object.assign(Object.create(null), { a: 1 })],
    ["no keys", [{}, [], {}]],
    ["65 keys", Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`k${n}`, n]))],
    ["70,000 entries", Array.from({ length: 70_000 }, (_, n) => n)],
    ["70,000 keys", Object.fromEntries(Array.from({ length: 70_000 }, (_, n) => [`k${n}`, n]))],
  ])("may have %s, as in JSON", (_, value) => {
    expect(itemsOf(join([[value]]))).toStrictEqual([asJson([value])])
  })

  const loop: Array<unknown> = []
  loop.push([loop])
  it.each([
    ["a toJSON of its own", { toJSON: () => 1 }],
    ["a toJSON that is not enumerable", Object.defineProperty({}, "toJSON", { value: () => 1 })],
    ["a date", new Date(0)],
    ["an object of a class", new (class Point {})()],
    ["a boxed string", Object("text")],
    ["a bigint", 1n],
    ["a cycle", loop],
    ["half of a character", "\ud800"],
    ["the other half", "\ude00"],
    ["half of a character within", "x\ud800y"],
    ["a character in two halves", ["\ud83d", "\ude00"]],
    ["too many levels", nested(maxDepth + 1)],
    ["a getter that throws", Object.defineProperty({}, "a", { get: () => loop[9]!.toString(), enumerable: true })],
  ])("with %s is left to JSON", (_, value) => {
    const shapes = new Shapes()
    expect(pack(shapes, { value })).toBeUndefined()
    expect(itemsOf(join([{ value: 1 }], shapes))).toStrictEqual([{ value: 1 }])
  })

  it("is not disturbed by a getter that packs something else", () => {
    const shapes = new Shapes()
    let inner: unknown = "never asked"
    const value = {
      a: "before",
      get b() {
        inner = pack(shapes, { other: "x" })
        return "within"
      },
      c: "after",
    }
    expect(itemsOf(join([value], shapes))).toStrictEqual([{ a: "before", b: "within", c: "after" }])
    expect(inner).toBeUndefined()
  })

  it("looks as the page about the wire says", () => {
    const body =
      "d6620000003f83a46e6f6465a16ea673686170657392d4724091a6616d6f756e74c0d4724194a16ba169a16ea170c0c0c0c0" +
      "a56974656d739141c10101c1034002a0db0000000474616464"
    expect(join([{ k: "t", i: 1, n: "add", p: { amount: 2 } }]).toString("hex")).toBe(body)
  })

  it("costs its keys once per batch, however many objects have them", () => {
    const row = { identifier: 1, description: "", quantity: 2 }
    const [one, many] = [join([row]), join(Array.from({ length: 101 }, () => row))]
    expect(many.length - one.length).toBe(100 * (1 + 1 + 2 + 1) + 2)
  })

  it("may be put together with others in any order, as often as need be", () => {
    const shapes = new Shapes()
    const values = [{ a: 1 }, { b: { a: 2 } }, { a: 3 }, { c: "x" }]
    const parts = values.map((value) => packed(shapes, value))
    for (const order of [[3, 1], [2], [1, 0, 2, 3], []]) {
      const body = joinPacked(
        "n",
        order.map((n) => parts[n]!),
      )
      expect(itemsOf(body)).toStrictEqual(order.map((n) => values[n]))
    }
  })

  it("finds room when all shapes are taken: its objects are maps then, until a fresh table is due", () => {
    const shapes = new Shapes()
    const dictionary = (n: number) => ({ [`key-${n}`]: n, nested: { [`inner-${n}`]: [n] } })
    const values = Array.from({ length: 3_000 }, (_, n) => dictionary(n))
    expect(itemsOf(join(values, shapes))).toStrictEqual(values)
    expect(shapes.stale).toBe(false)
    for (let n = 3_000; n < 9_000; n++) pack(shapes, dictionary(n))
    expect(shapes.stale).toBe(true)
  })
})

describe("bytes from outside", () => {
  /** What the JavaScript library msgpackr writes, versions 1.12 and 2.1: its records are defined where they are used. */
  it("may be those of another writer of records", () => {
    const body =
      "d4724092a46e6f6465a56974656d73a16e92d4724192a169a17001d4724292a178a179a378c3a992c3c0" +
      "41cb4212a05f2000000042a092ffcb3ff8000000000000"
    const items = [
      { i: 1, p: { x: "xé", y: [true, null] } },
      { i: 2e10, p: { x: "", y: [-1, 1.5] } },
    ]
    expect(read(Buffer.from(body, "hex"))).toStrictEqual({ node: "n", items })
  })

  it.each([
    ["binary data", "c403010203"],
    ["a date", "d6ff00000001"],
    ["undefined", "d40000"],
    ["a set", "d47300920102"],
    ["a regular expression", "d4780092a161a0"],
    ["an error", "d46500a0"],
    ["a typed array", "c7057400aabbccdd"],
    ["a pointer into itself", "d66900000001d67000000001"],
    ["a number that is not finite", "cb7ff0000000000000"],
    ["NaN", "ca7fc00000"],
    ["a shape that nobody defined", "41"],
    ["a shape of too many keys", `d47240dcffff${"a161".repeat(65_535)}`],
    ["a shape whose key is a number", "d472409101c0"],
    ["a shape whose key is no UTF-8", "d4724091a1ffc0"],
    ["a map whose key is an object", "818001"],
    ["a string that is no UTF-8", "a1ff"],
    ["bundled strings that are no UTF-8", "d66200000006c101a0db00000002c328"],
    ["a bundled string without a bundle", "c101"],
    ["a bundled string of a negative length", "d66200000006c1ffa0db0000000161"],
    ["more bundled strings than are used", "d66200000006c101a0db000000026161"],
    ["bundled strings somewhere else", "d662ffffffffc0"],
    ["bundled strings before themselves", "d66200000000c0a0db00000000"],
    ["half of a bundled character", "d66200000006c101a0db00000004f09f9880"],
    ["something after it", "c0c0"],
    ["nothing", ""],
  ])("are refused when they hold %s", (_, hex) => {
    expect(why(hex)).toMatch(/^the body is not MessagePack: /)
  })

  it.each([
    ["an array of four thousand million", "ddffffffff"],
    ["a map of four thousand million", "dfffffffff"],
    ["a string of four thousand million", "dbffffffff"],
    ["a bundled string of four thousand million", "d6620000000ac1ceffffffffa0db00000000"],
    ["arrays in arrays that are all said to be long", "dd00ffffff".repeat(100_000)],
    ["a hundred thousand levels", "91".repeat(100_000)],
    ["levels of records", `d4724091a161${"40".repeat(100_000)}`],
    ["definitions in definitions", "d4724091a161".repeat(100_000)],
    ["a million empty arrays", `dd000f4240${"90".repeat(1_000_000)}`],
    ["a million objects of an empty shape", `dd000f4240d4724090${"40".repeat(999_999)}`],
    ["a hundred thousand definitions", `dd000186a0${"d4724090".repeat(100_000)}`],
  ])("are refused quickly, and without filling the memory, when they say %s", (_, hex) => {
    const body = Buffer.from(hex, "hex")
    const before = process.memoryUsage().heapUsed
    const from = performance.now()
    expect(why(body)).toMatch(/^the body is not MessagePack: /)
    expect(performance.now() - from).toBeLessThan(1_000)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 1024 * 1024)
  })

  it("may be nested 128 deep, and no deeper", () => {
    expect(why(`${"91".repeat(128)}01`)).toMatch(/^it was read/)
    expect(why(`${"91".repeat(129)}01`)).toMatch(/more than 128 deep/)
    expect(why(`d4724091a161${"40".repeat(127)}01`)).toMatch(/^it was read/)
    expect(why(`d4724091a161${"40".repeat(128)}01`)).toMatch(/more than 128 deep/)
  })

  it("change no prototype, whatever their keys are called", () => {
    const map = "81a95f5f70726f746f5f5f81a561646d696ec3"
    const record = "d4724091a95f5f70726f746f5f5f81a561646d696ec3"
    for (const hex of [map, record]) {
      const value = read(Buffer.from(hex, "hex")) as { readonly admin?: boolean }
      expect(value.admin).toBeUndefined()
      expect(Object.keys(value)).toStrictEqual(["__proto__"])
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    }
    const often = `dc0200${record}${"4081a561646d696ec3".repeat(511)}`
    for (const value of read(Buffer.from(often, "hex")) as ReadonlyArray<object>) {
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    }
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  it("cannot make it forget how to read, however many shapes they define", () => {
    for (let n = 0; n < 3_000; n++) {
      const name = Buffer.from(`s${n}`).toString("hex")
      read(Buffer.from(`d4724091${(0xa0 + name.length / 2).toString(16)}${name}01`, "hex"))
    }
    expect(itemsOf(join([{ a: 1 }, { a: 2 }]))).toStrictEqual([{ a: 1 }, { a: 2 }])
  })

  it("of any kind are read or refused, never thrown at us", () => {
    const tokens = fc.constantFrom(
      0x40,
      0x41,
      0x81,
      0x91,
      0xa1,
      0xc1,
      0xd4,
      0x72,
      0xd6,
      0x62,
      0xdb,
      0xdc,
      0xcb,
      0x01,
      0x00,
    )
    const bytes = fc.array(fc.oneof(tokens, fc.nat(255)), { maxLength: 200 })
    fc.assert(
      fc.property(bytes, (bytes) => {
        const result = readMsgpack(Buffer.from(bytes))
        if (isMalformed(result)) expect(result.why).not.toBe("")
        else expect(JSON.stringify(result.value)).toBeTypeOf("string")
      }),
      { numRuns: 20_000 },
    )
  })
})
