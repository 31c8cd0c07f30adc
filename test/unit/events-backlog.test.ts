// What waits for one subscriber, compared with a model that is a plain list (promise 10).

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Arrival } from "../../src/events/arrival.ts"
import { Backlog, type Waiting } from "../../src/events/backlog.ts"

const arrival = (offset: number, bytes = 1) => ({ offset, bytes }) as Arrival
const offsets = (taken: ReadonlyArray<Waiting>) => taken.map(({ event }) => event.offset)

interface Model {
  readonly event: Arrival
  begun: number
  gap: boolean
}

type Step =
  | { readonly do: "push"; readonly bytes: number }
  | { readonly do: "take"; readonly count: number }
  | { readonly do: "putBack" }
  | { readonly do: "lose" }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("push" as const), bytes: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("take" as const), count: fc.integer({ min: 1, max: 4 }) }) },
  fc.constant({ do: "putBack" as const }),
  fc.constant({ do: "lose" as const }),
)

describe("the backlog of a subscriber", () => {
  it("keeps the newest that fit, in order, and tells of all that were left out before the next one", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const bounds = { items: 5, bytes: 20 }
        const backlog = new Backlog(bounds)
        const model: Array<Model> = []
        let held: ReadonlyArray<Waiting> = []
        let [count, dropped, toldDropped, gaps, toldGaps, gapNext] = [0, 0, 0, 0, 0, false]
        const size = () => model.reduce((sum, { event }) => sum + event.bytes, 0)
        for (const each of steps) {
          switch (each.do) {
            case "push": {
              while (model.length > 0 && (model.length >= bounds.items || size() + each.bytes > bounds.bytes)) {
                model.shift()
                dropped++
              }
              const event = arrival(count++, each.bytes)
              model.push({ event, begun: 0, gap: gapNext })
              if (gapNext) gaps++
              gapNext = false
              backlog.push(event, 0)
              break
            }
            case "take": {
              held = backlog.take(each.count)
              expect(offsets(held)).toStrictEqual(model.splice(0, each.count).map(({ event }) => event.offset))
              for (const waiting of held) {
                toldDropped += waiting.dropped
                if (waiting.gap) toldGaps++
                waiting.dropped = 0
                waiting.gap = false
              }
              break
            }
            case "putBack":
              backlog.putBack(held)
              model.unshift(...held.map(({ event, begun }) => ({ event, begun, gap: false })))
              held = []
              break
            case "lose":
              backlog.lose()
              gapNext = true
          }
          expect(backlog.length).toBe(model.length)
          expect(backlog.first?.event.offset).toBe(model[0]?.event.offset)
        }
        for (const waiting of backlog.take(Number.MAX_SAFE_INTEGER)) {
          toldDropped += waiting.dropped
          if (waiting.gap) toldGaps++
        }
        // What was dropped, or lost, after the last that was taken is told with the next.
        expect(toldDropped).toBeLessThanOrEqual(dropped)
        if (model.length > 0) expect(toldDropped).toBe(dropped)
        expect(toldGaps).toBeLessThanOrEqual(gaps)
        expect(toldGaps > 0).toBe(gaps > 0 && (model.length > 0 || toldGaps > 0))
      }),
      { numRuns: 2000 },
    )
  })

  it("takes one that is larger than all that may wait, when it is alone", () => {
    const backlog = new Backlog({ items: 3, bytes: 10 })
    backlog.push(arrival(0), 0)
    backlog.push(arrival(1, 100), 0)
    expect(backlog.take(9).map(({ event, dropped }) => [event.offset, dropped])).toStrictEqual([[1, 1]])
    backlog.push(arrival(2), 0)
    expect(backlog.isFull(10)).toBe(true)
    expect(backlog.isFull(9)).toBe(false)
  })

  it("hands out alone what may have crashed somebody", () => {
    const backlog = new Backlog({ items: 9, bytes: 100 })
    for (let n = 0; n < 5; n++) backlog.push(arrival(n), 0)
    expect(backlog.run(3)).toBe(3)
    expect(backlog.run(9)).toBe(5)
    const taken = backlog.take(3)
    taken[0]!.begun = 1
    taken[2]!.alone = true
    backlog.putBack(taken)
    const runs: Array<number> = []
    while (backlog.length > 0) runs.push(backlog.take(backlog.run(9)).length)
    expect(runs).toStrictEqual([1, 1, 1, 2])
  })
})
