// What a behaviour costs: the same actor as a plain function, an async one, an Effect and a machine.

import type { Case } from "../plan.ts"

export const handlers: Case = {
  name: "handlers",
  title: "The same actor in four ways",
  level: "callers",
  columns: ["contender", "rate", "ratio", "p50", "p99", "cpu", "cpuParts", "memory"],
  groups: [
    {
      name: "transient",
      title: "Asks of 32 bytes to a transient mailbox",
      entries: ["warren", "warren-promise", "warren-effect", "warren-machine"].map((contender) => ({
        contender,
        job: { kind: "asks", load: { durability: "transient", size: 32, work: "none", actors: 1 }, callers: [256] },
      })),
    },
  ],
}
