// What to do with mail that has come before: pure decisions.
//
// R1. A batch that this very process had in hand is taken up again where it was: a lost link is no crash, and what was
//     handled is not handled again.
// R2. Unknown returns are forgiven while one more is left after them: the batch is handled at its place, so that a
//     fail-over keeps the order.
// R3. A batch that has come back too often for that may carry an item that kills processes. It is split, and its items are
//     sent again one by one, so that the killer costs itself and not its neighbours. A classic queue does not count, so
//     there the first return splits.
// R4. An item whose handling was begun `maxDeliveries` times is given up; but not for what happened while it was handled
//     together with others.

import type { MailItem } from "../wire/item.ts"

export interface Returned {
  readonly redelivered: boolean
  /** Counted by the queue; undefined where it does not count. */
  readonly returns: number | undefined
  /** This process had the batch in hand when its link was lost. */
  readonly known: boolean
  readonly items: number
}

export type Reception = "first" | "resume" | "again" | "split"

export const reception = (batch: Returned, maxDeliveries: number): Reception => {
  if (!batch.redelivered && (batch.returns ?? 0) === 0) return "first"
  if (batch.known) return "resume"
  if (batch.items <= 1) return "again"
  // After the split there must be one delivery left to tell the killer from its neighbours.
  return batch.returns !== undefined && batch.returns < maxDeliveries - 1 ? "again" : "split"
}

/** How often the handling of an item of this batch may have been begun before. */
export const begun = (batch: Returned, attempts: number): number =>
  attempts + (batch.known ? 0 : (batch.returns ?? (batch.redelivered ? 1 : 0)))

/** What a crash means for the message that caused it. `attempts` counts this one. */
export const afterCrash = (
  kind: MailItem["kind"],
  attempts: number,
  maxDeliveries: number,
): "answer" | "retry" | "bury" => (kind === "ask" ? "answer" : attempts < maxDeliveries ? "retry" : "bury")

/** How often the handling of one item of a lot was begun, once the lot has crashed: at least one time is left to it. */
export const afterLotCrash = (begun: number, maxDeliveries: number): number => Math.min(begun + 1, maxDeliveries - 1)
