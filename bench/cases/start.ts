// Starting many actors in one system: how long until they take mail, and what each of them weighs.

import type { Case, Group } from "../plan.ts"

type What = "transient" | "durable" | "children"

const group = (name: What, title: string, actors: readonly number[]): Group => ({
  name,
  title,
  entries: [{ contender: "warren", job: { kind: "start", what: name, actors } }],
})

export const start: Case = {
  name: "start",
  title: "Starting actors",
  level: "actors",
  columns: ["level", "startedMs", "servedMs", "heapPerActor", "rssPerActor", "rssServer"],
  // A thousand queues each time: enough is enough.
  rounds: 3,
  groups: [
    group("transient", "Transient mailboxes, children of one supervisor", [1, 10, 100, 1000]),
    group("durable", "Durable mailboxes: a quorum queue each", [1000]),
    group("children", "Children that one actor spawns, with transient mailboxes", [1000]),
  ],
}
