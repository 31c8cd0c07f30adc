// Many actors on one node, each caller with an actor of its own: against one queue for each, where nothing coalesces.

import type { Case } from "../plan.ts"
import { inBoth } from "./durabilities.ts"

export const actors: Case = {
  name: "actors",
  title: "256 actors on one node, each asked by a caller of its own",
  level: "callers",
  columns: ["contender", "rate", "ratio", "p50", "p99", "cpu", "cpuParts", "memory"],
  groups: inBoth(["warren", "warren-own", "rabbitmq-client", "amqplib"], (durability) => ({
    kind: "asks",
    load: { durability, size: 32, work: "none", actors: 256 },
    callers: [256],
  })),
}
