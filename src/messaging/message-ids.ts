// Ids for AMQP messages: UUIDs of version 7, without a call into the random source of the system for each.

import { randomBytes } from "node:crypto"
import { v7 } from "uuid"

/** Drawn once: time and the counter below make the difference (RFC 9562, 6.2, method 1). */
const random = randomBytes(16)
let counter = random.readUInt32BE(0) >>> 1

/** Unique, and in the order in which they were made within one ms and one process. */
export const messageId = (): string => {
  counter = (counter + 1) >>> 0
  return v7({ random, seq: counter })
}
