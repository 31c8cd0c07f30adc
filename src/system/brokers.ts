// Which broker a system runs on, by name or as a Layer.

import type { Layer } from "effect"
import type { Broker } from "../broker/broker.ts"
import { Embedded } from "../broker/embedded/embedded.ts"
import { RabbitMq } from "../broker/rabbitmq/rabbitmq.ts"

/**
 * `"embedded"`: a broker of its own inside this process, gone with it; for first tries and tests.
 * `"amqp://user:password@host/vhost"`, `"amqps://..."`: RabbitMQ. A Layer: anything else.
 */
export type BrokerChoice = "embedded" | (string & {}) | Layer.Layer<Broker>

export const brokerLayer = (choice: BrokerChoice): Layer.Layer<Broker> => {
  if (typeof choice !== "string") return choice
  if (choice === "embedded") return Embedded.layer
  if (/^amqps?:\/\//.test(choice)) return RabbitMq.layer(choice)
  throw new TypeError(`broker ${JSON.stringify(choice)}: want "embedded", "amqp://...", "amqps://..." or a Layer`)
}
