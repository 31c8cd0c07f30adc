// Ids for AMQP messages: a UUID of this process and a number, as a UUID for each would be a good part of what a message costs.

import { v7 as uuid } from "uuid"

const run = uuid()
let count = 0

/** Unique. */
export const messageId = (): string => `${run}.${++count}`
