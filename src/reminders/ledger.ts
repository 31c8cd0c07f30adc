// What a keeper holds: one record for each name. Pure.
//
// L1. Of several records of one name the youngest counts. Of one `set` that is the one that is due later. The queue hands
//     out in order, so what it had never handed out before is younger than what it had; but that says nothing of a copy.
//     Else the one with the larger `set` is younger (wire/reminder.ts, M1, M2).
// L2. What says that a name is forgotten is a record like any other: an older one that is still to come is known as older.
// L3. There are at most `most` names with a reminder; one more is not taken.

import type { ReminderRecord } from "../wire/reminder.ts"

export interface Kept {
  readonly record: ReminderRecord
  /** The queue had never handed it out when it came, and it is no copy. */
  readonly fresh: boolean
}

export type Admitted<K> =
  /** It counts from now on, in place of another one if there was one. */
  { readonly kept: true; readonly instead: K | undefined } | { readonly kept: false; readonly why: "older" | "full" }

const due = (record: ReminderRecord): number => (record.op === "set" ? record.due : Number.POSITIVE_INFINITY)

/** L1. @param one came after the other. */
export const isYounger = (one: Kept, other: Kept): boolean => {
  if (one.record.set === other.record.set) return due(one.record) >= due(other.record)
  if (one.fresh || other.fresh) return one.fresh
  return one.record.set > other.record.set
}

export class Ledger<K extends Kept> {
  readonly #most: number
  readonly #byName = new Map<string, K>()
  #reminders = 0

  constructor(most: number) {
    this.#most = most
  }

  /** Everything that counts. */
  get all(): ReadonlyArray<K> {
    return [...this.#byName.values()]
  }

  counts(kept: K): boolean {
    return this.#byName.get(kept.record.name) === kept
  }

  admit(kept: K): Admitted<K> {
    const { name } = kept.record
    const other = this.#byName.get(name)
    if (other !== undefined && !isYounger(kept, other)) return { kept: false, why: "older" }
    const added = one(kept) - one(other)
    if (added > 0 && this.#reminders >= this.#most) return { kept: false, why: "full" }
    this.#reminders += added
    this.#byName.set(name, kept)
    return { kept: true, instead: other }
  }

  /** It is done with, if it still counts. */
  remove(kept: K): void {
    if (!this.counts(kept)) return
    this.#byName.delete(kept.record.name)
    this.#reminders -= one(kept)
  }

  clear(): void {
    this.#byName.clear()
    this.#reminders = 0
  }
}

/** L3: what is forgotten takes no room. */
const one = (kept: Kept | undefined): number => (kept?.record.op === "set" ? 1 : 0)
