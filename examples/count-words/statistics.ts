// What a run of the example counts about itself, besides words.

export interface Crash {
  /** `domain/type/id` of the counter. */
  readonly address: string
  readonly why: string
  /** ms from the crash until its next incarnation took mail; undefined until then. */
  restartedAfter?: number
}

export interface Statistics {
  /** Bytes of the files that have been cut into lines. */
  bytes: number
  /** Asks that were answered. */
  answered: number
  /** Asks that ended without an answer, so that their line was asked again. */
  again: number
  readonly crashes: Array<Crash>
}

export const noStatistics = (): Statistics => ({ bytes: 0, answered: 0, again: 0, crashes: [] })
