// Stored tells: a quorum queue, persistent, confirmed, acked after handling, counted when they are handled.

import type { Case } from "../plan.ts"

export const tell: Case = {
  name: "tell",
  title: "Durable tells, 1,000 not yet confirmed at a time",
  level: "in flight",
  columns: ["contender", "rate", "ratio", "p50", "p99", "cpu", "cpuParts", "memory"],
  groups: [
    {
      name: "durable",
      title: "Quorum queues, persistent messages, confirmed, acked after handling. The times are those of the confirms",
      entries: ["warren", "rabbitmq-client", "amqplib"].map((contender) => ({
        contender,
        job: { kind: "tells", inFlight: 1000 },
      })),
    },
  ],
}
