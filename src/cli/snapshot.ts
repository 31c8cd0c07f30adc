// What was seen of a broker at one moment, and what of it was asked for. Plain data, pure.

import { describe, type Filter, type Listed, type ListedNode, matches } from "../presence/listed.ts"
import { counted } from "./wording.ts"

export interface Snapshot {
  /** For people: without user and password. */
  readonly broker: string
  readonly prefix: string
  /** ms since the epoch, by the clock of this process. */
  readonly at: number
  /** All that answered, but for the one that asked. */
  readonly nodes: ReadonlyArray<ListedNode>
  readonly members: ReadonlyArray<Listed>
}

const collator = new Intl.Collator("en", { numeric: true })
const leaderFirst = { leader: 0, member: 1, standby: 1 } as const

/** The members that match, by address, the leader of a clique first. */
export const chosen = ({ members }: Snapshot, filter: Filter): ReadonlyArray<Listed> =>
  members
    .filter((member) => matches(filter, member))
    .sort(
      (a, b) =>
        collator.compare(a.address, b.address) ||
        collator.compare(a.version, b.version) ||
        leaderFirst[a.role] - leaderFirst[b.role] ||
        byPlace(a, b),
    )

type Place = Pick<ListedNode, "host" | "pid" | "node">

/** By host and process. */
export const byPlace = (a: Place, b: Place): number =>
  collator.compare(a.host, b.host) || a.pid - b.pid || collator.compare(a.node, b.node)

/** How many members a node has told of only by their number: its beat has room for 2048. */
export const omitted = ({ members }: Snapshot, { node, members: all }: ListedNode): number =>
  all - members.filter((member) => member.node === node).length

/** For people, when there is nobody to show: what is there instead, and what to try. */
export const nobody = ({ broker, prefix, nodes, members }: Snapshot, filter: Filter): string => {
  if (nodes.length === 0) {
    return (
      `Nobody is there: no node with the prefix "${prefix}" has answered on ${broker}.\n` +
      "Start a system on this broker, or look elsewhere with --broker and --prefix. A node that is held up answers late: " +
      "try --wait 10."
    )
  }
  if (members.length === 0) {
    return `No actor runs on ${broker}: ${counted(nodes.length, "node")} with the prefix "${prefix}", without members.`
  }
  return (
    `Nobody matches ${describe(filter)}, among ${counted(members.length, "member")} on ${broker}.\n` +
    "What is asked for must be so exactly; leave it out to see them all."
  )
}
