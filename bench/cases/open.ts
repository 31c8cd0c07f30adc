// Asks that come at a steady rate, spread over many actors, whether or not the earlier ones are answered.

import type { Case } from "../plan.ts"
import { inBoth } from "./durabilities.ts"

export const open: Case = {
  name: "open",
  title: "10,000 asks a second over 64 actors, waiting for nobody",
  level: "asks/s wanted",
  columns: ["contender", "rate", "waiting", "p50", "p90", "p99", "max", "cpu", "memory"],
  groups: inBoth(["warren", "warren-own", "amqplib"], (durability) => ({
    kind: "open",
    load: { durability, size: 32, work: "none", actors: 64 },
    rate: 10_000,
  })),
}
