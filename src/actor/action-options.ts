// What an actor says of its actions: how many goals run at once, and what becomes of one more.

import type { Policy } from "../actions/policy.ts"
import type { Action, Messages } from "../protocol/message.ts"
import type { AnyProtocol } from "../protocol/protocol.ts"

/** Of one action, in one member: the members of a `shared` clique decide each for themselves. */
export interface ActionOptions {
  /** Goals that run at once, side by side and beside the mailbox; at least 1. Default 1. */
  readonly atMost?: number
  /**
   * What becomes of a goal that comes while so many run. `queue` (default): it is accepted and waits for its turn. `reject`:
   * it is rejected. `preempt`: the oldest that runs is asked to stop and ends `preempted`, and the new one takes its place as
   * soon as that is done; of those that wait for a place only the newest are kept.
   */
  readonly policy?: "queue" | "reject" | "preempt"
  /** Goals that may wait with `queue`; one more is rejected. Default 100. */
  readonly waiting?: number
}

type ActionNames<M extends Messages> = {
  [K in keyof M]: M[K] extends Action<infer _G, infer _F, infer _R, infer _E> ? K : never
}[keyof M]

/** By the name of the action. */
export type ActionsOptions<M extends Messages> = { readonly [K in ActionNames<M>]?: ActionOptions }

export const policyOf = ({ atMost = 1, policy = "queue", waiting = 100 }: ActionOptions = {}): Policy => ({
  atMost,
  policy,
  waiting,
})

/** What is wrong with them, or undefined. */
export const wrongActions = (
  { name, messages }: AnyProtocol,
  options: Readonly<Record<string, ActionOptions>>,
): string | undefined => {
  for (const [action, { atMost = 1, waiting = 0 }] of Object.entries(options)) {
    if (messages[action]?.kind !== "action") return `protocol ${name} has no action ${JSON.stringify(action)}`
    if (!Number.isInteger(atMost) || atMost < 1) return `atMost of ${action} must be a whole number from 1 on`
    if (!Number.isInteger(waiting) || waiting < 0) return `waiting of ${action} must be a whole number from 0 on`
  }
  return undefined
}
