// Handlers that take time: 0 to 5 ms, so that replies leave one by one.

import type { Case } from "../plan.ts"
import { inBoth } from "./durabilities.ts"

export const work: Case = {
  name: "work",
  title: "Asks of 32 bytes, handlers that take 0 to 5 ms",
  level: "callers",
  columns: ["contender", "rate", "ratio", "p50", "p99", "cpu", "cpuParts", "memory"],
  groups: inBoth(["warren", "rabbitmq-client", "amqplib", "nestjs", "moleculer"], (durability) => ({
    kind: "asks",
    load: { durability, size: 32, work: "0-5ms", actors: 1 },
    callers: [256],
  })),
}
