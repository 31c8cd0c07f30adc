// What a node knows of the others: the same whatever way it came, and judged by the observer's clock alone.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Change, changeFor, type Filter, type Transition } from "../../src/presence/listed.ts"
import { apply, due, emptyView, excuse, judge, list, nodes, restart, type View } from "../../src/presence/view.ts"
import type { Beat } from "../../src/wire/beat.ts"
import { aBeat, aMember } from "./presence-fixture.ts"

const self = "me"
const seen = (beats: ReadonlyArray<Beat>, at = 0): View =>
  beats.reduce((view, beat) => apply(view, beat, at).view, emptyView(self))
const shown = (view: View, at = 0) => ({ members: list(view, {}, at), nodes: nodes(view, at) })
const told = (transitions: ReadonlyArray<Transition>, filter: Filter = {}): ReadonlyArray<Change> =>
  transitions.map((transition) => changeFor(filter, transition)).filter((change) => change !== undefined)
const kinds = (transitions: ReadonlyArray<Transition>, filter?: Filter) =>
  told(transitions, filter).map(({ kind, member }) => `${kind} ${member.address}`)

const worker = aMember({ address: "acme/worker/1" })
const leader = aMember({ address: "acme/boss/main", role: "leader", epoch: 7, state: "leading.running" })

/** Beats of a few nodes, each number with what is always said under it. */
const history = fc
  .array(
    fc.record({
      node: fc.constantFrom("n1", "n2", self),
      seq: fc.integer({ min: 1, max: 9 }),
      bye: fc.boolean(),
      ids: fc.uniqueArray(fc.nat(3)),
    }),
    { maxLength: 12 },
  )
  .map((given) => {
    const byNumber = new Map(given.map((beat) => [`${beat.node}#${beat.seq}`, beat]))
    return [...byNumber.values()].map(({ node, seq, bye, ids }) =>
      aBeat({ node, seq, bye, members: bye ? [] : ids.map((id) => aMember({ address: `acme/worker/${id}` })) }),
    )
  })

describe("the view of a node", () => {
  it("is the same in whatever order and however often beats come (V1)", () => {
    const shuffled = history.chain((beats) =>
      fc.tuple(
        fc.constant(beats),
        fc.shuffledSubarray([...beats, ...beats], { minLength: 2 * beats.length, maxLength: 2 * beats.length }),
      ),
    )
    fc.assert(
      fc.property(shuffled, ([beats, again]) => {
        const byNode = (view: View) => [...shown(view).nodes].sort((a, b) => a.node.localeCompare(b.node))
        const byName = (view: View) =>
          [...shown(view).members].sort((a, b) => `${a.node}${a.id}`.localeCompare(`${b.node}${b.id}`))
        expect(byNode(seen(again))).toStrictEqual(byNode(seen(beats)))
        expect(byName(seen(again))).toStrictEqual(byName(seen(beats)))
      }),
    )
  })

  it("shows of a node what its beat with the largest number says, and nothing after a goodbye (V1)", () => {
    fc.assert(
      fc.property(history, (beats) => {
        for (const node of ["n1", "n2"]) {
          const last = beats.filter((beat) => beat.node === node).sort((a, b) => b.seq - a.seq)[0]
          const members = list(seen(beats), { node }, 0).map(({ address }) => address)
          expect(members).toStrictEqual(last?.members.map(({ address }) => address) ?? [])
        }
      }),
    )
  })

  it("says with each step what it changed: taken together that is the whole (V1)", () => {
    fc.assert(
      fc.property(history, fc.constantFrom<Filter>({}, { id: "1" }, { node: "n1" }), (beats, filter) => {
        let view = emptyView(self)
        const known = new Set<string>()
        for (const beat of beats) {
          const step = apply(view, beat, 0)
          view = step.view
          for (const { kind, member } of told(step.transitions, filter)) {
            const name = `${member.node} ${member.address}`
            if (kind === "joined") expect(known.size).toBe(known.add(name).size - 1)
            if (kind === "left") expect(known.delete(name)).toBe(true)
          }
        }
        expect([...known].sort()).toStrictEqual(
          list(view, filter, 0)
            .map(({ node, address }) => `${node} ${address}`)
            .sort(),
        )
      }),
    )
  })

  it("does not let a goodbye be undone by what was sent before it (V1)", () => {
    const view = seen([aBeat({ seq: 3, bye: true }), aBeat({ seq: 2, members: [worker] })])
    expect(shown(view)).toStrictEqual({ members: [], nodes: [] })
    expect(list(apply(view, aBeat({ seq: 4, members: [worker] }), 0).view, {}, 0)).toHaveLength(1)
  })

  it("suspects after 1.5 of the node's own intervals, and buries after 1.7 (V2)", () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 600_000 }), fc.nat(2_000_000), fc.nat(), (interval, silence, from) => {
        const view = seen([aBeat({ interval, members: [worker] })], from)
        const [member] = list(judge(view, from + silence).view, {}, from + silence)
        expect(member?.health).toBe(
          from + silence >= from + 1.7 * interval
            ? undefined
            : from + silence >= from + 1.5 * interval
              ? "suspect"
              : "alive",
        )
      }),
    )
  })

  it("has something to judge exactly when it is due (V2)", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 10, max: 9_000 }), fc.nat(9_000)), { minLength: 1 }), (given) => {
        let view = emptyView(self)
        for (const [index, [interval, at]] of given.entries()) {
          view = apply(view, aBeat({ node: `n${index}`, interval, members: [worker] }), at).view
        }
        let steps = 0
        for (let at = due(view); Number.isFinite(at); at = due(view)) {
          expect(judge(view, at - 1).transitions).toStrictEqual([])
          const step = judge(view, at)
          expect(step.transitions.length).toBeGreaterThan(0)
          view = step.view
          steps++
        }
        expect(list(view, {}, 0)).toStrictEqual([])
        expect(steps).toBeLessThanOrEqual(2 * given.length)
      }),
    )
  })

  it("tells of a silent node what it was at when it was last heard (V2)", () => {
    const at = 1_700_000_000_000
    const handling = [
      { message: "crunch", since: at - 9_100 },
      { message: "sum", since: at - 20 },
    ]
    const view = seen([aBeat({ at, members: [aMember({ address: "acme/idle/0" }), aMember({ handling })] })])
    const { view: later, transitions } = judge(view, 7_600)
    expect(kinds(transitions)).toStrictEqual(["suspect acme/idle/0", "suspect acme/worker/1"])
    expect(list(later, {}, 7_600)[1]).toMatchObject({
      health: "suspect",
      why: "no beat for 7.6 s; it was handling `crunch` in acme/worker/1 for 9.1 s then",
    })
    expect(nodes(later, 8_000)[0]?.why).toBe(
      "no beat for 8.0 s; it was handling `crunch` in acme/worker/1 for 9.1 s then",
    )
    expect(told(judge(later, 10_000).transitions)[1]).toMatchObject({
      kind: "left",
      why: "no beat for 10.0 s; it was handling `crunch` in acme/worker/1 for 9.1 s then",
    })
  })

  it("suspects a node whose event loop was held up, until it says that this is over (V2)", () => {
    const held = seen([aBeat({ lag: 6_200, members: [worker] })])
    expect(list(held, {}, 0)[0]).toMatchObject({ health: "suspect", why: "its event loop was blocked for 6.2 s" })
    const { view, transitions } = apply(held, aBeat({ seq: 2, lag: 2_500, members: [worker] }), 100)
    expect(list(view, {}, 100)[0]).toMatchObject({ health: "alive" })
    expect(list(view, {}, 100)[0]).not.toHaveProperty("why")
    expect(kinds(transitions)).toStrictEqual(["changed acme/worker/1"])
  })

  it("takes a dead node back with its next beat, and not with an old one (V1, V2)", () => {
    const dead = judge(seen([aBeat({ seq: 5, members: [worker] })]), 10_000).view
    expect(shown(dead, 10_000)).toStrictEqual({ members: [], nodes: [] })
    expect(apply(dead, aBeat({ seq: 4, members: [worker] }), 10_001).view).toBe(dead)
    const { view, transitions } = apply(dead, aBeat({ seq: 6, members: [worker] }), 10_001)
    expect(kinds(transitions)).toStrictEqual(["joined acme/worker/1"])
    expect(nodes(view, 10_001)).toHaveLength(1)
  })

  it("holds no silence against itself (V3)", () => {
    const view = seen([aBeat({ node: self, members: [worker] })])
    expect(due(view)).toBe(Number.POSITIVE_INFINITY)
    expect(list(judge(view, 1e9).view, {}, 1e9)[0]).toMatchObject({ health: "alive" })
  })

  it("does not count time that is excused", () => {
    const view = seen([aBeat({ members: [worker] })])
    expect(judge(excuse(view, 3_000), 10_400).transitions).toStrictEqual([])
    expect(due(excuse(view, 3_000))).toBe(10_500)
    expect(due(restart(view, 9_999))).toBe(9_999 + 7_500)
  })

  it("forgets in time who has gone, and takes only so many nodes and members (V4)", () => {
    const sighting = (node: string) => ({ beat: aBeat({ node }), heard: 0, standing: "alive" }) as const
    const crowd = Array.from({ length: 4_095 }, (_, n) => [`n${n}`, sighting(`n${n}`)] as const)
    const { view: crowded } = apply({ self, nodes: new Map(crowd) }, aBeat({ node: "last" }), 0)
    expect(crowded.nodes.size).toBe(4_096)
    expect(apply(crowded, aBeat({ node: "late" }), 0)).toMatchObject({ full: true, transitions: [] })
    expect(apply(crowded, aBeat({ node: "n7", seq: 2 }), 0)).not.toHaveProperty("full")

    const members = Array.from({ length: 2_000 }, (_, id) => aMember({ address: `a/b/${id}` }))
    const large = Array.from(
      { length: 100 },
      (_, n) => [`n${n}`, { ...sighting(`n${n}`), beat: aBeat({ members }) }] as const,
    )
    const loaded = { self, nodes: new Map(large) }
    expect(apply(loaded, aBeat({ node: "one more", members: [worker] }), 0)).toMatchObject({
      full: true,
      transitions: [],
    })
    expect(apply(loaded, aBeat({ node: "idle" }), 0)).not.toHaveProperty("full")
    expect(apply(loaded, aBeat({ node: "n7", seq: 2, members }), 0)).not.toHaveProperty("full")

    const view = seen([aBeat({ node: "gone", bye: true })], 0)
    expect(apply(view, aBeat({ node: "new" }), 59_999).view.nodes.size).toBe(2)
    expect([...apply(view, aBeat({ node: "new" }), 60_000).view.nodes.keys()]).toStrictEqual(["new"])
  })
})

describe("the list", () => {
  const members = [
    worker,
    aMember({ address: "acme/worker/10" }),
    aMember({ address: "acme/worker2/1", version: "1.0.1" }),
    aMember({ address: "acmecorp/worker/1" }),
    leader,
    { ...leader, role: "standby" as const, epoch: 0 },
  ]
  const view = seen([aBeat({ members }), aBeat({ node: self, members: [worker] })])
  const addresses = (filter: Filter) => list(view, filter, 0).map(({ node, address }) => `${node} ${address}`)

  it("is filtered exactly, never by prefix (L1)", () => {
    expect(addresses({ type: "worker", id: "1", domain: "acme" })).toStrictEqual([
      "me acme/worker/1",
      "n1 acme/worker/1",
    ])
    expect(addresses({ type: "work" })).toStrictEqual([])
    expect(addresses({ type: "worker2" })).toStrictEqual(["n1 acme/worker2/1"])
    expect(addresses({ domain: "acmecorp" })).toStrictEqual(["n1 acmecorp/worker/1"])
    expect(addresses({ version: "1.0" })).toStrictEqual([])
    expect(addresses({ version: "1.0.1" })).toStrictEqual(["n1 acme/worker2/1"])
    expect(addresses({ role: "leader" })).toStrictEqual(["n1 acme/boss/main"])
    expect(addresses({ node: self })).toStrictEqual(["me acme/worker/1"])
    expect(addresses({ node: "m" })).toStrictEqual([])
  })

  it("holds each filter against every member, whatever they are", () => {
    const filter = fc.record(
      {
        domain: fc.constantFrom("acme", "acmecorp", ""),
        type: fc.constantFrom("worker", "worker2", "boss"),
        id: fc.constantFrom("1", "10", "main"),
        role: fc.constantFrom("member", "leader", "standby"),
        node: fc.constantFrom("n1", self),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(filter, (filter) => {
        const wanted = list(view, {}, 0).filter((member) =>
          Object.entries(filter).every(([name, value]) => member[name as keyof Filter] === value),
        )
        expect(list(view, filter, 0)).toStrictEqual(wanted)
      }),
    )
  })

  it("tells where a member is, and has the observer's own first", () => {
    expect(list(view, { domain: "acme", type: "worker", id: "1" }, 0)[1]).toStrictEqual({
      ...worker,
      domain: "acme",
      type: "worker",
      id: "1",
      node: "n1",
      host: "box",
      pid: 42,
      health: "alive",
    })
  })

  it("says of everybody else that nothing is heard of them, when the observer is blind", () => {
    const blind = "this node hears nothing"
    const told = list(view, {}, 0, blind).map(({ node, health, why }) => [node, health, why])
    expect(told[0]).toStrictEqual([self, "alive", undefined])
    expect(new Set(told.slice(1).map(String))).toStrictEqual(new Set([`n1,suspect,${blind}`]))
    expect(nodes(view, 0, blind).map(({ health }) => health)).toStrictEqual(["alive", "suspect"])
  })

  it("counts those too for whom a beat had no room", () => {
    expect(nodes(seen([aBeat({ members: [worker], omitted: 5 })]), 0)[0]).toMatchObject({ members: 6, warren: "0.1.0" })
  })
})

describe("a change", () => {
  const change = (before: typeof worker, after: typeof worker, filter?: Filter) => {
    const view = seen([aBeat({ members: [before] })])
    return told(apply(view, aBeat({ seq: 2, members: [after] }), 0).transitions, filter)
  }

  it("is not a larger epoch: it grows with each renewal", () => {
    expect(change(leader, { ...leader, epoch: 8 })).toStrictEqual([])
  })

  it.each([
    { version: "1.0.1" },
    { role: "leader" },
    { state: "draining" },
    { restarts: 1 },
    { parent: "acme/boss/main" },
  ] as const)("is another %o", (what) => {
    const { before, member } = change(worker, { ...worker, ...what })[0] as Change & { readonly kind: "changed" }
    expect(before).toMatchObject(worker)
    expect(member).toMatchObject(what)
  })

  it("is not that somebody has more or less to do (L2)", () => {
    expect(change(worker, { ...worker, waiting: 3, handling: [{ message: "x", since: 1 }] })).toStrictEqual([])
  })

  it("into a filter is a joining, and out of it a leaving (L1)", () => {
    const standby = { ...leader, role: "standby" as const, epoch: 0 }
    expect(change(standby, leader, { role: "leader" })).toMatchObject([{ kind: "joined", member: { epoch: 7 } }])
    expect(change(leader, standby, { role: "leader" })).toMatchObject([
      { kind: "left", member: { epoch: 7 }, why: 'it is not role "leader" any more' },
    ])
    expect(change(leader, standby, { role: "member" })).toStrictEqual([])
  })

  it("tells why somebody left", () => {
    const view = seen([aBeat({ members: [worker] })])
    expect(told(apply(view, aBeat({ seq: 2 }), 0).transitions)).toMatchObject([{ kind: "left", why: "it has stopped" }])
    expect(told(apply(view, aBeat({ seq: 2, bye: true }), 0).transitions)).toMatchObject([
      { kind: "left", member: worker, why: "its node has stopped" },
    ])
  })

  it("of one of two members with one address on a node is told of that one", () => {
    const view = seen([aBeat({ members: [worker, { ...worker, version: "2.0.0" }, leader, leader] })])
    const less = apply(view, aBeat({ seq: 2, members: [worker, leader] }), 0)
    expect(told(less.transitions)).toMatchObject([
      { kind: "left", member: { version: "2.0.0" } },
      { kind: "left", member: leader },
    ])
  })
})
