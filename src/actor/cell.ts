// A cell: one incarnation of a behaviour, while it handles mail.
//
// L1. What a handler gives back decides how it is run: a value at once, a promise by `then`, an Effect on a fiber.
// L2. A declared error is an answer. Any other failure ends the cell, unless the message had been aborted before.
// L3. Bad input never reaches a handler, and never ends the cell (promise 7).

import { Cause, Context, Effect, Exit, type Fiber } from "effect"
import type { Job } from "../messaging/job.ts"
import type { Lot } from "../messaging/lot.ts"
import type { Receiver } from "../messaging/receiver.ts"
import { asError } from "../messaging/thrown.ts"
import {
  type CompiledAction,
  type CompiledCall,
  type CompiledMessage,
  type CompiledStream,
  Mismatch,
} from "../protocol/codec.ts"
import { Rejected } from "../protocol/errors.ts"
import { JobContext } from "./context.ts"
import { CurrentJob, runAs } from "./current.ts"
import { Lots } from "./lots.ts"
import { type ResultSort, resultSort } from "./result.ts"

/** Handlers without their types: by the time mail is handled, the compiler has done its part. */
export type AnyHandlers = { readonly [name: string]: (payload: unknown, context: JobContext) => unknown }

export interface CellOptions {
  /** What it speaks, for people. */
  readonly protocol: { readonly name: string; readonly version: string }
  readonly messages: ReadonlyMap<string, CompiledMessage>
  readonly handlers: AnyHandlers
  /** The services that Effect handlers need. */
  readonly services: Context.Context<never>
  /** A message that sends a goal. */
  readonly submit: (job: Job, message: CompiledAction) => void
  /** A message that opens a stream. */
  readonly openStream: (job: Job, message: CompiledStream) => void
  /** A handler crashed, and the cell is over. Jobs that ran beside it may call it again. */
  readonly crashed: (error: unknown) => void
}

export class Cell implements Receiver {
  readonly #options: CellOptions
  /** Undefined when every handler takes one message. */
  readonly #lots: Lots | undefined

  constructor(options: CellOptions) {
    this.#options = options
    this.#lots = Lots.of(options)
  }

  get portions(): Receiver["portions"] {
    return this.#lots?.portions
  }

  startLot(lot: Lot): void {
    this.#lots?.start(lot)
  }

  start(job: Job): void {
    const { item } = job
    const message = this.#options.messages.get(item.name)
    if (message === undefined) return job.reject(this.#unknown(item.name))
    switch (message.kind) {
      case "action":
        return this.#options.submit(job, message)
      case "stream":
        return this.#options.openStream(job, message)
      case "event":
        return job.reject(new Rejected({ why: `${item.name} is of kind ${message.kind}: it is no ask and no tell` }))
      default:
        return this.#call(job, message)
    }
  }

  /** The version tells who asks which member it was: minor versions mix in one clique. */
  #unknown(name: string): Rejected {
    const { name: type, version } = this.#options.protocol
    return new Rejected({
      why: `there is no message ${JSON.stringify(name)} in ${type} ${version}, which this member speaks`,
    })
  }

  #call(job: Job, message: CompiledCall): void {
    const { item } = job
    // A plain client may leave a reply queue in a tell; an ask without one is handled like a tell.
    let payload: unknown
    try {
      payload = message.payload.decode(item.payload)
    } catch (error) {
      return job.reject(new Rejected({ why: `${item.name}: ${asError(error).message}` }))
    }
    this.#handle(job, message, payload)
  }

  crash(job: Job, thrown: unknown): void {
    if (!job.running) return
    const error = asError(thrown)
    job.crash(error)
    this.#options.crashed(error)
  }

  #handle(job: Job, message: CompiledCall, payload: unknown): void {
    let result: unknown
    let sort: ResultSort
    try {
      result = runAs(job, () => this.#run(job.item.name, payload, new JobContext(job)))
      sort = resultSort(result)
    } catch (error) {
      return this.#failed(job, message, error)
    }
    if (sort === "effect") return this.#fork(job, message, result as Effect.Effect<unknown, unknown>)
    if (sort === "value") return this.#succeeded(job, message, result)
    Promise.resolve(result).then(
      (value) => this.#succeeded(job, message, value),
      (error) => this.#failed(job, message, error),
    )
  }

  /** A method is called on its behaviour. */
  #run(name: string, payload: unknown, context: JobContext): unknown {
    const alone = this.#lots?.alone(name)
    return alone === undefined ? this.#options.handlers[name]?.(payload, context) : alone(payload, context)
  }

  #fork(job: Job, message: CompiledCall, effect: Effect.Effect<unknown, unknown>): void {
    const services = Context.add(this.#options.services, CurrentJob, job)
    const fiber: Fiber.Fiber<unknown, unknown> = Effect.runForkWith(services)(effect)
    job.onAbort(() => fiber.interruptUnsafe())
    fiber.addObserver((exit) => {
      if (Exit.isSuccess(exit)) this.#succeeded(job, message, exit.value)
      else this.#failed(job, message, Cause.squash(exit.cause))
    })
  }

  #succeeded(job: Job, message: CompiledCall, value: unknown): void {
    if (message.kind === "tell") return job.answer(undefined)
    try {
      job.answer({ tag: "value", value: message.reply.encode(value) })
    } catch (error) {
      this.crash(
        job,
        new Mismatch(`the reply of ${job.item.name} is not what its protocol says: ${asError(error).message}`),
      )
    }
  }

  #failed(job: Job, message: CompiledCall, error: unknown): void {
    const sort = failureSort(message, error)
    if (sort === "rejected") return job.reject(error as Rejected)
    if (sort === "declared") {
      try {
        return job.answer({ tag: "declared", error: message.error.encode(error) })
      } catch (mismatch) {
        return this.crash(job, mismatch)
      }
    }
    // Nobody waits for an aborted message: that its handler gave up is what was asked of it.
    if (job.aborted !== undefined) return job.answer(undefined)
    this.crash(job, error)
  }
}

/** What was thrown may refuse every look at it, e.g. a Proxy: then it is none that we know. */
export const failureSort = (
  message: Pick<CompiledCall, "isDeclared">,
  error: unknown,
): "rejected" | "declared" | "unknown" => {
  try {
    return error instanceof Rejected ? "rejected" : message.isDeclared(error) ? "declared" : "unknown"
  } catch {
    return "unknown"
  }
}
