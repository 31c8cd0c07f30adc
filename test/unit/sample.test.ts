// The sample runs, and says what it promises; on the broker inside the process.

import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { Db, withEffects, withPromises } from "../../examples/sample.ts"

describe("the sample", () => {
  it("answers with values, with typed errors, and with the state in which a chart refuses", async () => {
    const lines: Array<string> = []
    Db.saved.length = 0
    await withPromises((line) => lines.push(line))
    const [tree, ...said] = lines
    for (const address of ["acme/calculator/plain", "acme/calculator/main", "acme/door/front"]) {
      expect(tree).toContain(`running (${address})`)
    }
    expect(said).toStrictEqual([
      "5 * 7 = 35",
      "too large: 1000000 is the limit",
      "multiplied since the reset: 0",
      "the door is opened",
      expect.stringContaining("Rejected: open is not accepted in state open"),
    ])
    expect(Db.saved, "only what fits is saved").toStrictEqual([35])
  })

  it("does the same with Effects and Layers", async () => {
    Db.saved.length = 0
    expect(await Effect.runPromise(withEffects)).toStrictEqual({ product: 42, limit: 1e6 })
    expect(Db.saved).toStrictEqual([42])
  })
})
