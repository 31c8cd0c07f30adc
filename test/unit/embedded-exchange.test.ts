// Routing of the embedded broker, compared with an oracle that says the rule and nothing else.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Exchange } from "../../src/broker/embedded/exchange.ts"
import { wordsOf } from "../../src/protocol/topic.ts"
import { oracle } from "./topic-oracle.ts"

const key = fc.array(fc.constantFrom("a", "b", ""), { maxLength: 7 })
const pattern = fc.array(fc.constantFrom("a", "b", "", "*", "#"), { maxLength: 6 })

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
