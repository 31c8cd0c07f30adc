// Which record of a reminder counts, whatever order they come in, and when a reminder is due: pure decisions.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Kept, Ledger } from "../../src/reminders/ledger.ts"
import { occurrence } from "../../src/reminders/occurrence.ts"
import type { ReminderRecord, SetReminder } from "../../src/wire/reminder.ts"

describe("an occurrence", () => {
  const time = fc.nat(1e12)
  const period = fc.integer({ min: 1_000, max: 1e9 })

  it("stands for all that fell due by now, and the next is the first that did not", () => {
    fc.assert(
      fc.property(time, period, fc.nat(1e12), (due, every, late) => {
        const now = due + late
        const { missed, next } = occurrence(due, every, now)
        expect(due + missed * every).toBeLessThanOrEqual(now)
        expect(next).toBeGreaterThan(now)
        expect(next).toBe(due + (missed + 1) * every)
      }),
    )
  })

  it("that was down over five periods has missed four, and one that is due once none", () => {
    expect(occurrence(1_000, 1_000, 5_999)).toEqual({ due: 1_000, missed: 4, last: 5_000, next: 6_000 })
    expect(occurrence(1_000, undefined, 5_999)).toEqual({ due: 1_000, missed: 0, last: 1_000, next: undefined })
    expect(occurrence(1_000, 1_000, 990), "a clock that was set back").toEqual({
      due: 1_000,
      missed: 0,
      last: 1_000,
      next: 2_000,
    })
  })
})

/** What a keeper holds, with the place at which it came into the queue. */
interface Record extends Kept {
  readonly at: number
  readonly copy: boolean
}

type Step =
  | { readonly do: "set" | "forget" | "copy"; readonly name: string }
  /** The keeper takes what is in the queue. */
  | { readonly do: "take" }
  /** It dies; of its acks the broker has got but the first so many. What it held comes back in any order. */
  | { readonly do: "die"; readonly acked: number; readonly order: number; readonly freshFirst: boolean }

const name = fc.constantFrom("a", "b")
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("set", "forget", "copy" as const), name }) },
  { weight: 3, arbitrary: fc.constant({ do: "take" as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("die" as const),
      acked: fc.nat(5),
      order: fc.nat(1_000),
      freshFirst: fc.boolean(),
    }),
  },
)

/** A queue and its keepers, one after the other; each forgets what it knew when it dies. */
class World {
  readonly ledger = new Ledger<Record>(10)
  /** What was asked for last, by name. */
  readonly last = new Map<string, ReminderRecord>()
  #waiting: Array<{ readonly record: ReminderRecord; readonly at: number; readonly copy: boolean; returned: boolean }> =
    []
  readonly #inHand = new Set<Record>()
  /** Acks that the broker may not have got yet. */
  #acks: Array<Record> = []
  #count = 0

  run(step: Step): void {
    if (step.do === "take") return this.take()
    if (step.do === "die") return this.#die(step)
    if (step.do === "copy") return this.#copy(step.name)
    const set = `${++this.#count}`.padStart(6, "0")
    const { name } = step
    const record: ReminderRecord =
      step.do === "forget" ? { op: "forget", name, set } : { op: "set", name, set, due: 1, message: "m", payload: 0 }
    this.last.set(name, record)
    this.#put(record, false)
  }

  /** The keeper writes a record anew, for the next occurrence. */
  #copy(name: string): void {
    const held = this.ledger.all.find(({ record }) => record.name === name)
    if (held?.record.op !== "set") return
    const next: SetReminder = { ...held.record, due: held.record.due + 1, copy: true }
    if (this.last.get(name)?.set === next.set) this.last.set(name, next)
    this.#put(next, true)
  }

  #put(record: ReminderRecord, copy: boolean): void {
    this.#waiting.push({ record, at: this.#count++, copy, returned: false })
  }

  take(): void {
    for (const { record, at, copy, returned } of this.#waiting.splice(0)) {
      const held: Record = { record, at, copy, fresh: !returned && !copy }
      this.#inHand.add(held)
      const admitted = this.ledger.admit(held)
      if (!admitted.kept) this.#acks.push(held)
      else if (admitted.instead !== undefined) this.#acks.push(admitted.instead)
    }
  }

  #die({ acked, order, freshFirst }: Extract<Step, { readonly do: "die" }>): void {
    for (const held of this.#acks.slice(0, acked)) this.#inHand.delete(held)
    const back = [...this.#inHand].map(({ record, at, copy }) => ({ record, at, copy, returned: true }))
    back.sort((a, b) => ((a.at * 7919 + order) % 101) - ((b.at * 7919 + order) % 101))
    this.#waiting = freshFirst ? [...this.#waiting, ...back] : [...back, ...this.#waiting]
    this.ledger.clear()
    this.#inHand.clear()
    this.#acks = []
  }
}

describe("a ledger", () => {
  it("ends with what was asked for last, whoever died in between and in whatever order things came back", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const world = new World()
        for (const each of steps) world.run(each)
        world.take()
        const kept = new Map(world.ledger.all.map(({ record }) => [record.name, record]))
        expect(kept).toEqual(world.last)
      }),
      { numRuns: 2_000 },
    )
  })

  const set = (name: string, set: string, fresh = true): Kept => ({
    record: { op: "set", name, set, due: 1, message: "m", payload: 0 },
    fresh,
  })

  it("lets what came last through the queue count, though the clock of who set it was slow", () => {
    const ledger = new Ledger<Kept>(2)
    ledger.admit(set("a", "9"))
    const slow = set("a", "1")
    expect(ledger.admit(slow)).toMatchObject({ kept: true })
    expect(ledger.admit(set("a", "9", false)), "one that was handed out before").toEqual({ kept: false, why: "older" })
    expect(ledger.counts(slow)).toBe(true)
  })

  it("takes no more names than it may, and again when one is forgotten", () => {
    const ledger = new Ledger<Kept>(2)
    const [a, b] = [set("a", "1"), set("b", "2")]
    expect(ledger.admit(a)).toEqual({ kept: true, instead: undefined })
    expect(ledger.admit(b)).toEqual({ kept: true, instead: undefined })
    expect(ledger.admit(set("c", "3"))).toEqual({ kept: false, why: "full" })
    expect(ledger.admit(set("a", "4")), "in place of another").toEqual({ kept: true, instead: a })
    const forgotten: Kept = { record: { op: "forget", name: "b", set: "5" }, fresh: true }
    expect(ledger.admit(forgotten)).toEqual({ kept: true, instead: b })
    const c = set("c", "6")
    expect(ledger.admit(c)).toEqual({ kept: true, instead: undefined })
    ledger.remove(c)
    expect(ledger.counts(c)).toBe(false)
    expect(ledger.admit(set("b", "7"))).toEqual({ kept: true, instead: forgotten })
    expect(ledger.admit(set("d", "8"))).toEqual({ kept: false, why: "full" })
  })
})
