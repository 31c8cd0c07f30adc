// A goal as its handler sees it.

import { Rejected } from "../protocol/errors.ts"
import type { Goal, Headers } from "../protocol/handlers.ts"
import type { MailItem } from "../wire/item.ts"

const none: Headers = Object.freeze({})

export interface GoalFacts {
  readonly id: string
  readonly goal: unknown
  /** The message that brought it. */
  readonly item: MailItem
  readonly attempt: number
  readonly signal: AbortSignal
  readonly feedback: (value: unknown) => void
  readonly partial: (value: unknown) => void
}

export class GoalContext implements Goal<unknown, unknown, unknown> {
  readonly id: string
  readonly goal: unknown
  readonly attempt: number
  readonly signal: AbortSignal
  readonly feedback: (value: unknown) => void
  readonly partial: (value: unknown) => void
  /** The deadline of the message was one for taking the goal. */
  readonly deadline = undefined
  /** A reminder sends tells. */
  readonly reminder = undefined
  readonly sender: string | undefined
  readonly epoch: number | undefined
  readonly messageId: string
  readonly headers: Headers

  constructor({ id, goal, item, attempt, signal, feedback, partial }: GoalFacts) {
    this.id = id
    this.goal = goal
    this.attempt = attempt
    this.signal = signal
    this.feedback = feedback
    this.partial = partial
    this.sender = item.sender
    this.epoch = item.epoch
    this.messageId = `${item.node}:${item.id}`
    this.headers = item.headers ?? none
  }

  readonly reject = (why: string): never => {
    throw new Rejected({ why })
  }
}
