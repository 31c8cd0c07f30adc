// Where a subscriber takes its events from: the same for those who get all of them, for the members of a group, and for
// readers of what is retained.
//
// T1. What is taken is done with, or given back. Somebody who has gone has given back all that was not done.

import type { Job } from "../messaging/job.ts"
import type { AskReason } from "../protocol/errors.ts"
import type { Arrival } from "./arrival.ts"

/** An event as one subscriber gets it. */
export interface Taken {
  readonly event: Arrival
  /** 1 for the first try. */
  readonly attempt: number
  readonly dropped: number
  readonly gap: boolean
}

/** One or several events that are handled together. */
export interface Load {
  /** Those that are left of them. */
  readonly taken: ReadonlyArray<Taken>
  /** On whose behalf it is handled, where somebody has to wait for what is sent meanwhile. */
  readonly job: Job | undefined
  /** One of them cannot be read: it is put aside. */
  readonly refuse: (taken: Taken, why: string) => void
  /** They have been handled. */
  readonly done: () => void
  /** Their handler has crashed its cell: they are handled again, each alone, or given up. */
  readonly crash: (error: Error) => void
}

export interface Tap {
  /** Somebody takes from now on, until `release`. */
  readonly attach: () => void
  /** What is to be handled next, if it is here. */
  readonly take: () => Load | undefined
  /** To be set by whoever takes: called when there may be something to take, or nothing will come any more. */
  ready: () => void
  /** Nothing more will come. */
  readonly ended: boolean
  /** Why not, when something went wrong. */
  readonly failure: AskReason | undefined
  /** All that was taken and is not done is given back; who takes next is given it again. */
  readonly release: () => void
}
