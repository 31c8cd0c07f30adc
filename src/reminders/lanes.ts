// Where the messages of reminders go: to the queue in which they lie, and as mail to the actor that is reminded.

import type { QueueSpec } from "../broker/broker.ts"
import { unlimitedDeliveries } from "../broker/limits.ts"
import type { Lane } from "../messaging/lane.ts"
import type { Node } from "../messaging/node.ts"
import { type Address, routingKey } from "../wire/address.ts"
import type { Names } from "../wire/names.ts"

/** Argument for argument part of the wire: all members of a clique declare it. */
export const remindersQueue = (names: Names, address: Address): QueueSpec => ({
  name: names.reminders(address),
  type: "quorum",
  singleActiveConsumer: true,
  // A reminder must not be dropped, however often it comes back.
  deliveryLimit: unlimitedDeliveries,
})

export const recordsTo = ({ outbox, names, id }: Node, address: Address): Lane =>
  outbox.lane({
    exchange: "",
    routingKey: names.reminders(address),
    mandatory: true,
    node: id,
    spread: false,
    onNack: "fail",
  })

/** @param node the identity of the reminder: what is sent for it is known again, whoever sends it. */
export const mailTo = ({ outbox, names }: Node, address: Address, node: string): Lane =>
  outbox.lane({
    exchange: names.mail,
    routingKey: routingKey(address),
    mandatory: true,
    node,
    spread: true,
    onNack: "fail",
  })
