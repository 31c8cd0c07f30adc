// Who calls whom, and how long a call may take.

import { Duration } from "effect"
import type { Actions } from "../actions/actions.ts"
import type { Events } from "../events/events.ts"
import type { Sender } from "../messaging/calls.ts"
import type { Node } from "../messaging/node.ts"
import type { Registry } from "../presence/registry.ts"
import type { Sessions } from "../streams/sessions.ts"
import type { Address } from "../wire/address.ts"

export interface ClientOptions {
  readonly node: Node
  /** The goals that this node follows, and who may have some. */
  readonly actions: Actions
  readonly registry: Registry
  readonly sessions: Sessions
  readonly events: Events
  readonly to: Address
  /** The actor that calls; undefined for a plain program. */
  readonly sender: Sender | undefined
  /** Ends the streams that it has opened, and its loops over events. */
  readonly ended?: AbortSignal
  /** ms, when neither the call nor its protocol says. */
  readonly askTimeout: number
}

/** ms that a number can hold; without a bound it is longer than anybody waits. */
export const millis = (input: Duration.Input): number => {
  const ms = Duration.toMillis(input)
  return Number.isFinite(ms) ? ms : Number.MAX_SAFE_INTEGER / 2
}
