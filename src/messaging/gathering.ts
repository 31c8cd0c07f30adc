// How many of those that wait are handled at once, by whoever takes several at a time. Pure: the caller keeps what waits,
// in its order, and the time.
//
// G1. What is taken is the head of the queue: nothing is overtaken, so the order of what waits is kept.
// G2. Nobody waits longer than `within` after the first of them came, nor for what can not come any more.

/** What a batch handler takes at once. */
export interface Portion {
  /** How many, at least 1. */
  readonly max: number
  /** ms after the first came in which others may join it; 0 takes what is there. */
  readonly within: number
}

/** Those at the head of a queue that may be handled together: one after the other, with nothing else between them. */
export interface Run {
  /** How many, at least 1. Whoever counts may stop at `max`. */
  readonly length: number
  /** Nothing will join them: something else waits behind them, or nothing more is to come. */
  readonly closed: boolean
  /** When the first of them came, ms since the epoch. */
  readonly since: number
}

/** Take so many of them now; or look again when something has changed, at the latest at that time (ms since the epoch). */
export type Gathered = { readonly take: number } | { readonly until: number }

export const gather = ({ max, within }: Portion, { length, closed, since }: Run, now: number): Gathered => {
  const until = since + within
  // A clock that was set back must not make anybody wait longer than it says.
  const due = now >= until || now < since
  return length >= max ? { take: max } : closed || due ? { take: length } : { until }
}
