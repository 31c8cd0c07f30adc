// When a reminder is due, and for how many occurrences one message stands: pure.
//
// O1. The occurrences of `every` lie on a grid that begins with the first of them, however late the messages were.
// O2. What fell due while nobody was there comes once, and says how much it stands for: late rather than never, and no flood.

export interface Occurrence {
  /** When the first of them was due, ms since the epoch. */
  readonly due: number
  /** How many others fell due since, which this one stands for. */
  readonly missed: number
  /** When the last of all these was due. */
  readonly last: number
  /** When the next is due; undefined when there is none. */
  readonly next: number | undefined
}

/** What is due by now, at least that of `due` itself. */
export const occurrence = (due: number, every: number | undefined, now: number): Occurrence => {
  if (every === undefined) return { due, missed: 0, last: due, next: undefined }
  const missed = Math.max(0, Math.floor((now - due) / every))
  const last = due + missed * every
  return { due, missed, last, next: last + every }
}
