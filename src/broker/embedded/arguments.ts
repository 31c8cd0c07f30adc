// What a second declaration may not change, and how RabbitMQ names the first difference. Pure.

import type { ExchangeSpec, QueueSpec } from "../broker.ts"
import { Refused } from "../errors.ts"
import { checkShortString } from "../limits.ts"
import { defaultDeliveryLimit } from "./queue.ts"

type Value = string | number | boolean | undefined

/** In the order in which RabbitMQ compares them, which is not the same for all types of queue. */
const order = {
  quorum: [
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-expires",
    "x-max-length",
    "x-overflow",
    "x-single-active-consumer",
    "x-queue-type",
    "x-delivery-limit",
  ],
  stream: ["x-queue-type", "x-max-length-bytes", "x-max-age", "x-stream-max-segment-size-bytes"],
  classic: [
    "x-expires",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-max-length",
    "x-overflow",
    "x-single-active-consumer",
    "x-queue-type",
  ],
} as const

/** The arguments of a declaration as they are on the wire. */
export const queueArguments = (spec: QueueSpec): Readonly<Record<string, Value>> => ({
  "x-queue-type": spec.type,
  "x-expires": spec.expires,
  "x-max-length": spec.maxLength,
  "x-overflow": spec.maxLength === undefined ? undefined : spec.overflow === "oldest" ? "drop-head" : "reject-publish",
  "x-dead-letter-exchange": spec.deadLetter?.exchange,
  "x-dead-letter-routing-key": spec.deadLetter?.routingKey,
  "x-single-active-consumer": spec.singleActiveConsumer === true ? true : undefined,
  "x-delivery-limit": spec.type === "quorum" ? (spec.deliveryLimit ?? defaultDeliveryLimit) : undefined,
  "x-max-age": spec.retention?.age === undefined ? undefined : `${spec.retention.age}s`,
  "x-max-length-bytes": spec.retention?.bytes,
  "x-stream-max-segment-size-bytes": spec.retention?.segment,
})

/** The refusal of a queue that exists with other arguments, or undefined. */
export const queueClash = (declared: QueueSpec, existing: QueueSpec): Refused | undefined => {
  const here = queueArguments(declared)
  const there = queueArguments(existing)
  const name = order[existing.type].find((each) => here[each] !== there[each])
  return name === undefined ? undefined : clash("queue", declared.name, name, here[name], there[name])
}

export const exchangeClash = (declared: ExchangeSpec, existing: ExchangeSpec): Refused | undefined =>
  declared.type === existing.type ? undefined : clash("exchange", declared.name, "type", declared.type, existing.type)

/** Names that nobody may give to a queue or exchange. */
export const misnamed = (kind: "queue" | "exchange", name: string): Refused | undefined => {
  const what = `declare ${kind} ${name}`
  const unfit = unspeakable(what, name)
  if (unfit !== undefined || !name.startsWith("amq.")) return unfit
  return new Refused({
    what,
    why: `${kind} name '${name}' contains reserved prefix 'amq.*'`,
    next: "Choose another name.",
  })
}

/** Names and keys that AMQP cannot carry. */
export const unspeakable = (what: string, name: string, ...keys: ReadonlyArray<string>): Refused | undefined => {
  if (name === "") return new Refused({ what, why: "the name is empty", next: "Give it a name." })
  for (const text of [name, ...keys]) {
    const why = checkShortString(text)
    if (why !== undefined) return new Refused({ what, why, next: "Choose a shorter name." })
  }
  return undefined
}

const clash = (kind: "queue" | "exchange", name: string, argument: string, here: Value, there: Value): Refused =>
  new Refused({
    what: `declare ${kind} ${name}`,
    why: `${kind} ${name} exists with another ${argument}: declared here is ${here ?? "none"}, the broker has ${there ?? "none"}`,
    next: `Declare it as the broker has it, or drain and delete the ${kind} there first`,
  })
