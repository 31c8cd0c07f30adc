// Round trips of one small and one larger payload, at four numbers of callers.

import type { Size } from "../payload.ts"
import type { Case } from "../plan.ts"
import { inBoth } from "./durabilities.ts"

const peers = ["rabbitmq-client", "amqplib", "nestjs", "moleculer"]

/** What Nagle's algorithm does, it does to one caller. */
const callersOf = (contender: string): readonly number[] =>
  contender === "rabbitmq-client-defaults" ? [1] : [1, 16, 256, 1000]

const asks = (name: string, title: string, size: Size, contenders: readonly string[]): Case => ({
  name,
  title,
  level: "callers",
  columns: ["level", "contender", "rate", "ratio", "p50", "p99", "cpu", "cpuParts", "memory"],
  groups: inBoth(contenders, (durability, contender) => ({
    kind: "asks",
    load: { durability, size, work: "none", actors: 1 },
    callers: callersOf(contender),
  })),
})

export const ask32 = asks("ask-32", "Asks of 32 bytes", 32, ["warren", ...peers, "rabbitmq-client-defaults"])
export const ask1k = asks("ask-1k", "Asks of 1 KiB", 1024, ["warren", "warren-compact", ...peers])
