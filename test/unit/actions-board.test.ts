// The goals of one node: who is told what, and how much is remembered (docs/semantics.md, "Actions").

import { describe, expect, it } from "vitest"
import { Board } from "../../src/actions/board.ts"
import type { Run } from "../../src/actions/run.ts"
import type { Parcel, Refusal } from "../../src/messaging/lane.ts"
import type { Node } from "../../src/messaging/node.ts"
import type { GoalOrder } from "../../src/wire/goal-item.ts"

const kind = { to: "acme.a.1.v1", name: "move" }
const minute = 60_000

interface Report {
  readonly k: string
  readonly i: number
  readonly s?: string
  readonly p?: unknown
  readonly v?: unknown
}

/** A node of which nothing is there but what a board uses. */
const world = () => {
  let now = 1_000
  let ids = 0
  const due = new Set<{ readonly at: number; readonly expire: () => void }>()
  const parcels: Array<{ readonly queue: string; readonly parcel: Parcel }> = []
  const lists: Array<ReadonlyArray<{ readonly id: string }>> = []
  const node = {
    id: "me",
    nextId: () => ++ids,
    now: () => now,
    log: () => {},
    watchPeer: () => () => {},
    deadlines: {
      add: (at: number, expire: () => void) => {
        const entry = { at, expire, cancel: () => void due.delete(entry) }
        due.add(entry)
        return entry
      },
    },
    post: {
      inbox: (queue: string) => queue,
      mail: (queue: string, parcel: Parcel) => void parcels.push({ queue, parcel }) === undefined,
      answer: (_: unknown, { value }: { readonly value: ReadonlyArray<{ readonly id: string }> }) => lists.push(value),
    },
  } as unknown as Node
  const board = new Board(node)
  let count = 0
  const order = (given: Partial<GoalOrder>, from = "reader") =>
    board.take({ kind: "goal-order", id: 9, order: "watch", replyTo: `inbox of ${from}`, ...kind, ...given }, from)
  return {
    board,
    order,
    /** A goal that runs, of a sender who follows it under the number 1. */
    begin: (): Run => {
      const sender = { node: "sender", id: 1, queue: "inbox of sender" }
      const run = board.add({ key: `key ${++count}`, ...kind, sender, abandon: false })
      run.step({ type: "accept" })
      run.step({ type: "start" })
      run.tell()
      return run
    },
    /** What was sent to a queue since the last look; the broker has it. */
    reports: (queue: string, refusal?: Refusal): ReadonlyArray<Report> => {
      const theirs = parcels.filter((each) => each.queue === queue)
      for (const each of theirs) parcels.splice(parcels.indexOf(each), 1)
      for (const { parcel } of theirs) parcel.settled(refusal)
      return theirs.map(({ parcel }) => JSON.parse(parcel.content as string))
    },
    list: (): ReadonlyArray<string> => {
      order({ order: "list" })
      return lists.pop()!.map(({ id }) => id)
    },
    pass: (ms: number) => {
      now += ms
      for (const entry of [...due]) if (entry.at <= now && due.delete(entry)) entry.expire()
    },
    waiting: () => due.size,
  }
}
const succeed = (run: Run, value: unknown = "done") => run.end("finish", { tag: "value", value })

describe("a node remembers", () => {
  it("a goal for five minutes after it ended", () => {
    const { begin, order, reports, pass, list, board } = world()
    const run = begin()
    succeed(run)
    pass(4.9 * minute)
    order({ goal: run.id })
    expect(reports("inbox of reader")).toMatchObject([{ k: "g", i: 9, s: "succeeded", v: "done" }])
    pass(0.1 * minute)
    order({ goal: run.id })
    expect(reports("inbox of reader")).toMatchObject([{ k: "g", i: 9, s: "unknown" }])
    expect([list(), board.of("key 1")]).toStrictEqual([[], undefined])
  })

  it("the last 1,000 that ended, and all that run", () => {
    const { begin, list } = world()
    const running = begin()
    const ended = Array.from({ length: 1_010 }, begin)
    for (const run of ended) succeed(run)
    expect(list()).toStrictEqual([running, ...ended.slice(10)].map(({ id }) => id))
  })

  it("no more than 16 MiB of what they ended with; the last one in any case", () => {
    const { begin, list } = world()
    const [first, second, third] = [begin(), begin(), begin()]
    succeed(first, "x".repeat(7 * 2 ** 20))
    succeed(second, "x".repeat(7 * 2 ** 20))
    expect(list()).toHaveLength(3)
    succeed(third, "x".repeat(15 * 2 ** 20))
    expect(list()).toStrictEqual([third.id])
  })

  it("none that was rejected, and nothing once it stops", () => {
    const { begin, board, list, waiting } = world()
    const refused = board.add({ key: "refused", ...kind, sender: undefined, abandon: false })
    refused.step({ type: "reject" })
    expect([list(), board.of("refused")]).toStrictEqual([[], undefined])
    succeed(begin())
    board.close()
    expect([list(), waiting()]).toStrictEqual([[], 0])
  })
})

describe("who follows a goal", () => {
  it("is told each status, and the newest feedback before the last one", () => {
    const { begin, reports } = world()
    const run = begin()
    run.feedback(0)
    run.cancel()
    run.end("finish", { tag: "value", value: [0] })
    expect(reports("inbox of sender").map(({ k, s, p, v }) => [k, s ?? p, v])).toStrictEqual([
      ["g", "executing", undefined],
      ["b", 0, undefined],
      ["g", "canceling", undefined],
      ["g", "canceled", [0]],
    ])
  })

  it("has at most 16 feedbacks on their way, and then is sent the newest", () => {
    const { begin, reports } = world()
    const run = begin()
    reports("inbox of sender")
    for (let n = 0; n < 1_000; n++) run.feedback(n)
    expect(reports("inbox of sender").map(({ p }) => p)).toStrictEqual(Array.from({ length: 16 }, (_, n) => n))
    expect(reports("inbox of sender").map(({ p }) => p)).toStrictEqual([999])
    expect(reports("inbox of sender")).toStrictEqual([])
  })

  it("has the newest feedback before the end, however much is on its way", () => {
    const { begin, reports } = world()
    const run = begin()
    for (let n = 0; n < 1_000; n++) run.feedback(n)
    succeed(run)
    expect(
      reports("inbox of sender")
        .slice(-2)
        .map(({ s, p }) => s ?? p),
    ).toStrictEqual([999, "succeeded"])
  })

  it("is told how it stands when it comes later, the newest feedback included", () => {
    const { begin, order, reports } = world()
    const run = begin()
    run.feedback("half")
    order({ goal: run.id })
    expect(reports("inbox of reader").map(({ i, s, p }) => [i, s ?? p])).toStrictEqual([
      [9, "half"],
      [9, "executing"],
    ])
    succeed(run)
    expect(reports("inbox of reader").map(({ s }) => s)).toStrictEqual(["succeeded"])
  })

  it("is told no more when it has not asked again for two minutes, and at its new inbox when it has another", () => {
    const { begin, order, reports, pass } = world()
    const run = begin()
    order({ goal: run.id }, "a")
    order({ goal: run.id }, "b")
    reports("inbox of sender")
    pass(1.5 * minute)
    order({ goal: run.id, replyTo: "new inbox of b" }, "b")
    pass(1 * minute)
    for (const queue of ["inbox of a", "inbox of b", "new inbox of b"]) reports(queue)
    succeed(run)
    const toldNow = ["inbox of sender", "inbox of a", "inbox of b", "new inbox of b"].map(
      (queue) => reports(queue).length,
    )
    expect(toldNow).toStrictEqual([0, 0, 0, 1])
  })

  it("takes the place of another when there are many; the sender keeps its own", () => {
    const { begin, order, reports } = world()
    const run = begin()
    for (let n = 0; n < 100; n++) order({ goal: run.id }, `reader ${n}`)
    for (let n = 0; n < 100; n++) reports(`inbox of reader ${n}`)
    reports("inbox of sender")
    succeed(run)
    const told = Array.from({ length: 100 }, (_, n) => n).filter((n) => reports(`inbox of reader ${n}`).length > 0)
    expect(told).toStrictEqual(Array.from({ length: 15 }, (_, n) => 85 + n))
    expect(reports("inbox of sender")).toHaveLength(1)
  })

  it("who sent it and never heard of it has it canceled when it leaves; anybody else just leaves", () => {
    const { begin, order, reports } = world()
    const run = begin()
    order({ goal: run.id })
    order({ goal: run.id, order: "leave" })
    expect(run.status).toBe("executing")
    reports("inbox of reader")
    order({ goal: run.id, order: "leave", id: 1, to: "?", name: "?" }, "sender")
    expect(run.status).toBe("canceling")
    run.end("finish", undefined)
    expect(reports("inbox of reader")).toStrictEqual([])
  })
})
