// The streams that a cell has taken on. They run beside its mailbox (promise 1), and end with it.
//
// S1. A stream is acked once its caller's node has been told that it is taken on: it may last for hours, and is never
//     handed to somebody else. If this process dies its caller is told so (promise 4).
// S2. There are at most `mostStreams` at once; one more is refused, and may be tried elsewhere or later.
// S3. When the cell ends they end, and their callers are told why.

import { type Context, Effect } from "effect"
import type { Job } from "../messaging/job.ts"
import type { Node } from "../messaging/node.ts"
import { asError } from "../messaging/thrown.ts"
import type { CompiledStream } from "../protocol/codec.ts"
import { type AskReason, MailboxFull, Rejected } from "../protocol/errors.ts"
import type { Sessions } from "../streams/sessions.ts"
import type { AskItem } from "../wire/item.ts"
import type { AnyHandlers } from "./cell.ts"
import { RunningStream } from "./running-stream.ts"

const mostStreams = 1024

export interface StreamsOptions {
  readonly node: Node
  readonly sessions: Sessions
  /** Of the actor: `domain/type/id`. */
  readonly address: string
  /** In which it leads its `single` clique. */
  readonly epoch: () => number | undefined
  readonly handlers: AnyHandlers
  /** The services that Effect handlers need. */
  readonly services: Context.Context<never>
  /** ms after the end of a stream until the cell is crashed, if its handler goes on. */
  readonly stuckAfter: number
  /** A handler crashed, and the cell is over. */
  readonly crashed: (error: unknown) => void
}

export class Streams {
  readonly #options: StreamsOptions
  readonly #running = new Set<RunningStream>()
  #waiting: Array<() => void> = []

  constructor(options: StreamsOptions) {
    this.#options = options
  }

  accept(job: Job, message: CompiledStream): void {
    const { name } = job.item
    const opening = job.hand.plain === undefined ? job.ask?.opening : undefined
    if (opening === undefined || opening.up !== message.up || (opening.credit !== undefined) !== message.down) {
      const kind = message.up ? (message.down ? "both ways" : "of payloads") : "of replies"
      const why = `${name} is a stream ${kind}, and was not called as one (docs/wire.md, "Streams")`
      return job.reject(new Rejected({ why }))
    }
    if (this.#running.size >= mostStreams) {
      return job.answer({ tag: "failed", reason: new MailboxFull({ what: this.#options.address }) }) // S2
    }
    let payload: unknown
    try {
      payload = message.up ? undefined : message.payload.decode(job.item.payload)
    } catch (error) {
      return job.reject(new Rejected({ why: `${name}: ${asError(error).message}` }))
    }
    const stream: RunningStream = new RunningStream(this.#options, job.ask as AskItem, job, message, () => {
      this.#running.delete(stream)
      if (this.#running.size === 0) for (const empty of this.#waiting.splice(0)) empty()
    })
    this.#running.add(stream)
    job.answer(undefined) // S1: its answer is on its way, as a frame
    stream.begin(payload)
  }

  /** S3 */
  end(reason: AskReason): void {
    for (const stream of this.#running) stream.end(reason)
  }

  /** Until their handlers have ended. */
  readonly ended: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.#running.size === 0) resume(Effect.void)
    else this.#waiting.push(() => resume(Effect.void))
  })
}
