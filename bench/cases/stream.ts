// A stream of small items from one process to another, held back by its receiver: beside one item per message.

import type { Case } from "../plan.ts"

export const stream: Case = {
  name: "stream",
  title: "A stream of items of 32 bytes, as fast as they are taken",
  level: "streams",
  columns: ["contender", "rate", "ratio", "cpu", "cpuParts", "memory"],
  groups: [
    {
      name: "transient",
      title: "Classic queues, nothing persistent. Calls are the items that were taken",
      entries: ["warren", "rabbitmq-client"].map((contender) => ({ contender, job: { kind: "items" } })),
    },
  ],
}
