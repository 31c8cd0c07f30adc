// MessagePack as batches use it: what comes out is what JSON would have brought, and bytes from outside can do no harm.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { isMalformed } from "../../src/wire/malformed.ts"
import { packBatch, unpack } from "../../src/wire/msgpack.ts"
import { maxDepth, PlainCopy } from "../../src/wire/plain-copy.ts"

const fits = (value: unknown): boolean => {
  try {
    new PlainCopy({ value })
    return true
  } catch {
    return false
  }
}
const pack = (values: ReadonlyArray<unknown>): Buffer => {
  const copies = values.map((value) => new PlainCopy({ value }).value)
  const body = packBatch("n", copies)
  if (body === undefined) throw new Error("not for MessagePack")
  return body
}
const read = (body: Buffer): unknown => {
  const result = unpack(body)
  if (isMalformed(result)) throw new Error(result.why)
  return result.value
}
const valuesOf = (body: Buffer): ReadonlyArray<unknown> => {
  const { node, items } = read(body) as { node: unknown; items: ReadonlyArray<{ value: unknown }> }
  expect(node).toBe("n")
  return items.map(({ value }) => value)
}
const why = (body: Buffer | string): string => {
  const result = unpack(typeof body === "string" ? Buffer.from(body, "hex") : body)
  return isMalformed(result) ? result.why : `it was read: ${JSON.stringify(result.value)?.slice(0, 100)}`
}
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
const nested = (depth: number): unknown => JSON.parse(`${"[".repeat(depth)}1${"]".repeat(depth)}`)

const key = fc.oneof(
  fc.constantFrom(
    "id",
    "name",
    "",
    "__proto__",
    "__keys__",
    "hasOwnProperty",
    "length",
    "valueOf",
    'a"b',
    "1",
    "ä",
    "x".repeat(300),
    "toString",
  ),
  fc.string({ unit: "binary", maxLength: 12 }),
)
const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    "é".repeat(12),
    "é".repeat(13),
    "x".repeat(12),
    "x".repeat(13),
    "€😀",
    "y".repeat(4_000),
    "é".repeat(3_000),
    "x".repeat(70_000),
  ),
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
    let [all, packed] = [0, 0]
    fc.assert(
      fc.property(fc.array(tree, { maxLength: 12 }), (values) => {
        const fit = values.filter(fits)
        all += values.length
        packed += fit.length
        const items = valuesOf(pack(fit))
        expect(items).toStrictEqual(fit.map(asJson))
        expect(JSON.stringify(items)).toBe(JSON.stringify(fit)) // the order of the keys too
      }),
      { numRuns: 1000 },
    )
    expect(packed, "most are packed").toBeGreaterThan(all / 3)
  })

  it("comes back the same once its records are read by compiled code", () => {
    const row = (n: number) => ({ id: n, 'k"\\': `${n}`, "line\nbreak": { "": [n], constructor: null } })
    const rows = Array.from({ length: 400 }, (_, n) => row(n))
    for (let round = 0; round < 3; round++) expect(valuesOf(pack(rows))).toStrictEqual(rows)
  })

  it.each([
    ["minus nothing", [-0, 0]],
    ["no prototype", Object.assign(Object.create(null), { a: 1 })],
    ["no keys", [{}, [], {}]],
    ["keys that objects have anyway", { constructor: 1, hasOwnProperty: 2, toJSON: 3, toString: 4, length: 5 }],
    ["65 keys", Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`k${n}`, n]))],
    ["80 different sets of keys", Array.from({ length: 80 }, (_, n) => ({ [`k${n}`]: { [`l${n}`]: {} } }))],
    ["70,000 entries", Array.from({ length: 70_000 }, (_, n) => n)],
    ["70,000 keys", Object.fromEntries(Array.from({ length: 70_000 }, (_, n) => [`k${n}`, n]))],
  ])("may have %s, as in JSON, in a small batch and in a large one", (_, value) => {
    for (const count of [1, 5]) {
      const values = Array.from({ length: count }, () => value)
      expect(valuesOf(pack(values))).toStrictEqual(values.map(asJson))
    }
  })

  const loop: Array<unknown> = []
  loop.push([loop])
  it.each([
    ["a toJSON of its own", { toJSON: () => 1 }],
    ["a toJSON that is not enumerable", Object.defineProperty({}, "toJSON", { value: () => 1 })],
    ["a date", new Date(0)],
    ["an object of a class", new (class Point {})()],
    ["an array of a class", new (class Points extends Array {})()],
    ["a map", new Map()],
    ["a buffer", Buffer.from("x")],
    ["a boxed string", Object("text")],
    ["a bigint", 1n],
    ["a cycle", loop],
    ["undefined", { a: undefined }],
    ["a hole", new Array(1_000_000_000)],
    ["a function", [() => 1]],
    ["a symbol", [Symbol("c")]],
    ["no number", Number.NaN],
    ["a number without end", Number.NEGATIVE_INFINITY],
    ["an own __proto__", JSON.parse('{"__proto__":{"admin":true},"a":1}')],
    ["the key that msgpackr keeps for itself", { __keys__: 1 }],
    ["half of a character", "\ud800"],
    ["half of a character in a key", { "\ud800": 1 }],
    ["half of a character within", "x\ud800y"],
    ["a character in two halves", ["\ud83d", "\ude00"]],
    ["too many levels", nested(maxDepth)],
    ["a getter that throws", Object.defineProperty({}, "a", { get: () => loop[9]!.toString(), enumerable: true })],
  ])("with %s is left to JSON", (_, value) => {
    expect(fits(value)).toBe(false)
    expect(fits([{ a: [value] }])).toBe(false)
  })

  it("may have almost a hundred levels", () => {
    expect(valuesOf(pack([nested(maxDepth - 1)]))).toStrictEqual([nested(maxDepth - 1)])
  })

  it("is left to JSON together with the others when they have too many sets of keys between them", () => {
    const values = (count: number) => Array.from({ length: count }, (_, n) => ({ [`k${n}`]: n }))
    expect(packBatch("n", values(1_100))).toBeUndefined()
    expect(read(packBatch("n", values(1_000))!)).toStrictEqual({ node: "n", items: values(1_000) })
  })

  it("is what it was when it was copied, whatever happens to the original", () => {
    const original = { list: [1, { deep: "before" }], gone: true } as Record<string, unknown>
    const copy = new PlainCopy(original)
    ;(original.list as Array<unknown>).push(() => "after")
    ;((original.list as Array<unknown>)[1] as { deep: unknown }).deep = "after"
    delete original.gone
    expect(copy.value).toStrictEqual({ list: [1, { deep: "before" }], gone: true })
    expect(original).not.toHaveProperty("gone")
  })

  it("has no property but what JSON writes", () => {
    const value = Object.defineProperty({ a: 1, [Symbol("s")]: 2 }, "hidden", { value: 3 })
    expect(valuesOf(pack([value, value, value, value]))).toStrictEqual(Array.from({ length: 4 }, () => ({ a: 1 })))
  })

  it("is guessed to be about as large as it is, so that a batch is no larger than it may be", () => {
    fc.assert(
      fc.property(tree.filter(fits), (value) => {
        const { bytes } = new PlainCopy({ value })
        const more = pack([value, value]).length - pack([value]).length
        expect(more).toBeLessThanOrEqual(3 * bytes)
        expect(bytes).toBeLessThanOrEqual(10 * more)
      }),
    )
  })

  it("may have more text than one bundle of strings holds, in any script", () => {
    const texts = ["plain ".repeat(200), "żółć ".repeat(200), "日本".repeat(300), "😀".repeat(300), "é".repeat(900)]
    const values = Array.from({ length: 64 }, (_, n) => ({ n, texts, [`t${n % 3}`]: texts[n % 5] }))
    expect(valuesOf(pack(values))).toStrictEqual(values)
  })

  it("costs its keys once per batch, however many objects have them", () => {
    const row = { identifier: 1, description: "", quantity: 2 }
    const [some, many] = [10, 110].map((count) => pack(Array.from({ length: count }, () => row)).length)
    expect(many! - some!).toBe(100 * 5 + 2)
  })

  it("looks as the page about the wire says", () => {
    const items = (count: number) =>
      Array.from({ length: count }, (_, n) => ({ k: "t", i: n + 1, n: "add", p: { amount: 2 } }))
    expect(packBatch("n", items(1))!.toString("hex")).toBe(
      "82a46e6f6465a16ea56974656d739184a16ba174a16901a16ea3616464a17081a6616d6f756e7402",
    )
    expect(packBatch("n", items(4))!.toString("hex")).toBe(
      "d4724092d66200000043c104c105a16e94d4724194a16ba169a16ea170a17401a3616464d4724291c1060241a17402a3616464420241" +
        "a17403a3616464420241a17404a36164644202a0af6e6f64656974656d73616d6f756e74",
    )
  })

  it("is in a body of its own: the next batch does not write over it", () => {
    const first = pack(["first"])
    const before = Buffer.from(first)
    pack(["other"])
    pack(["x".repeat(3_000_000)])
    pack(["other"])
    expect(first).toStrictEqual(before)
    expect(first.length).toBe(before.length)
  })
})

describe("bytes from outside", () => {
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
    ["a shape of too many keys", `d47240dcffff${"a161".repeat(65_535)}`],
    ["a map whose key is an object", "818001"],
    ["a bundled string without a bundle", "c101"],
    ["bundled strings somewhere else", "d662ffffffffc0"],
    ["bundled strings before themselves", "d66200000000c0a0db00000000"],
    ["something after it", "c0c0"],
    ["nothing", ""],
  ])("are refused when they hold %s", (_, hex) => {
    expect(why(hex)).toMatch(/^the body is not MessagePack: /)
  })

  it.each([
    ["a shape that nobody defined", "41"],
    ["a shape whose key is a number", "d472409101c0"],
    ["a shape whose key is no UTF-8", "d4724091a1ffc0"],
    ["a string that is no UTF-8", "a1ff"],
    ["bundled strings that are no UTF-8", "d66200000006c101a0db00000002c328"],
    ["a bundled string of a negative length", "d66200000006c1ffa0db0000000161"],
    ["more bundled strings than are used", "d66200000006c101a0db000000026161"],
    ["half of a bundled character", "d66200000006c101a0db00000004f09f9880"],
    ["a bundled string of four thousand million", "d6620000000ac1ceffffffffa0db00000000"],
  ])("are read as something harmless when they hold %s", (_, hex) => {
    expect(why(hex)).toMatch(/^it was read/)
  })

  it.each([
    ["an array of four thousand million", "ddffffffff"],
    ["a map of four thousand million", "dfffffffff"],
    ["a string of four thousand million", "dbffffffff"],
    ["arrays in arrays that are all said to be long", "dd00ffffff".repeat(100_000)],
    ["a hundred thousand levels", "91".repeat(100_000)],
    ["levels of records", `d4724091a161${"40".repeat(100_000)}`],
    ["definitions in definitions", "d4724091a161".repeat(100_000)],
    ["twenty thousand definitions, each used", `dd00013880${"d4724091a16101400140014001".repeat(20_000)}`],
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
    expect(why(`${"91".repeat(129)}01`)).toMatch(/nested too deep/)
    expect(why(`d4724091a161${"40".repeat(127)}01`)).toMatch(/^it was read/)
    expect(why(`d4724091a161${"40".repeat(128)}01`)).toMatch(/nested too deep/)
  })

  it("change no prototype, whatever their keys are called", () => {
    const map = "81a95f5f70726f746f5f5f81a561646d696ec3"
    const record = "d4724091a95f5f70726f746f5f5f81a561646d696ec3"
    const often = `dc0200${record}${"4081a561646d696ec3".repeat(511)}`
    for (const value of [
      read(Buffer.from(map, "hex")),
      ...(read(Buffer.from(often, "hex")) as ReadonlyArray<object>),
    ]) {
      expect((value as { readonly admin?: boolean }).admin).toBeUndefined()
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    }
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  it("cannot make it forget how to read, however many shapes they define", () => {
    for (let n = 0; n < 3_000; n++) {
      const name = Buffer.from(`s${n}`).toString("hex")
      read(Buffer.from(`d4724091${(0xa0 + name.length / 2).toString(16)}${name}01`, "hex"))
    }
    const values = Array.from({ length: 9 }, (_, a) => ({ a }))
    expect(valuesOf(pack(values))).toStrictEqual(values)
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
        const result = unpack(Buffer.from(bytes))
        if (isMalformed(result)) expect(result.why).not.toBe("")
        else expect(JSON.stringify(result.value)).toBeTypeOf("string")
      }),
      { numRuns: 20_000 },
    )
  })
})
