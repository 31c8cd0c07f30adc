// Things by number: what a Map would do, whatever the numbers are.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Numbered } from "../../src/messaging/numbered.ts"

/** Many that share a place, and some from far away. */
const number = fc.oneof(
  fc.nat(9),
  fc.nat(5).map((round) => round * 4096 + 7),
  fc.maxSafeInteger(),
)

describe("numbered things", () => {
  it("are found under their own number until they are taken out, and under no other", () => {
    const step = fc.record({ number, how: fc.constantFrom("add", "delete") })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const numbered = new Numbered<object>()
        const map = new Map<number, object>()
        for (const { number, how } of steps) {
          if (how === "delete") {
            numbered.delete(number)
            map.delete(number)
          } else if (!map.has(number)) {
            const thing = { number }
            numbered.add(number, thing)
            map.set(number, thing)
          }
          expect(numbered.size).toBe(map.size)
          for (const each of steps) expect(numbered.get(each.number)).toBe(map.get(each.number))
        }
        expect(new Set(numbered.values())).toStrictEqual(new Set(map.values()))
      }),
      { numRuns: 500 },
    )
  })
})
