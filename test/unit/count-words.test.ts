// The pure part of the word-counting example, against an oracle that reads byte by byte, and against the real `wc`.

import { spawnSync } from "node:child_process"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { BadArguments, readArguments } from "../../examples/count-words/arguments.ts"
import { LineCutter, type Piece } from "../../examples/count-words/lines.ts"
import {
  addPart,
  asciiRule,
  countWords,
  describePart,
  nothingYet,
  type Rule,
  ruleOf,
  utf8Rule,
} from "../../examples/count-words/words.ts"

const of = (...parts: ReadonlyArray<string>) => fc.constantFrom(...parts).map((part) => Buffer.from(part))
const ascii = of(..." \t\n\v\f\r\n\r\n ab~!\0\x1f\x7f")
const wide = of("é", "—", "😀", "\u00a0", "\u2003", "\u3000", "\u2060")
/** Alone or in the wrong place these are no characters; together they make none that a version of Unicode lacks. */
const stray = fc.constantFrom(0x80, 0xa0, 0xc0, 0xc2, 0xe2, 0xff).map((byte) => Buffer.from([byte]))
const anyByte = fc.integer({ min: 0, max: 255 }).map((byte) => Buffer.from([byte]))
/** A stretch of a word that has nothing printable in it, longer than a part. */
const mute = fc.integer({ min: 1, max: 40 }).map((length) => Buffer.alloc(length))
const mixed = (other: fc.Arbitrary<Buffer>) =>
  fc
    .array(
      fc.oneof(
        { weight: 4, arbitrary: ascii },
        { weight: 2, arbitrary: wide },
        { weight: 1, arbitrary: fc.oneof(other, mute) },
      ),
      {
        maxLength: 200,
      },
    )
    .map((parts) => Buffer.concat(parts))

/** Bytes that like to be next to each other in unlucky ways. */
const bytes = mixed(anyByte)

const rules: ReadonlyArray<readonly [string, Rule]> = [
  ["C", asciiRule],
  ["UTF-8", utf8Rule],
]

/** Words in the C locale, the way `wc` walks: a state and one byte after the other. */
const wordsByHand = (buffer: Buffer): number => {
  let words = 0
  let inWord = false
  for (const byte of buffer) {
    if (byte === 32 || (byte >= 9 && byte <= 13)) inWord = false
    else if (byte > 32 && byte < 127) {
      if (!inWord) words++
      inWord = true
    }
  }
  return words
}

const wc = (buffer: Buffer, locale: string): number =>
  Number(spawnSync("wc", ["-w"], { input: buffer, env: { ...process.env, LC_ALL: locale } }).stdout.toString())

const pieces = (rule: Rule, most: number, chunks: ReadonlyArray<Buffer>): ReadonlyArray<Piece> => {
  const cutter = new LineCutter(rule, most)
  return [...chunks.flatMap((chunk) => [...cutter.push(chunk)]), ...cutter.end()]
}

const chunked = (buffer: Buffer, size: number): ReadonlyArray<Buffer> =>
  Array.from({ length: Math.ceil(buffer.length / size) }, (_, index) =>
    buffer.subarray(index * size, (index + 1) * size),
  )

/** What the reader makes of it: whole lines are counted, parts are added up. */
const countByPieces = (all: ReadonlyArray<Piece>, rule: Rule): number => {
  let words = 0
  let sum = nothingYet
  let long = false
  for (const { text, last } of all) {
    if (last && !long) words += countWords(text, rule)
    else sum = addPart(sum, describePart(text, rule))
    long = !last
    if (!last) continue
    words += sum.words
    sum = nothingYet
  }
  return words
}

describe("counting words", () => {
  it("in the C locale finds what walking byte by byte finds", () => {
    fc.assert(
      fc.property(bytes, (buffer) => {
        expect(countWords(buffer.toString("latin1"), asciiRule)).toBe(wordsByHand(buffer))
      }),
    )
  })

  for (const [name, rule] of rules) {
    it(`in the ${name} locale comes to the same however the bytes are cut into chunks and lines into parts`, () => {
      const size = fc.integer({ min: 1, max: 30 })
      fc.assert(
        fc.property(bytes, size, size, (buffer, chunkSize, most) => {
          const all = pieces(rule, most + 3, chunked(buffer, chunkSize))
          expect(countByPieces(all, rule)).toBe(countWords(buffer.toString("latin1"), rule))
        }),
        { numRuns: 1_000 },
      )
    })
  }

  // Newer versions of wc take unprintable words for words; this machine may have no wc, or another.
  const asOld = wc(Buffer.from("\x01 \x02"), "C") === 0
  it.runIf(asOld)("in the C locale finds what `wc -w` finds, whatever the bytes", () => {
    fc.assert(
      fc.property(bytes, (buffer) => {
        expect(countWords(buffer.toString("latin1"), asciiRule)).toBe(wc(buffer, "C"))
      }),
      { numRuns: 60 },
    )
  })

  const hasUtf8 = wc(Buffer.from("a \u2014 b"), "C.UTF-8") === 3
  it.runIf(asOld && hasUtf8)("in a UTF-8 locale finds what `wc -w` finds in text with stray bytes", () => {
    fc.assert(
      fc.property(mixed(stray), (buffer) => {
        expect(countWords(buffer.toString("latin1"), utf8Rule)).toBe(wc(buffer, "C.UTF-8"))
      }),
      { numRuns: 100 },
    )
  })

  it("follows the locale as wc does", () => {
    expect(ruleOf({ LANG: "en_US.UTF-8" })).toBe(utf8Rule)
    expect(ruleOf({ LANG: "en_US.UTF-8", LC_ALL: "C" })).toBe(asciiRule)
    expect(ruleOf({ LC_CTYPE: "C.utf8", LC_ALL: "" })).toBe(utf8Rule)
    expect(ruleOf({})).toBe(asciiRule)
  })
})

describe("cutting lines", () => {
  it("gives back every byte, with no piece longer than it may be and no empty part", () => {
    const size = fc.integer({ min: 1, max: 30 })
    fc.assert(
      fc.property(bytes, size, size, (buffer, chunkSize, spare) => {
        const most = spare + 3
        const all = pieces(utf8Rule, most, chunked(buffer, chunkSize))
        const unended = buffer.length > 0 && buffer.at(-1) !== 10
        const text = all.map((piece) => piece.text + (piece.last ? "\n" : "")).join("")
        expect(text).toBe(buffer.toString("latin1") + (unended ? "\n" : ""))
        for (const piece of all) {
          expect(piece.text.length).toBeLessThanOrEqual(most)
          expect(piece.last || piece.text !== "").toBe(true)
        }
      }),
    )
  })

  it("keeps the characters of UTF-8 whole", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), fc.integer({ min: 4, max: 9 }), (text, most) => {
        for (const piece of pieces(utf8Rule, most, chunked(Buffer.from(text), 7)))
          expect(Buffer.from(piece.text, "latin1").toString("utf8")).not.toContain("\ufffd")
      }),
    )
  })
})

describe("the command line", () => {
  it("has defaults", () => {
    expect(readArguments([])).toEqual({ help: false, broker: "embedded", workers: 4, json: false, files: [] })
  })

  it("refuses what it does not know, and says what it wants", () => {
    expect(() => readArguments(["--colour"])).toThrow(BadArguments)
    expect(() => readArguments(["--broker", "kafka"])).toThrow("want embedded, rabbitmq, amqp://")
    expect(() => readArguments(["--workers", "0"])).toThrow("from 1 to 64")
    expect(() => readArguments(["--workers", "2.5"])).toThrow("from 1 to 64")
  })
})
