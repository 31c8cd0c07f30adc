// How ages, counts, nodes and work in hand are said, in few characters. Pure.

import type { Listed } from "../presence/listed.ts"
import { span } from "../supervision/tree.ts"
import { maxHandling } from "../wire/beat.ts"

const hour = 3_600_000
const day = 24 * hour

/** ms as `350 ms`, `12 s`, `1.5 min`, `3 h`; from two days on `5.2 d`. Clocks differ: what is below zero is now. */
export const age = (ms: number): string => {
  if (ms < 2 * day) return span(Math.max(0, ms))
  return `${Math.round((ms / day) * 10) / 10} d`
}

/** `1 member`, `2 members`. */
export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`

/** The end of a node's id: ids begin with the time, so that nodes that were started together begin alike. */
export const shortNode = (node: string): string => node.slice(-8)

/** What it has handled longest, `count for 12 ms`, and how many messages more; undefined when it does nothing. */
export const work = ({ handling }: Pick<Listed, "handling">, now: number): string | undefined => {
  const [oldest] = handling
  if (oldest === undefined) return undefined
  const more = handling.length - 1
  const rest = more === 0 ? "" : handling.length < maxHandling ? ` and ${more} more` : ` and ${more} or more`
  return `${oldest.message} for ${age(now - oldest.since)}${rest}`
}
