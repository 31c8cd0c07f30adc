// What an actor's options come to: how its mailbox is declared and served, and what is wrong with them.

import { Duration, Schema } from "effect"
import type { QueueSpec } from "../broker/broker.ts"
import type { MailboxOptions } from "../messaging/mailbox.ts"
import type { AnyProtocol } from "../protocol/protocol.ts"
import { type Address, format, invalid, isToken, sharedKey } from "../wire/address.ts"
import type { Names } from "../wire/names.ts"
import { type ActionOptions, wrongActions } from "./action-options.ts"
import type { ActorDef, ActorOptions } from "./definition.ts"
import { needProblem } from "./needs.ts"

/** An actor that cannot be started as it is defined. */
export class BadActor extends Schema.TaggedError<BadActor>()("BadActor", { why: Schema.String }) {
  get fatal(): true {
    return true
  }
  override get message(): string {
    return this.why
  }
}

const defaults = { capacity: 100_000, maxDeliveries: 3, stuckAfter: 60_000, expires: 60_000 }
/** Only a backstop: what comes back often is dealt with by `maxDeliveries` long before (docs/semantics.md, 6). */
const deliveryLimit = 100

/** The queue of an actor's mail, as it is declared: these arguments are part of the wire (docs/wire.md). */
export const mailboxQueue = (names: Names, address: Address, options: ActorOptions): QueueSpec => {
  const common = {
    name: options.queue === undefined ? names.mailbox(address) : names.sharedMailbox(address.domain, options.queue),
    maxLength: options.capacity ?? defaults.capacity,
    deadLetter: { exchange: names.dead, routingKey: names.deadLetters },
  }
  return options.mailbox === "transient"
    ? { ...common, type: "classic", expires: Duration.toMillis(options.expires ?? defaults.expires) }
    : { ...common, type: "quorum", deliveryLimit }
}

export const mailboxOptions = (names: Names, address: Address, options: ActorOptions): MailboxOptions => ({
  address,
  queue: mailboxQueue(names, address, options),
  sharedKey: options.queue === undefined ? undefined : sharedKey(address.domain, options.queue),
  concurrency: options.concurrency === "unbounded" ? Number.POSITIVE_INFINITY : (options.concurrency ?? 1),
  maxDeliveries: options.maxDeliveries ?? defaults.maxDeliveries,
  stuckAfter: Duration.toMillis(options.stuckAfter ?? defaults.stuckAfter),
  single: options.clique === "single",
  codec: options.codec,
})

/** By the name of the action: the type of the options knows the names of its protocol alone. */
export const actionsOf = ({ actions = {} }: ActorOptions): Readonly<Record<string, ActionOptions>> => actions

const wrongNeed = ({ needs = [] }: ActorOptions): string | undefined =>
  needs.map(({ selection }) => needProblem(selection)).find((why) => why !== undefined)

/** What is wrong with an actor that is to live at this address, or undefined. */
export const problem = (def: ActorDef<AnyProtocol, unknown>, address: Address): string | undefined => {
  const { concurrency, maxDeliveries, clique, queue } = def.options
  if (clique === "single" && queue !== undefined) {
    return `${format(address)}: the leader of a \`single\` clique takes mail from a queue of its own; leave out \`queue\``
  }
  for (const [name, value] of Object.entries({ concurrency, maxDeliveries, capacity: def.options.capacity })) {
    if (typeof value === "number" && (!Number.isInteger(value) || value < 1)) {
      return `${format(address)}: ${name} must be a whole number of at least 1, not ${value}`
    }
  }
  if (def.options.reminders === true && def.options.mailbox === "transient") {
    return `${format(address)}: reminders outlive its members, and a transient mailbox does not; make the mailbox durable`
  }
  if (queue !== undefined && !isToken(queue)) {
    return `${format(address)}: queue ${JSON.stringify(queue)} must be 1 to 63 letters, digits, "_" or "-"`
  }
  const wrong = wrongActions(def.protocol, actionsOf(def.options)) ?? wrongNeed(def.options)
  return wrong === undefined ? invalid(address) : `${format(address)}: ${wrong}`
}
