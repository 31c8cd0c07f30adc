// Opens what a queue of events delivers: a batch of a node, or a plain event of any AMQP client. Never throws.
//
// O1. Where an event comes from is said by the key that it was emitted with, which the broker has looked at, and not by the
//     event. What was put straight into a queue says it by itself: that is how items are sent again.

import { v7 as uuid } from "uuid"
import type { Incoming } from "../broker/broker.ts"
import { type Mail, partOf, replaysOf, type Unreadable, whole } from "../messaging/opening.ts"
import { format } from "../wire/address.ts"
import { decodeBatch, isBatch, isPacked, otherVersion } from "../wire/batch.ts"
import type { Remains } from "../wire/dead-letter.ts"
import { readEventKey } from "../wire/event-key.ts"
import type { EventItem } from "../wire/item.ts"
import { isMalformed } from "../wire/malformed.ts"
import { decodePlainEvent } from "../wire/plain-event.ts"

/** The key of an event in a message that goes straight to a queue. */
const keyHeader = "warren-key"

export interface OpenedEvents extends Mail {
  /** With the key that each was emitted with (`to`), and its source (`sender`). */
  readonly items: ReadonlyArray<EventItem>
}

export const openEvents = (message: Incoming): OpenedEvents => {
  const { exchange, routingKey, headers, contentType = "" } = message
  const given = headers[keyHeader]
  const key = exchange === "" && typeof given === "string" ? given : routingKey // O1
  return isBatch(message) || otherVersion(contentType) !== undefined ? openBatch(message, key) : openPlain(message, key)
}

/** For what is sent again later, without its routing key. */
const withKey = (message: Incoming, key: string): Incoming => ({
  ...message,
  headers: { ...message.headers, [keyHeader]: key },
})

const openBatch = (message: Incoming, key: string): OpenedEvents => {
  const items: Array<EventItem> = []
  const unreadable: Array<Unreadable> = []
  const refuse = (why: string, remains: Remains) => unreadable.push({ why, answer: undefined, to: key, remains })
  const original = () => withKey(message, key)
  const batch = decodeBatch(message)
  const home = origin(key)
  if (isMalformed(batch)) refuse(batch.why, whole(original()))
  else {
    for (const item of batch.items) {
      if (isMalformed(item)) refuse(item.why, partOf(original(), batch.node, item))
      else if (item.kind !== "event") refuse(`a ${item.kind} is no event`, whole(original()))
      else {
        const why = locate(item, item.to === undefined || item.to === key ? home : origin(item.to))
        if (why === undefined) items.push(item)
        else refuse(why, { kind: "item", item })
      }
    }
  }
  return { items, unreadable, plain: undefined, packed: isPacked(message), replays: replaysOf(message) }
}

const openPlain = (message: Incoming, key: string): OpenedEvents => {
  const home = origin(key)
  const rest = { plain: { correlationId: undefined }, packed: false, replays: replaysOf(message) }
  const refused = (why: string): OpenedEvents => ({
    items: [],
    unreadable: [{ why, answer: undefined, to: key, remains: whole(withKey(message, key)) }],
    ...rest,
  })
  if (home.event === undefined) return refused(noKey(key))
  const item = decodePlainEvent(message, home.event, uuid)
  if (isMalformed(item)) return refused(item.why)
  locate(item, home)
  return { items: [item], unreadable: [], ...rest }
}

interface Origin {
  readonly key: string
  /** The event's name; undefined when it is the key of none. */
  readonly event: string | undefined
  readonly sender: string
}

const origin = (key: string): Origin => {
  const read = readEventKey(key)
  return { key, event: read?.event, sender: read === undefined ? "" : format(read.source) }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Says in the item where it comes from (O1); the result is why it cannot. */
const locate = (item: Mutable<EventItem>, { key, event, sender }: Origin): string | undefined => {
  if (event === undefined) return noKey(key)
  if (event !== item.name) return `the event ${JSON.stringify(item.name)} came with the key of ${event}`
  item.to = key
  item.sender = sender
  return undefined
}

const noKey = (key: string): string => `${JSON.stringify(key)} is the key of no event: want domain.type.id.vMAJOR.event`
