import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { coloured, plain } from "../../src/cli/paint.ts"
import { type Branch, branches, treeDocument, treeText } from "../../src/cli/tree.ts"
import type { Listed } from "../../src/presence/listed.ts"
import { aNode, listed, now, snapshot } from "./cli-fixture.ts"

const other = "0197a1b2-0000-7000-8000-0000bbbb0002"
const idle = "0197a1b2-0000-7000-8000-0000cccc0003"
const members = [
  listed("acme/shop/north", { restarts: 1 }),
  listed("acme/till/1", {
    parent: "acme/shop/north",
    handling: [{ message: "count", since: now - 40 }],
    waiting: 4,
  }),
  listed("acme/drawer/1", { parent: "acme/till/1" }),
  listed("acme/till/2", { parent: "acme/shop/north", state: "waiting", restarts: 2 }),
  listed("acme/ledger/main", { role: "leader", epoch: 7, state: "leading.running", version: "2.0.1" }),
  listed("acme/ledger/main", { role: "standby", state: "standby", version: "2.0.1", node: other }),
]
const nodes = [
  aNode({ node: other, host: "web-2", pid: 9, startedAt: now - 40_000, health: "suspect", why: "no beat for 8.0 s" }),
  aNode(),
  aNode({ node: idle, host: "web-10" }),
]
const scene = snapshot(members, nodes)

const addresses = (all: ReadonlyArray<Branch>): ReadonlyArray<Listed> =>
  all.flatMap(({ member, children }) => [member, ...addresses(children)])

describe("`warren tree`", () => {
  it("shows the nodes by host, and in each its members under those that spawned them", () => {
    expect(`\n${treeText(scene, {}, plain)}\n`).toBe(`
node aaaa0001: alive, host web-1, pid 4711, up 1 h, a beat every 5 s, warren 0.1.0, 5 members
├─ acme/ledger/main 2.0.1: leader in epoch 7, leading.running
└─ acme/shop/north 1.0.0: member, running, 1 restart
   ├─ acme/till/1 1.0.0: member, running, handling count for 40 ms, 4 waiting
   │  └─ acme/drawer/1 1.0.0: member, running
   └─ acme/till/2 1.0.0: member, waiting, 2 restarts
node bbbb0002: suspect (no beat for 8.0 s), host web-2, pid 9, up 40 s, a beat every 5 s, warren 0.1.0, 1 member
└─ acme/ledger/main 2.0.1: standby
node cccc0003: alive, host web-10, pid 4711, up 1 h, a beat every 5 s, warren 0.1.0, 0 members
`)
  })

  it("with a filter shows the nodes of those who match; who comes without its parent stands at the top", () => {
    expect(treeText(scene, { type: "till" }, plain).split("\n").slice(1)).toEqual([
      "├─ acme/till/1 1.0.0: member, running, handling count for 40 ms, 4 waiting",
      "└─ acme/till/2 1.0.0: member, waiting, 2 restarts",
    ])
    expect(treeText(scene, { role: "standby" }, plain)).toMatch(/^node bbbb0002: .*\n└─ acme\/ledger\/main [^\n]*$/)
  })

  it("lists nodes that run nothing, but says so when there are none, or none of them matches", () => {
    expect(treeText(snapshot([], [aNode()]), {}, plain)).toMatch(/^node aaaa0001: .* 0 members$/)
    expect(treeText(snapshot([], []), {}, plain)).toMatch(/^Nobody is there/)
    expect(treeText(scene, { id: "nine" }, plain)).toMatch(/^Nobody matches id "nine", among 6 members/)
  })

  it("says how many members a beat had no room for, in the place of the last", () => {
    const lines = treeText(snapshot(members.slice(0, 1), [aNode()], 3), {}, plain).split("\n")
    expect(lines.slice(1)).toEqual([
      "├─ acme/shop/north 1.0.0: member, running, 1 restart",
      "└─ and 3 members for which its beat had no room",
    ])
  })

  it("gives programs the same tree, unshortened", () => {
    const document = treeDocument(scene, { domain: "acme" }) as { nodes: ReadonlyArray<object> }
    expect(document).toMatchObject({ broker: "amqp://broker:5672/", prefix: "warren", at: now })
    expect(document.nodes).toHaveLength(2)
    expect(document.nodes[0]).toEqual({
      ...aNode(),
      members: [
        { ...members[4], children: [] },
        {
          ...members[0],
          children: [
            { ...members[1], children: [{ ...members[2], children: [] }] },
            { ...members[3], children: [] },
          ],
        },
      ],
      omitted: 0,
    })
  })

  it("paints what needs a look", () => {
    const text = treeText(scene, {}, coloured)
    expect(text).toContain("\x1b[31msuspect\x1b[0m (no beat")
    expect(text).toContain("\x1b[33m2 restarts\x1b[0m")
  })
})

describe("members under their parents", () => {
  it("are each drawn exactly once, whatever their node says of parents (T1)", () => {
    const id = fc.constantFrom("a", "b", "c", "d", "e", "gone")
    const member = fc.tuple(id, fc.option(id)).map(([own, parent]) => ({
      ...listed(`acme/till/${own}`),
      ...(parent !== null && { parent: `acme/till/${parent}` }),
    }))
    fc.assert(
      fc.property(fc.array(member, { maxLength: 12 }), (all) => {
        const drawn = addresses(branches(all))
        expect(drawn).toHaveLength(all.length)
        expect(new Set(drawn)).toEqual(new Set(all))
      }),
    )
  })

  it("stand in a circle without an end to it", () => {
    const circle = [
      listed("acme/till/a", { parent: "acme/till/b" }),
      listed("acme/till/b", { parent: "acme/till/a" }),
      listed("acme/till/c", { parent: "acme/till/c" }),
    ]
    const [a, c] = branches(circle)
    expect(a).toMatchObject({ member: circle[0], children: [{ member: circle[1], children: [] }] })
    expect(c).toEqual({ member: circle[2], children: [] })
  })

  it("of which there are two of one address, in two versions, share the children of the first", () => {
    const parents = ["1.0.0", "2.0.0"].map((version) => listed("acme/shop/north", { version }))
    const till = listed("acme/till/1", { parent: "acme/shop/north" })
    expect(branches([...parents, till])).toEqual([
      { member: parents[0], children: [{ member: till, children: [] }] },
      { member: parents[1], children: [] },
    ])
  })
})
