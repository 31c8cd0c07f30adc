// Members, nodes and snapshots of which a test says only what it is about.

import type { Snapshot } from "../../src/cli/snapshot.ts"
import type { Listed, ListedNode } from "../../src/presence/listed.ts"
import { aMember } from "./presence-fixture.ts"

export const now = 1_700_000_000_000

export const listed = (address: string, what: Partial<Listed> = {}): Listed => {
  const [domain = "", type = "", id = ""] = address.split("/")
  return {
    ...aMember({ address }),
    domain,
    type,
    id,
    node: "0197a1b2-0000-7000-8000-0000aaaa0001",
    host: "web-1",
    pid: 4711,
    health: "alive",
    ...what,
  }
}

export const aNode = (what: Partial<ListedNode> = {}): ListedNode => ({
  node: "0197a1b2-0000-7000-8000-0000aaaa0001",
  host: "web-1",
  pid: 4711,
  startedAt: now - 3_600_000,
  warren: "0.1.0",
  interval: 5_000,
  lag: 0,
  health: "alive",
  members: 0,
  ...what,
})

/** Each node counts its members, and `more` that its beat had no room for. */
export const snapshot = (
  members: ReadonlyArray<Listed>,
  nodes: ReadonlyArray<ListedNode> = [aNode()],
  more = 0,
): Snapshot => ({
  broker: "amqp://broker:5672/",
  prefix: "warren",
  at: now,
  nodes: nodes.map((node) => ({
    ...node,
    members: members.filter((member) => member.node === node.node).length + more,
  })),
  members,
})
