// What fills a queue, where that is not the mail of actors: events that a group shares.

import type { Effect } from "effect"
import type { Incoming, Link } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import type { Mail } from "./opening.ts"

export interface Supply {
  /** Leads to the queue what belongs there; on each new link, once it is declared and before it is consumed. */
  readonly bind: (link: Link) => Effect.Effect<void, BrokerError>
  /** Opens what it delivers. Never throws. */
  readonly open: (message: Incoming) => Mail
}

/** Where a message has to be published to get into a queue. */
export interface Target {
  readonly exchange: string
  readonly routingKey: string
}
