// What the members of one node share.

import type { Context } from "effect"
import type { Node } from "../messaging/node.ts"

export interface Surroundings {
  readonly node: Node
  readonly domain: string
  /** ms. */
  readonly askTimeout: number
  /** Services for factories and handlers, and the logger, the clock and so on. */
  readonly services: Context.Context<never>
}
