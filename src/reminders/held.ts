// One record that a keeper holds, and the mail that is sent for it.

import type { Delivery } from "../broker/broker.ts"
import type { Entry } from "../messaging/deadlines.ts"
import type { TellItem } from "../wire/item.ts"
import type { ReminderRecord, SetReminder } from "../wire/reminder.ts"
import type { Kept } from "./ledger.ts"
import { occurrence } from "./occurrence.ts"

/** In hand, or on its way back to be. */
export class Held implements Kept {
  /** The message id. */
  readonly id: string
  readonly record: ReminderRecord
  readonly fresh: boolean
  /** It was in other hands before, or in ours on another channel. */
  readonly returned: boolean
  /** ms since the epoch. */
  readonly arrived: number
  /** Undefined while it is proved. */
  delivery: Delivery | undefined
  /** When it came the last time, or was given back. */
  since: number
  proofs = 0
  alarm: Entry | undefined

  constructor(id: string, record: ReminderRecord, delivery: Delivery, now: number) {
    this.id = id
    this.record = record
    this.returned = delivery.redelivered
    this.fresh = !delivery.redelivered && !(record.op === "set" && record.copy === true)
    this.delivery = delivery
    this.arrived = this.since = now
  }
}

/**
 * What its actor is told, and the record of the next occurrence.
 *
 * @param sender the address of the actor, which reminds itself.
 * @param now ms since the epoch.
 */
export const mail = (
  { returned, arrived }: Held,
  record: SetReminder,
  sender: string,
  now: number,
): { readonly item: TellItem; readonly next: SetReminder | undefined } => {
  const { name, set, message, payload } = record
  const { due, missed, last, next } = occurrence(record.due, record.every, now)
  // Who held it only before it was due can not have sent it.
  const reminder = { name, due, missed, repeated: returned && arrived >= due }
  return {
    item: { kind: "tell", node: `reminder:${set}`, id: last, name: message, payload, sender, reminder },
    next: next === undefined ? undefined : { ...record, due: next },
  }
}
