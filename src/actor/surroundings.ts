// What the members of one node share.

import type { Context } from "effect"
import type { Actions } from "../actions/actions.ts"
import type { Leadership } from "../clique/leadership.ts"
import type { Events } from "../events/events.ts"
import type { Node } from "../messaging/node.ts"
import type { Presence } from "../presence/presence.ts"
import type { Sessions } from "../streams/sessions.ts"

export interface Surroundings {
  readonly node: Node
  readonly presence: Presence
  readonly actions: Actions
  readonly sessions: Sessions
  readonly events: Events
  readonly domain: string
  /** Of the members of `single` cliques that run here, by routing key. */
  readonly leaderships: Map<string, Leadership>
  /** ms. */
  readonly askTimeout: number
  /** Services for factories and handlers, and the logger, the clock and so on. */
  readonly services: Context.Context<never>
}
