// Brings something up again on a link that lives, when the broker has ended its consumer.

import { Effect } from "effect"
import type { BrokerError } from "../broker/errors.ts"

/**
 * Tries until it is up. RabbitMQ cancels before it deletes: a queue may still be there when it is declared, and be gone a
 * moment later.
 *
 * @param wanted asked before each try: whether its owner is still there, and the link still its own.
 * @param pause ms between two tries.
 */
export const untilUp = (
  up: Effect.Effect<void, BrokerError>,
  wanted: () => boolean,
  pause: number,
): Effect.Effect<void> =>
  Effect.suspend(() =>
    wanted() ? Effect.catch(up, () => Effect.andThen(Effect.sleep(pause), untilUp(up, wanted, pause))) : Effect.void,
  )
