// The same contenders twice: with durable mailboxes and queues, and with transient ones.

import type { Durability } from "../contender.ts"
import type { Group, Job } from "../plan.ts"

const titles: Record<Durability, string> = {
  durable: "Durable: quorum queues, persistent messages, acked after handling",
  transient: "Transient: classic queues, nothing persistent",
}

export const inBoth = (
  contenders: readonly string[],
  job: (durability: Durability, contender: string) => Job,
): Group[] =>
  (["durable", "transient"] as const).map((durability) => ({
    name: durability,
    title: titles[durability],
    entries: contenders.map((contender) => ({ contender, job: job(durability, contender) })),
  }))
