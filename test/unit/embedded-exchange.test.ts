// Routing of the embedded broker, compared with an oracle that says the rule and nothing else.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Exchange, matches, wordsOf } from "../../src/broker/embedded/exchange.ts"

/** X2 as the specification puts it: `*` is one word, `#` is none, or one and again `#`. */
const oracle = (pattern: ReadonlyArray<string>, words: ReadonlyArray<string>): boolean => {
  const [first, ...rest] = pattern
  if (first === undefined) return words.length === 0
  if (first === "#") return oracle(rest, words) || (words.length > 0 && oracle(pattern, words.slice(1)))
  return words.length > 0 && (first === "*" || first === words[0]) && oracle(rest, words.slice(1))
}

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

type Change = { readonly add: boolean; readonly queue: string; readonly key: string }
const change: fc.Arbitrary<Change> = fc.record({
  add: fc.boolean(),
  queue: fc.constantFrom("q1", "q2", "q3"),
  key: pattern.map((words) => words.join(".")),
})

describe.each(["direct", "topic", "fanout"] as const)("a %s exchange", (type) => {
  const takes = (binding: string, key: string): boolean =>
    type === "fanout" || (type === "direct" ? binding === key : oracle(wordsOf(binding), wordsOf(key)))

  it("leads to each queue with a matching binding once, whatever was bound and unbound before", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(change, key), { maxLength: 12 }), (steps) => {
        const exchange = new Exchange({ name: "x", type })
        const bindings = new Set<string>()
        for (const [{ add, queue, key: binding }, words] of steps) {
          if (add) exchange.bind(queue, binding)
          else exchange.unbind(queue, binding)
          if (add) bindings.add(`${queue} ${binding}`)
          else bindings.delete(`${queue} ${binding}`)
          // Asked after every step, so that a route that was remembered too long is seen.
          const sent = words.join(".")
          const expected = new Set<string>()
          for (const each of bindings) {
            const space = each.indexOf(" ")
            if (takes(each.slice(space + 1), sent)) expected.add(each.slice(0, space))
          }
          expect([...exchange.route(sent)].sort()).toEqual([...expected].sort())
        }
      }),
      { numRuns: 500 },
    )
  })

  it("forgets a deleted queue in all its bindings", () => {
    const exchange = new Exchange({ name: "x", type })
    exchange.bind("q1", "a")
    exchange.bind("q1", "b")
    exchange.bind("q2", "a")
    exchange.route("a")
    exchange.forget("q1")
    expect(exchange.route("a")).toEqual(["q2"])
    expect(exchange.route("b")).toEqual(type === "fanout" ? ["q2"] : [])
  })
})
