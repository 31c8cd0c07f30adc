// `warren ps`: a line for each member. Pure.

import type { Filter, Listed } from "../presence/listed.ts"
import type { Paint } from "./paint.ts"
import { chosen, nobody, omitted, type Snapshot } from "./snapshot.ts"
import { type Column, table } from "./table.ts"
import { counted, shortNode, work } from "./wording.ts"

const columns = (now: number): ReadonlyArray<Column<Listed>> => [
  { heading: "address", text: ({ address }) => address },
  { heading: "version", text: ({ version }) => version },
  { heading: "role", text: ({ role }) => role, style: ({ role }) => (role === "leader" ? "good" : undefined) },
  { heading: "epoch", text: ({ epoch }) => (epoch === 0 ? "-" : String(epoch)), align: "right" },
  { heading: "state", text: ({ state }) => state },
  {
    heading: "restarts",
    text: ({ restarts }) => String(restarts),
    align: "right",
    style: ({ restarts }) => (restarts > 0 ? "warn" : undefined),
  },
  { heading: "handling", text: (member) => work(member, now) ?? "-" },
  { heading: "waiting", text: ({ waiting }) => String(waiting), align: "right" },
  { heading: "node", text: ({ node }) => shortNode(node) },
  { heading: "host", text: ({ host }) => host },
  { heading: "pid", text: ({ pid }) => String(pid), align: "right" },
  {
    heading: "health",
    text: ({ health, why }) => (why === undefined ? health : `${health}: ${why}`),
    style: ({ health }) => (health === "suspect" ? "bad" : "good"),
  },
]

const omittedAtAll = (snapshot: Snapshot): number =>
  snapshot.nodes.reduce((sum, node) => sum + omitted(snapshot, node), 0)

/** For people. */
export const psText = (snapshot: Snapshot, filter: Filter, paint: Paint): string => {
  const members = chosen(snapshot, filter)
  if (members.length === 0) return nobody(snapshot, filter)
  const lines = table(columns(snapshot.at), members, paint)
  const more = omittedAtAll(snapshot)
  return [...lines, ...(more === 0 ? [] : [`and ${counted(more, "member")} for which the beats had no room`])].join(
    "\n",
  )
}

/** For programs. */
export const psDocument = (snapshot: Snapshot, filter: Filter): object => {
  const { broker, prefix, at } = snapshot
  return { broker, prefix, at, members: chosen(snapshot, filter), omitted: omittedAtAll(snapshot) }
}
