// How many of those that wait are handled at once: the decision, and a mailbox's agenda that carries it out (promise 5).

import { Clock, Effect } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Agenda, inHand, type Portions } from "../../src/messaging/agenda.ts"
import { Deadlines } from "../../src/messaging/deadlines.ts"
import type { Feed } from "../../src/messaging/feed.ts"
import { gather } from "../../src/messaging/gathering.ts"
import type { Hand } from "../../src/messaging/hand.ts"
import { type Desk, Job } from "../../src/messaging/job.ts"
import type { Node } from "../../src/messaging/node.ts"
import { Turn } from "../../src/messaging/turn.ts"
import { Workbench } from "../../src/messaging/workbench.ts"
import { frozen, pass, turn } from "./embedded-fixture.ts"

const portion = fc.record({ max: fc.integer({ min: 1, max: 1000 }), within: fc.nat(60_000) })
const run = fc.record({ length: fc.integer({ min: 1, max: 1000 }), closed: fc.boolean(), since: fc.nat(1e6) })

describe("how many are handled at once", () => {
  it("is never more than max nor than there are, and somebody waits only for what may still come in time", () => {
    fc.assert(
      fc.property(portion, run, fc.nat(2e6), (portion, run, now) => {
        const gathered = gather(portion, run, now)
        if ("take" in gathered) {
          expect(gathered.take).toBe(Math.min(run.length, portion.max))
        } else {
          expect(run.closed || run.length >= portion.max).toBe(false)
          expect(gathered.until).toBeGreaterThan(now)
          expect(gathered.until - run.since).toBe(portion.within)
        }
      }),
    )
  })

  it("is what is there when nothing is waited for, or the clock was set back", () => {
    expect(gather({ max: 9, within: 0 }, { length: 3, closed: false, since: 5 }, 5)).toEqual({ take: 3 })
    expect(gather({ max: 9, within: 10 }, { length: 3, closed: false, since: 5 }, 4)).toEqual({ take: 3 })
  })

  it("has to be in hand: twice what is handled at once, and 2,000 at most", () => {
    const portions = (...max: ReadonlyArray<number>) => new Map(max.map((max, n) => [`${n}`, { max, within: 0 }]))
    expect(inHand(portions(10, 30), 1)).toBe(60)
    expect(inHand(portions(10, 30), 4)).toBe(240)
    expect(inHand(portions(30), Number.POSITIVE_INFINITY)).toBe(2_000)
  })
})

const portions: Portions = new Map([["save", { max: 4, within: 50 }]])

/** What is begun is kept as its ids, one list for each turn of the mailbox. */
const open = Effect.gen(function* () {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const node = { now: () => clock.currentTimeMillisUnsafe(), deadlines: new Deadlines(clock), stopping: false }
  const feed = { isAhead: () => false, newestBegun: 0 }
  const bench = new Workbench(1)
  const begun: Array<ReadonlyArray<number>> = []
  const proceed = () => {
    for (let next = agenda.next(portions); next !== undefined; next = agenda.next(portions)) {
      const jobs = next instanceof Turn ? [] : next instanceof Job ? [next] : next
      begun.push(jobs.map(({ item }) => item.id))
    }
  }
  const agenda = new Agenda({
    node: node as unknown as Node,
    feed: feed as unknown as Feed,
    bench,
    ordered: true,
    wake: proceed,
  })
  let count = 0
  const tell = (name: string, { begun = 0, alone = false } = {}) => {
    count++
    const hand = { order: count, since: node.now() } as Hand
    const job = new Job({ kind: "tell", node: "n", id: count, name, payload: 1 }, hand, begun, {} as Desk)
    job.alone = alone
    agenda.add(job)
    proceed()
  }
  const other = () => {
    agenda.add(
      new Turn(
        async () => {},
        () => true,
      ),
    )
    proceed()
  }
  yield* turn
  return { agenda, node, begun, tell, other, proceed }
})

describe("an agenda", () => {
  it("gathers messages of one name until there are enough of them (5)", () =>
    frozen(
      Effect.gen(function* () {
        const { tell, begun } = yield* open
        for (let n = 0; n < 6; n++) tell("save")
        expect(begun).toStrictEqual([[1, 2, 3, 4]])
      }),
    ))

  it("waits for others as long as it may from when the first came, and no longer", () =>
    frozen(
      Effect.gen(function* () {
        const { tell, begun } = yield* open
        tell("save")
        yield* pass(30)
        tell("save")
        yield* pass(10)
        expect(begun).toStrictEqual([])
        yield* pass(20)
        expect(begun).toStrictEqual([[1, 2]])
        tell("save")
        yield* pass(70)
        expect(begun).toStrictEqual([[1, 2], [3]])
      }),
    ))

  it("lets nothing be overtaken: another message, or a turn, closes what was gathered (5)", () =>
    frozen(
      Effect.gen(function* () {
        const { tell, begun, other } = yield* open
        tell("save")
        tell("save")
        expect(begun).toStrictEqual([])
        tell("clear")
        expect(begun).toStrictEqual([[1, 2], [3]])
        tell("save")
        other()
        expect(begun).toStrictEqual([[1, 2], [3], [4], []])
      }),
    ))

  it("takes alone what may have been begun before, and what has failed with others (6)", () =>
    frozen(
      Effect.gen(function* () {
        const { tell, begun } = yield* open
        tell("save")
        tell("save", { begun: 1 })
        tell("save", { alone: true })
        expect(begun).toStrictEqual([[1], [2], [3]])
      }),
    ))

  it("waits for nobody once it finishes, and begins nothing new (11)", () =>
    frozen(
      Effect.gen(function* () {
        const { agenda, node, tell, begun, proceed } = yield* open
        tell("save")
        tell("save")
        agenda.finish()
        proceed()
        expect(begun, "they were not begun before").toStrictEqual([])
        agenda.goOn()
        node.stopping = true
        proceed()
        expect(begun).toStrictEqual([])
        expect(agenda.forgetMail().map(({ item }) => item.id)).toStrictEqual([1, 2])
        expect(node.deadlines.size, "nothing is waited for any more").toBe(0)
      }),
    ))
})
