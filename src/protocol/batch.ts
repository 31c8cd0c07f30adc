// A handler that takes several messages at once.

import { Duration } from "effect"
import type { MessageContext } from "./handlers.ts"

export interface BatchOptions {
  /** Messages that it is given at once, 1 to 1,000. It may always be fewer. */
  readonly max: number
  /** How long after the first came others may join it. Default 0: it takes what is there. At most 1 minute. */
  readonly within?: Duration.Input
}

/** Bounds what a member has in hand. */
const most = 1_000
/** ms. Longer, and it is a timer that is wanted. */
const longest = 60_000

/** @typeParam I what it handles. @typeParam X what it gives back. @typeParam C what it is told of each of them. */
export class Batch<in I, out X, in C = MessageContext> {
  readonly max: number
  /** ms. */
  readonly within: number
  readonly handle: (items: ReadonlyArray<I>, contexts: ReadonlyArray<C>) => X

  constructor({ max, within = 0 }: BatchOptions, handle: Batch<I, X, C>["handle"]) {
    const ms = Duration.toMillis(within)
    if (!Number.isInteger(max) || max < 1 || max > most) {
      throw new RangeError(`batch: max must be a whole number from 1 to ${most}, not ${max}`)
    }
    if (!(ms >= 0 && ms <= longest)) {
      throw new RangeError(`batch: within must be a time from 0 to ${longest} ms, not ${ms} ms`)
    }
    this.max = max
    this.within = ms
    this.handle = handle
  }
}

/**
 * In place of the handler of a tell: it is given up to `max` of them at once, in their order, as one turn of the mailbox.
 * All of them are acked together. When it crashes all are handled again, each alone (docs/semantics.md, "Batches").
 *
 * @throws RangeError when `max` or `within` are out of bounds.
 */
export const batch = <I, X, C = MessageContext>(
  options: BatchOptions,
  handle: (items: ReadonlyArray<I>, contexts: ReadonlyArray<C>) => X,
): Batch<I, X, C> => new Batch(options, handle)
