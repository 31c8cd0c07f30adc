// Topics and their patterns, compared with an oracle that says the rule and nothing else. test/contract/topics.ts compares
// them with brokers.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { matches, patternProblem, topicProblem, wordsOf } from "../../src/protocol/topic.ts"
import { oracle } from "./topic-oracle.ts"

const key = fc.array(fc.constantFrom("a", "b", ""), { maxLength: 7 })
const pattern = fc.array(fc.constantFrom("a", "b", "", "*", "#"), { maxLength: 6 })

describe("a topic pattern", () => {
  it("matches as the naive oracle does", () => {
    fc.assert(
      fc.property(pattern, key, (pattern, key) => {
        expect(matches(pattern, key)).toBe(oracle(pattern, key))
      }),
      { numRuns: 5000 },
    )
  })

  // Every binding got every key on RabbitMQ 3.10.8; these are what it delivered.
  it.each([
    ["", [""]],
    ["#", ["", ".", "a", "a.", ".a", "a..b", "a.b", ".."]],
    ["*", ["a"]],
    ["*.*", [".", "a.", ".a", "a.b"]],
    ["a.*", ["a.", "a.b"]],
    ["a.#", ["a", "a.", "a..b", "a.b"]],
    [".", ["."]],
    ["#.a.#", ["a", "a.", ".a", "a..b", "a.b"]],
    ["*.#", [".", "a", "a.", ".a", "a..b", "a.b", ".."]],
  ])("'%s' takes %j as RabbitMQ does", (pattern, taken) => {
    const keys = ["", ".", "a", "a.", ".a", "a..b", "a.b", ".."]
    expect(keys.filter((key) => matches(wordsOf(pattern), wordsOf(key)))).toEqual(taken)
  })

  it("does not take for ever over many #", () => {
    expect(
      matches(
        Array(40)
          .fill("#")
          .flatMap((hash) => [hash, "a"]),
        Array(2000).fill("b"),
      ),
    ).toBe(false)
  })
})

describe("a topic", () => {
  it.each(["", "a", "a.b", "eu.west-1.prices", "ü.ß", "with space"])("may be %j", (topic) => {
    expect(topicProblem(topic)).toBeUndefined()
    expect(patternProblem(topic)).toBeUndefined()
  })

  it.each([".", "a.", ".a", "a..b", "a\nb"])("may not be %j, nor may a pattern", (topic) => {
    expect(topicProblem(topic)).toContain("want words")
    expect(patternProblem(topic)).toContain("want words")
  })

  it.each(["*", "#", "a.*", "a*", "#.b"])("may not be %j, which looks like a pattern", (topic) => {
    expect(topicProblem(topic)).toContain("want words")
  })

  it.each(["*", "#", "a.*.b", "#.b", "*.#"])("is chosen by a pattern such as %j", (topic) => {
    expect(patternProblem(topic)).toBeUndefined()
  })

  it.each(["a*", "*#", "a.b#"])("is not chosen by a part of a word such as %j", (topic) => {
    expect(patternProblem(topic)).toContain("any one word")
  })
})
