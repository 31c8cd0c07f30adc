// What lies in the queue of an actor's reminders: a message for each of them, and what is asked of whoever keeps them
// (docs/wire.md, "Reminders").
//
// M1. `set` names one call of `remind` for ever: what is written anew for the next occurrence keeps it. It is a UUID v7, so
//     the larger one is the younger.
// M2. Whoever keeps the reminders writes some anew, marked as a `copy`: it is as old as its `set`, whenever it came.
// M3. Reading checks the type and the size of every field, and never throws.

import { v7 as uuid } from "uuid"
import { isText, maxName } from "./field.ts"
import { readJson } from "./json.ts"
import { isMalformed, type Malformed, malformed } from "./malformed.ts"
import { isObject, type Json } from "./raw-message.ts"

export const reminderType = "application/vnd.warren.reminder.v1+json"

/** Bytes of a message. What is larger is not looked at. */
export const maxReminder = 32 * 1024
/** ms between two occurrences: a second to a hundred years. */
export const minPeriod = 1_000
export const maxPeriod = 3_155_760_000_000
/** ms since the epoch: what a `Date` can hold. */
const maxMoment = 8_640_000_000_000_000
/** Characters in a `set`, and in the name of a reply queue. */
const maxId = 255

/** Who waits for a word on it, in the way of an ask. */
export interface Waiter {
  readonly queue: string
  readonly id: number
  /** ms since the epoch after which nobody waits. */
  readonly deadline: number
}

export interface SetReminder {
  readonly op: "set"
  readonly name: string
  readonly set: string
  /** ms since the epoch. */
  readonly due: number
  /** ms between occurrences; absent when there is but one. */
  readonly every?: number
  /** The name of the tell. */
  readonly message: string
  readonly payload: unknown
  /** M2. */
  readonly copy?: true
  readonly waiter?: Waiter
}

export interface ForgetReminder {
  readonly op: "forget"
  readonly name: string
  readonly set: string
  readonly waiter?: Waiter
}

export interface ListReminders {
  readonly op: "list"
  readonly waiter: Waiter
}

export type ReminderRecord = SetReminder | ForgetReminder
export type ReminderRequest = ReminderRecord | ListReminders

/** The AMQP properties and body of one; it goes to the default exchange, with the name of the queue as its key. */
export interface EncodedReminder {
  readonly contentType: typeof reminderType
  readonly contentEncoding: "utf-8"
  readonly type: "reminder"
  /** Of this message: one that is written anew has another. */
  readonly messageId: string
  readonly persistent: boolean
  readonly body: Buffer
}

/** @throws TypeError when the payload is not JSON. */
export const encodeReminder = (request: ReminderRequest): EncodedReminder => ({
  contentType: reminderType,
  contentEncoding: "utf-8",
  type: "reminder",
  messageId: uuid(),
  persistent: request.op !== "list",
  body: Buffer.from(JSON.stringify(request)),
})

interface Message {
  readonly contentType?: string
  readonly messageId?: string
  readonly body: Buffer
}

const isWithin = (value: unknown, min: number, max: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
export const isMoment = (value: unknown): value is number => isWithin(value, 0, maxMoment)
export const isPeriod = (value: unknown): value is number => isWithin(value, minPeriod, maxPeriod)

export const decodeReminder = (message: Message): ReminderRequest | Malformed => {
  const { contentType, messageId, body } = message
  if (contentType !== reminderType)
    return malformed(`content type ${JSON.stringify(contentType)}: send ${reminderType}`)
  if (body.byteLength > maxReminder) return malformed(`a reminder of ${body.byteLength} bytes, at most ${maxReminder}`)
  if (!isText(messageId, maxId)) return malformed("a reminder without a message id")
  const read = readJson(body)
  if (isMalformed(read)) return read
  if (!isObject(read.value)) return malformed("a reminder must be an object")
  const json = read.value
  const waiter = json.waiter === undefined ? undefined : readWaiter(json.waiter)
  if (json.waiter !== undefined && waiter === undefined) {
    return malformed('"waiter" must be a queue, a whole number as id, and a deadline in ms since 1970')
  }
  switch (json.op) {
    case "list":
      return waiter === undefined ? malformed('who lists must say whom to answer, in "waiter"') : { op: "list", waiter }
    case "forget":
      return readForget(json, waiter)
    case "set":
      return readSet(json, waiter)
    default:
      return malformed('"op" must be "set", "forget" or "list"')
  }
}

const readWaiter = (json: unknown): Waiter | undefined => {
  if (!isObject(json)) return undefined
  const { queue, id, deadline } = json
  return isText(queue, maxId) && Number.isSafeInteger(id) && isMoment(deadline)
    ? { queue, id: id as number, deadline }
    : undefined
}

/** What is wrong with what both say, or undefined. */
const wrongIdentity = ({ name, set }: Json): string | undefined =>
  isText(name, maxName) && isText(set, maxId)
    ? undefined
    : `"name" and "set" must be texts of 1 to ${maxName} characters`

const readForget = (json: Json, waiter: Waiter | undefined): ForgetReminder | Malformed => {
  const wrong = wrongIdentity(json)
  if (wrong !== undefined) return malformed(wrong)
  const record = { op: "forget", name: json.name as string, set: json.set as string } as const
  return waiter === undefined ? record : { ...record, waiter }
}

const readSet = (json: Json, waiter: Waiter | undefined): SetReminder | Malformed => {
  const { due, every, message, payload } = json
  const wrong =
    wrongIdentity(json) ??
    (isMoment(due) ? undefined : '"due" must be a whole number, ms since 1970') ??
    (every === undefined || isPeriod(every)
      ? undefined
      : `"every" must be a whole number of ms, ${minPeriod} to ${maxPeriod}`) ??
    (isText(message, maxName) ? undefined : `"message" must be a text of 1 to ${maxName} characters`)
  if (wrong !== undefined) return malformed(wrong)
  return {
    op: "set",
    name: json.name as string,
    set: json.set as string,
    due: due as number,
    ...(every === undefined ? {} : { every: every as number }),
    message: message as string,
    payload,
    ...(json.copy === true ? { copy: true } : {}),
    ...(waiter === undefined ? {} : { waiter }),
  }
}
