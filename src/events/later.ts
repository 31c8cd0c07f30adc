// What a part of the broker's cluster that is down keeps from being brought up: it is tried again, and nobody waits for it.

import { Effect } from "effect"
import type { Link } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import type { Node } from "../messaging/node.ts"

/** ms between two attempts. */
const tryAgain = 2_000

/** @param up brings it up on this link. */
export const orLater = (
  node: Node,
  link: Link,
  up: Effect.Effect<void, BrokerError>,
): Effect.Effect<void, BrokerError> => {
  const again: Effect.Effect<void> = Effect.suspend(() => {
    if (node.connection.link !== link) return Effect.void // the next link brings it up
    const tried = Effect.catchTag(up, "Inaccessible", () => later)
    return Effect.catch(tried, ({ _tag, message }) =>
      Effect.sync(() => {
        if (_tag !== "LinkLost") node.log("Error", message)
      }),
    )
  })
  const later = Effect.andThen(Effect.sleep(tryAgain), again)
  return Effect.catchTag(up, "Inaccessible", ({ message }) =>
    Effect.sync(() => {
      node.log("Warn", `${message}; it is tried again`)
      node.run(later)
    }),
  )
}
