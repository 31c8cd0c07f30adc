// What every node declares on the broker before anything else: exchanges, and the queue of dead letters.

import { Effect } from "effect"
import type { Link } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import { unlimitedDeliveries } from "../broker/limits.ts"
import type { Names } from "../wire/names.ts"
import type { LinkUser } from "./connection.ts"

export const topology = (names: Names): LinkUser => ({
  up: (link: Link): Effect.Effect<void, BrokerError> =>
    Effect.gen(function* () {
      yield* link.declareExchange({ name: names.mail, type: "direct" })
      yield* link.declareExchange({ name: names.control, type: "direct" })
      yield* link.declareExchange({ name: names.presence, type: "topic" })
      yield* link.declareExchange({ name: names.events, type: "topic" })
      yield* link.declareExchange({ name: names.dead, type: "direct" })
      // Listing dead letters returns them, and that must not cost one.
      yield* link.declareQueue({ name: names.deadLetters, type: "quorum", deliveryLimit: unlimitedDeliveries })
      yield* link.bind({ queue: names.deadLetters, exchange: names.dead, routingKey: names.deadLetters })
    }),
  down: () => {},
})
