// What the two ends of a stream say to each other, over a network that delivers, repeats, disorders and loses.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Cancelled, Crashed } from "../../src/protocol/errors.ts"
import { type End, type Pair, pair, settle, small } from "./streams-fixture.ts"

const numbers = (end: End) => end.got.map((item) => Number(item))
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)
const done = { tag: "value", value: undefined } as const

describe("a stream", () => {
  it("brings every item once and in order, however small the window, and then the end", () => {
    const both = pair({ up: false, down: true })
    const { caller, callee } = both
    settle(both)
    expect(caller.opened).toBe(1)
    while (callee.offered < 1000) {
      while (callee.offered < 1000 && callee.offer());
      callee.conversation.ship()
      settle(both)
      while (caller.take());
      settle(both)
    }
    callee.conversation.finish({ tag: "value", value: undefined })
    settle(both)
    expect(numbers(caller)).toStrictEqual(upTo(1000))
    expect([caller.outcomes, callee.outcomes]).toStrictEqual([[done], [done]])
  })

  it("brings the payload up, and one reply back", () => {
    const both = pair({ up: true, down: false })
    const { caller, callee } = both
    settle(both)
    expect(caller.rooms).toBe(1)
    while (caller.offer());
    caller.conversation.complete()
    settle(both)
    expect(numbers(callee)).toStrictEqual(upTo(8))
    expect(callee.completes).toBe(1)
    callee.conversation.finish({ tag: "value", value: 28 })
    settle(both)
    expect(caller.outcomes).toStrictEqual([{ tag: "value", value: 28 }])
  })

  it("holds its sender within the window, and lets an item through that is larger than it", () => {
    const both = pair({ up: false, down: true })
    const { caller, callee } = both
    settle(both)
    while (callee.offer());
    expect(callee.offered).toBe(small.items)
    callee.conversation.ship()
    settle(both)
    expect(callee.conversation.hasRoom).toBe(false)
    while (caller.take());
    settle(both)
    expect(callee.offer(10 * small.bytes)).toBe(true)
    expect(callee.conversation.hasRoom).toBe(false)
    callee.conversation.ship()
    settle(both)
    expect(caller.got).toHaveLength(small.items + 1)
    expect(caller.take()).toBe(true)
    settle(both)
    expect(callee.conversation.hasRoom).toBe(true)
  })

  it("ends the payload when the callee wants no more of it, and goes on", () => {
    const both = pair({ up: true, down: true })
    const { caller, callee } = both
    settle(both)
    caller.offer()
    callee.conversation.stop()
    settle(both)
    expect(caller.unwanted).toBe(1)
    expect(caller.offer()).toBe(false)
    callee.offer()
    callee.conversation.finish(done)
    settle(both)
    expect(numbers(caller)).toStrictEqual([0])
    expect(caller.outcomes).toStrictEqual([done])
  })

  it("is over at both ends as soon as one aborts, though frames before it are still on the way", () => {
    const both = pair({ up: false, down: true })
    const { caller, callee } = both
    settle(both)
    callee.offer()
    callee.conversation.ship()
    callee.wire.length = 0
    caller.conversation.abort(new Cancelled({}))
    settle(both)
    const cancelled = [{ tag: "failed", reason: new Cancelled({}) }]
    expect([caller.outcomes, callee.outcomes]).toStrictEqual([cancelled, cancelled])
    expect(callee.offer()).toBe(false)
  })

  it("shows what was lost, also when nothing comes after it", () => {
    const both = pair({ up: false, down: true })
    const { caller, callee } = both
    settle(both)
    callee.offer()
    callee.conversation.finish({ tag: "failed", reason: new Crashed({ why: "it did" }) })
    callee.wire.splice(0)
    expect(caller.conversation.isMissing).toBe(false)
    caller.hear('{"i":1,"j":2,"r":"inbox","m":"n","q":3}')
    expect(caller.conversation.isMissing).toBe(true)
    expect(caller.outcomes).toStrictEqual([])
  })
})

type Step = (both: Pair, n: number) => void
const ends = ({ caller, callee }: Pair, n: number): readonly [End, End] =>
  n % 2 === 0 ? [caller, callee] : [callee, caller]
/** Frames of a sender that were delivered, for the network to repeat. */
type Past = Map<End, Array<string>>

const deliver = (from: End, to: End, index: number, past: Past): void => {
  const [text] = from.wire.splice(index, 1)
  if (text === undefined) return
  past.set(from, [...(past.get(from) ?? []), text])
  to.hear(text)
}

const steps = (past: Past, lossy: boolean): ReadonlyArray<Step> => [
  (both, n) => void ends(both, n)[0].offer(1 + (n % 12)),
  (both, n) => void ends(both, n)[0].offer(1 + (n % 60)),
  (both, n) => ends(both, n)[0].conversation.ship(),
  (both, n) => void ends(both, n)[0].take(),
  (both, n) => deliver(...ends(both, n), 0, past),
  (both, n) => deliver(...ends(both, n), 0, past),
  // out of order
  (both, n) => deliver(...ends(both, n), n % Math.max(1, ends(both, n)[0].wire.length), past),
  // once more
  (both, n) => {
    const [from, to] = ends(both, n)
    const sent = past.get(from) ?? []
    const again = sent[n % Math.max(1, sent.length)]
    if (again !== undefined) to.hear(again)
  },
  (both, n) => ends(both, n)[0].conversation.compare(),
  ...(lossy ? [(both: Pair, n: number) => void ends(both, n)[0].wire.splice(n % 3, 1)] : []),
]

const schedule = fc.array(fc.tuple(fc.nat(1000), fc.nat(100_000)), { maxLength: 300 })
const shape = fc.constantFrom({ up: true, down: true }, { up: true, down: false }, { up: false, down: true })

/** What holds at any time. */
const check = ({ caller, callee }: Pair): void => {
  for (const [from, to] of [
    [caller, callee],
    [callee, caller],
  ] as const) {
    expect(numbers(to)).toStrictEqual(upTo(to.got.length))
    const taken = to.got.length - to.waiting.reduce((sum, { items }) => sum + items, 0)
    expect(from.offered - taken).toBeLessThanOrEqual(small.items)
    expect(from.outcomes.length).toBeLessThanOrEqual(1)
  }
}

const run = (both: Pair, all: ReadonlyArray<Step>, moves: ReadonlyArray<readonly [number, number]>): void => {
  for (const [which, n] of moves) {
    all[which % all.length]?.(both, n)
    check(both)
  }
}

describe("over a network that repeats and disorders frames", () => {
  it("every item is brought once, in order and within the window, and the stream ends well", () => {
    fc.assert(
      fc.property(shape, schedule, (which, moves) => {
        const both = pair(which)
        const { caller, callee } = both
        run(both, steps(new Map(), false), moves)
        // Whatever happened: everything that was made arrives, and no credit was lost on the way.
        for (let round = 0; round < 5; round++) {
          for (const end of [caller, callee]) {
            while (end.take());
            while (end.offer());
            end.conversation.ship()
          }
          settle(both)
        }
        caller.conversation.complete()
        settle(both)
        callee.conversation.finish({ tag: "value", value: null })
        settle(both)
        check(both)
        expect([caller.got.length, callee.got.length]).toStrictEqual([callee.offered, caller.offered])
        if (which.up) expect(caller.offered).toBeGreaterThan(8)
        if (which.down) expect(callee.offered).toBeGreaterThan(8)
        expect(callee.completes).toBe(which.up ? 1 : 0)
        const end = { tag: "value", value: null }
        expect([caller.outcomes, callee.outcomes]).toStrictEqual([[end], [end]])
      }),
      { numRuns: 500 },
    )
  })
})

describe("over a network that loses frames, too", () => {
  it("nothing is missing unnoticed once the ends have compared what they sent", () => {
    fc.assert(
      fc.property(shape, schedule, fc.boolean(), (which, moves, finish) => {
        const both = pair(which)
        const { caller, callee } = both
        run(both, steps(new Map(), true), moves)
        if (finish && !caller.conversation.isOpening) callee.conversation.finish({ tag: "value", value: null })
        settle(both)
        for (const end of [caller, callee]) end.conversation.compare()
        settle(both)
        check(both)
        for (const [from, to] of [
          [caller, callee],
          [callee, caller],
        ] as const) {
          if (from.conversation.isOver || to.conversation.isOver || caller.conversation.isOpening) continue
          from.conversation.ship()
          settle(both)
          if (to.got.length < from.offered) expect(to.conversation.isMissing).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe("a far end that breaks the rules", () => {
  const head = '{"i":1,"j":2,"r":"inbox"'
  const hostile: ReadonlyArray<readonly [string, string]> = [
    ["items without credit", `${head},"m":"i","q":2,"b":40,"v":[1,2,3,4,5,6,7,8,9]}`],
    ["more bytes than there was credit for", `${head},"m":"i","q":2,"b":80,"v":["${"x".repeat(50)}",1]}`],
    ["items that are larger than they say", `${head},"m":"i","q":2,"b":3,"v":["1234567"]}`],
    ["no items", `${head},"m":"i","q":2,"b":0,"v":[]}`],
    ["items that are no array", `${head},"m":"i","q":2,"b":0,"v":"abc"}`],
    ["bytes below zero", `${head},"m":"i","q":2,"b":-1,"v":[1]}`],
    ["a number far ahead", `${head},"m":"s","q":900000}`],
    ["a number that is none", `${head},"m":"i","q":"2","b":1,"v":[1]}`],
    ["a number below zero", `${head},"m":"i","q":-2,"b":1,"v":[1]}`],
    ["a number that is not whole", `${head},"m":"i","q":2.5,"b":1,"v":[1]}`],
    ["a second opening", `${head},"m":"o","q":2,"c":[1,1]}`],
    ["credit below zero", `${head},"m":"c","q":2,"c":[-5,-5]}`],
    ["credit that is not finite", `${head},"m":"c","q":2,"c":[1e999,1]}`],
    ["credit that is no pair", `${head},"m":"c","q":2,"c":7}`],
    ["credit that is null", `${head},"m":"c","q":2,"c":[null,null]}`],
    ["credit taken back", `${head},"m":"c","q":2,"c":[1,1]}`],
    ["too much credit", `${head},"m":"c","q":2,"c":[9007199254740991,9007199254740991]}`],
    ["an outcome that is none", `${head},"m":"e","q":2,"o":"perhaps"}`],
    ["something unknown", `${head},"m":"z","q":2}`],
    ["nothing at all", `${head}}`],
  ]

  it.each(hostile)("is sent away, and told so: %s", (_, text) => {
    const both = pair({ up: true, down: true })
    settle(both)
    const { caller, callee } = both
    caller.hear(text)
    expect(caller.outcomes).toMatchObject([{ tag: "failed", reason: { _tag: "Disconnected", sent: true } }])
    settle(both)
    expect(callee.outcomes).toHaveLength(1)
  })

  it("may not send what belongs to the other end", () => {
    const calleeHears = (text: string) => {
      const both = pair({ up: false, down: true })
      settle(both)
      both.callee.hear(text)
      return both.callee.outcomes.length
    }
    expect(calleeHears(`${head},"m":"i","q":1,"b":1,"v":[1]}`)).toBe(1)
    expect(calleeHears(`${head},"m":"s","q":1}`)).toBe(1)
    expect(calleeHears(`${head},"m":"e","q":1}`)).toBe(1)
    expect(calleeHears(`${head},"m":"o","q":1}`)).toBe(1)
    expect(calleeHears(`${head},"m":"c","q":1,"c":[20,500]}`)).toBe(0)
  })

  it("is not believed when it opens another kind of stream than was asked for", () => {
    const { caller } = pair({ up: false, down: true })
    caller.hear(`${head},"m":"o","q":1,"c":[5,5]}`)
    expect(caller.outcomes).toHaveLength(1)
    const other = pair({ up: true, down: true }).caller
    other.hear(`${head},"m":"o","q":1}`)
    expect(other.outcomes).toHaveLength(1)
    const third = pair({ up: true, down: true }).caller
    third.hear(`${head},"m":"i","q":1,"b":1,"v":[1]}`)
    expect(third.outcomes).toHaveLength(1)
  })

  it("is not answered without end when both say how much they sent", () => {
    const both = pair({ up: true, down: true })
    settle(both)
    for (const end of [both.caller, both.callee]) end.conversation.compare()
    settle(both)
    expect([both.caller.outcomes, both.callee.outcomes]).toStrictEqual([[], []])
  })

  it("whatever it says, this end is told at most once that it is over, and never throws", () => {
    const said = fc.record(
      {
        m: fc.oneof(fc.constantFrom("o", "i", "c", "s", "e", "a", "n"), fc.jsonValue()),
        q: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.jsonValue()),
        c: fc.oneof(fc.tuple(fc.nat(100), fc.nat(1000)), fc.jsonValue()),
        b: fc.oneof(fc.nat(100), fc.jsonValue()),
        v: fc.oneof(fc.array(fc.jsonValue()), fc.jsonValue()),
        o: fc.oneof(fc.constantFrom("declared", "failed"), fc.jsonValue()),
        y: fc.jsonValue(),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(shape, fc.boolean(), fc.array(said, { maxLength: 20 }), (which, opened, all) => {
        const both = pair(which)
        if (opened) settle(both)
        for (const end of [both.caller, both.callee]) {
          for (const each of all) end.hear(JSON.stringify({ i: 1, j: 2, r: "inbox", ...each }))
          expect(end.outcomes.length).toBeLessThanOrEqual(1)
        }
      }),
    )
  })
})
