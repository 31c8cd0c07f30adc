// What handles the mail of a mailbox: a cell.

import type { Portions } from "./agenda.ts"
import type { Job } from "./job.ts"
import type { Lot } from "./lot.ts"

export interface Receiver {
  /** What it takes several of at once; undefined when there is no such message. */
  readonly portions: Portions | undefined
  readonly start: (job: Job) => void
  /** Several of one message, which were never begun before. */
  readonly startLot: (lot: Lot) => void
  /** Ends the cell on account of a job. */
  readonly crash: (job: Job, error: unknown) => void
}
