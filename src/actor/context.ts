// The context of one message, as its handler sees it.

import type { Job } from "../messaging/job.ts"
import type { Headers, MessageContext, Reminded } from "../protocol/handlers.ts"

const none: Headers = Object.freeze({})

/** A view of a job. A class, so that what most handlers never read costs nothing. */
export class JobContext implements MessageContext {
  readonly #job: Job

  constructor(job: Job) {
    this.#job = job
  }
  get sender(): string | undefined {
    return this.#job.item.sender
  }
  get epoch(): number | undefined {
    return this.#job.item.epoch
  }
  get messageId(): string {
    return this.#job.key
  }
  get headers(): Headers {
    return this.#job.item.headers ?? none
  }
  get deadline(): number | undefined {
    return this.#job.ask?.deadline
  }
  get attempt(): number {
    return this.#job.begun + 1
  }
  get signal(): AbortSignal {
    return this.#job.signal
  }
  get reminder(): Reminded | undefined {
    const { item } = this.#job
    return item.kind === "tell" ? item.reminder : undefined
  }
}
