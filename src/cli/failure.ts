// Why a command saw nothing, and what its user can do about it: one or two lines. Pure.

import { resolve } from "../broker/rabbitmq/options.ts"

const tagOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "_tag" in error ? error._tag : undefined

/** @param url of the broker; what is printed of it has no user and no password. */
export const failure = (error: unknown, url: string): string => {
  const name = resolve(url)
    .hosts.map((host) => host.name)
    .join(", ")
  const text = error instanceof Error ? error.message : String(error)
  const tag = tagOf(error)
  if (tag !== "LinkLost" && tag !== "BrokerUnreachable") return text.includes(name) ? text : `${name}: ${text}`
  const why = error instanceof Error && "why" in error ? String(error.why) : text
  return (
    `${name} cannot be reached: ${why.replace(`connect to ${name}: `, "")}\n` +
    "Is RabbitMQ running there? Name another with --broker URL, or in the AMQP_URL of the environment."
  )
}
