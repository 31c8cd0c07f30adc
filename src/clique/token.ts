// The token of a `single` clique: one message in a small queue of its own. Whoever has it unacked leads, and its value,
// which grows with each time that the broker hands it out, is the epoch.
//
// T1. The count comes from the broker's own log: `x-delivery-count` (3.10 to 4.2 count every return there) and
//     `x-acquired-count` (from 4.3 on). Their sum grows whatever the cause was, on each of these versions.
// T2. No limit of deliveries: the token must not be dropped, however often it comes back.

import { v7 as uuid } from "uuid"
import type { Incoming, Outgoing, QueueSpec } from "../broker/broker.ts"
import { unlimitedDeliveries } from "../broker/limits.ts"
import type { Address } from "../wire/address.ts"
import { readJson } from "../wire/json.ts"
import { isMalformed } from "../wire/malformed.ts"
import type { Names } from "../wire/names.ts"

/** Argument for argument part of the wire: all members of a clique declare it. */
export const tokenQueue = (names: Names, address: Address): QueueSpec => ({
  name: names.leadership(address),
  type: "quorum",
  singleActiveConsumer: true,
  deliveryLimit: unlimitedDeliveries, // T2
})

/** @param base larger than every epoch that is known. */
export const token = (queue: string, base: number): Outgoing => ({
  exchange: "",
  routingKey: queue,
  mandatory: true,
  persistent: true,
  messageId: uuid(),
  contentType: "application/json",
  body: Buffer.from(JSON.stringify({ base })),
})

/** What a token is worth, and by what it is told from another; undefined for a message that is none. */
export const readToken = (message: Incoming): { readonly id: string; readonly value: number } | undefined => {
  const { messageId: id, headers } = message
  const read = readJson(message.body)
  if (id === undefined || isMalformed(read)) return undefined
  const { base } = Object(read.value) as { readonly base?: unknown }
  if (typeof base !== "number" || !Number.isSafeInteger(base) || base < 0) return undefined
  return { id, value: base + count(headers["x-delivery-count"]) + count(headers["x-acquired-count"]) }
}

const count = (header: unknown): number =>
  typeof header === "number" && Number.isSafeInteger(header) && header > 0 ? header : 0
