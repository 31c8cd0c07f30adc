// Events for ten subscribers in one process: one queue of the node and a fan-out in memory, beside ten queues.

import type { Case } from "../plan.ts"

export const broadcast: Case = {
  name: "broadcast",
  title: "Events for 10 subscribers in one process, 1,000 not yet confirmed at a time",
  level: "in flight",
  columns: ["contender", "rate", "ratio", "p50", "p99", "cpu", "cpuParts", "memory"],
  groups: [
    {
      name: "transient",
      title:
        "Classic queues, nothing persistent, confirmed. Calls are what all subscribers got, the times those of the confirms",
      entries: ["warren", "warren-plain-events", "rabbitmq-client"].map((contender) => ({
        contender,
        job: { kind: "events", inFlight: 1000, subscribers: 10 },
      })),
    },
  ],
}
