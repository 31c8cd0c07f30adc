// Waiting for something to become true, with a deadline.

import { setTimeout as delay } from "node:timers/promises"
import { now } from "./clock.ts"

/** It did not become true in time. */
export class InVain extends Error {
  override readonly name = "InVain"
}

export interface Patience {
  /** ms. Default 30 s. */
  readonly within?: number
  /** ms between two looks. Default 2. */
  readonly every?: number
  readonly signal?: AbortSignal
}

/** Gives the first value that is neither undefined nor false. Rejects with InVain when there was none in time. */
export const until = async <A>(
  what: string,
  look: () => A | undefined | false | Promise<A | undefined | false>,
  { within = 30_000, every = 2, signal }: Patience = {},
): Promise<A> => {
  const deadline = now() + within
  for (;;) {
    signal?.throwIfAborted()
    const seen = await look()
    if (seen !== undefined && seen !== false) return seen
    if (now() > deadline) throw new InVain(`waited ${within / 1000} s in vain: ${what}`)
    await delay(every)
  }
}
