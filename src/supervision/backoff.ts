// How long a child waits before its next restart: exponential, capped, with full jitter.
//
// B1. A wait lies anywhere between 0 and its ceiling (full jitter), so that a crowd that fell together does not come
//     back together.
// B2. Attempts are counted from 1 again only after `resetAfter` ms of being up. A start that merely succeeds, or time
//     spent starting or waiting, resets nothing.

export interface Backoff {
  /** ms: the ceiling of the first wait. */
  readonly initial: number
  /** Each ceiling is this many times the one before. */
  readonly factor: number
  /** ms: no ceiling is higher. */
  readonly max: number
  readonly jitter: "full" | "none"
  /** ms of uptime after which the next crash counts as a first one. */
  readonly resetAfter: number
}

/** The longest wait before restart number `attempt` (from 1), in ms. */
export const ceiling = (attempt: number, backoff: Backoff): number =>
  Math.min(backoff.max, backoff.initial * backoff.factor ** (attempt - 1))

/** The wait before restart number `attempt` (from 1), in ms; `random` lies in [0, 1). */
export const delay = (attempt: number, backoff: Backoff, random: number): number =>
  backoff.jitter === "none" ? ceiling(attempt, backoff) : Math.floor(random * ceiling(attempt, backoff))

/** The number of the next attempt, after `previous` ones, of a child that had been up for `uptime` ms (B2). */
export const nextAttempt = (previous: number, uptime: number, backoff: Backoff): number =>
  uptime >= backoff.resetAfter ? 1 : previous + 1

/** ms that the first `attempts` waits take together, without jitter. */
export const longestWait = (attempts: number, backoff: Backoff): number => {
  let sum = 0
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const wait = ceiling(attempt, backoff)
    // From here on every wait is the same; a large number of attempts must not make a long loop.
    if (wait === backoff.max || backoff.factor === 1) return sum + wait * (attempts - attempt + 1)
    sum += wait
  }
  return sum
}
