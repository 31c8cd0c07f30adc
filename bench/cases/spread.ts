// A shared clique of four members in four processes: batches must not pile up on one of them.

import type { Case } from "../plan.ts"
import { inBoth } from "./durabilities.ts"

export const spread: Case = {
  name: "spread",
  title: "A shared clique of 4 members, one ask at a time each, handlers of 20 ms",
  level: "callers",
  columns: ["contender", "rate", "least", "most", "evenness", "p50", "p99"],
  groups: inBoth(["warren"], (durability) => ({
    kind: "asks",
    load: { durability, size: 32, work: "20ms", actors: 1 },
    callers: [64],
    members: 4,
  })),
}
