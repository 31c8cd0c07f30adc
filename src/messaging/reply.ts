// How the outcome of an ask goes back to its caller.

import type { AskItem, Outcome } from "../wire/item.ts"
import type { Job } from "./job.ts"
import type { Node } from "./node.ts"
import type { ReplyAddress } from "./opening.ts"
import type { Hints } from "./post.ts"

/**
 * Answers the ask of a job, unless nobody waits any more. The job is not settled before the answer is confirmed.
 *
 * @throws TypeError when the outcome is not JSON.
 */
export const reply = (node: Node, job: Job, outcome: Outcome | undefined, hints?: Hints): void => {
  const { ask } = job
  if (ask === undefined) return
  node.cancels.forget(job)
  if (outcome === undefined || job.aborted !== undefined) return
  const sent = job.sending()
  try {
    node.post.answer(replyAddress(job, ask), outcome, hints, sent)
  } catch (error) {
    sent() // it is not JSON, so nothing was sent; without this the ack would wait for ever
    throw error
  }
}

const replyAddress = (job: Job, ask: AskItem): ReplyAddress =>
  job.hand.plain === undefined
    ? { kind: "node", queue: ask.replyTo, id: ask.id, packed: job.hand.packed }
    : { kind: "plain", queue: ask.replyTo, correlationId: job.hand.plain.correlationId }
