// `warren tree`: the nodes, and in each its members under those that spawned them. Pure.
//
// T1. What a beat says of parents may be anything, a circle too: every member that was chosen is drawn exactly once.

import type { Filter, Listed, ListedNode } from "../presence/listed.ts"
import { drawn } from "../supervision/tree.ts"
import type { Paint } from "./paint.ts"
import { byPlace, chosen, nobody, omitted, type Snapshot } from "./snapshot.ts"
import { age, counted, shortNode, work } from "./wording.ts"

/** A member with those that it spawned. */
export interface Branch {
  readonly member: Listed
  readonly children: ReadonlyArray<Branch>
}

/** The members of one node under their parents, in the order in which they come; who has no parent here stands at the top. */
export const branches = (members: ReadonlyArray<Listed>): ReadonlyArray<Branch> => {
  const here = new Set(members.map(({ address }) => address))
  const spawned = new Map<string, Array<Listed>>()
  const top: Array<Listed> = []
  for (const member of members) {
    const { parent } = member
    if (parent === undefined || !here.has(parent)) top.push(member)
    else if (!spawned.get(parent)?.push(member)) spawned.set(parent, [member])
  }
  const placed = new Set<Listed>()
  const grow = (from: ReadonlyArray<Listed>): ReadonlyArray<Branch> =>
    from.flatMap((member) => {
      if (placed.has(member)) return []
      placed.add(member)
      return [{ member, children: grow(spawned.get(member.address) ?? []) }]
    })
  return [...grow(top), ...grow(members)] // T1: what is left stands in a circle
}

interface Shown {
  readonly node: ListedNode
  readonly branches: ReadonlyArray<Branch>
  readonly omitted: number
}

/** With a filter, only nodes of which a member matches. */
const shown = (snapshot: Snapshot, filter: Filter): ReadonlyArray<Shown> => {
  const members = chosen(snapshot, filter)
  const isFiltered = Object.keys(filter).length > 0
  return [...snapshot.nodes].sort(byPlace).flatMap((node) => {
    const own = members.filter((member) => member.node === node.node)
    if (isFiltered && own.length === 0) return []
    return [{ node, branches: branches(own), omitted: omitted(snapshot, node) }]
  })
}

/** For people. */
export const treeText = (snapshot: Snapshot, filter: Filter, paint: Paint): string => {
  const nodes = shown(snapshot, filter)
  if (nodes.length === 0) return nobody(snapshot, filter)
  const lines = nodes.flatMap((each) => {
    const more = each.omitted === 0 ? [] : [`└─ and ${counted(each.omitted, "member")} for which its beat had no room`]
    return [
      nodeLine(each.node, snapshot.at, paint),
      ...drawn(each.branches, ({ member }) => memberLine(member, snapshot.at, paint), "", more.length > 0),
      ...more,
    ]
  })
  return lines.join("\n")
}

const nodeLine = ({ node, health, why, host, pid, ...rest }: ListedNode, now: number, paint: Paint): string => {
  const verdict = paint(health === "suspect" ? "bad" : "good", health) + (why === undefined ? "" : ` (${why})`)
  const beats = `up ${age(now - rest.startedAt)}, a beat every ${age(rest.interval)}`
  const runs = `warren ${rest.warren}, ${counted(rest.members, "member")}`
  return `node ${shortNode(node)}: ${verdict}, host ${host}, pid ${pid}, ${beats}, ${runs}`
}

const memberLine = (member: Listed, now: number, paint: Paint): string => {
  const { address, version, role, epoch, state, restarts, waiting } = member
  const part = role === "leader" ? paint("good", `leader in epoch ${epoch}`) : role
  const busy = work(member, now)
  return [
    `${address} ${version}: ${part}`,
    state === role ? "" : `, ${state}`,
    restarts === 0 ? "" : `, ${paint("warn", counted(restarts, "restart"))}`,
    busy === undefined ? "" : `, handling ${busy}`,
    waiting === 0 ? "" : `, ${waiting} waiting`,
  ].join("")
}

/** For programs. */
export const treeDocument = (snapshot: Snapshot, filter: Filter): object => {
  const { broker, prefix, at } = snapshot
  const document = ({ member, children }: Branch): object => ({ ...member, children: children.map(document) })
  const nodes = shown(snapshot, filter).map((each) => ({
    ...each.node,
    members: each.branches.map(document),
    omitted: each.omitted,
  }))
  return { broker, prefix, at, nodes }
}
