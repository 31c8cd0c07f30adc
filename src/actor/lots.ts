// How a cell handles a lot: one call of a batch handler for several messages of one kind (messaging/lot.ts).
//
// T1. Bad input is refused by itself: the handler is given the others (promise 7).
// T2. What the handler sends is sent on behalf of the first of them, and all are settled with it.
// T3. A handler that refuses a lot is given each message alone, and so is one that crashes, in the next cell (promise 6).

import { Cause, Context, Effect, Exit } from "effect"
import type { Portions } from "../messaging/agenda.ts"
import type { Job } from "../messaging/job.ts"
import type { Lot } from "../messaging/lot.ts"
import { asError } from "../messaging/thrown.ts"
import { Batch } from "../protocol/batch.ts"
import type { CompiledMessage } from "../protocol/codec.ts"
import { Rejected } from "../protocol/errors.ts"
import { JobContext } from "./context.ts"
import { CurrentJob, runAs } from "./current.ts"
import { type ResultSort, resultSort } from "./result.ts"

type AnyBatch = Batch<unknown, unknown, JobContext>

export interface LotOptions {
  readonly messages: ReadonlyMap<string, CompiledMessage>
  readonly handlers: { readonly [name: string]: unknown }
  readonly services: Context.Context<never>
  readonly crashed: (error: unknown) => void
}

export class Lots {
  readonly portions: Portions
  readonly #batches: ReadonlyMap<string, AnyBatch>
  readonly #options: LotOptions

  private constructor(options: LotOptions, batches: ReadonlyMap<string, AnyBatch>) {
    this.#options = options
    this.#batches = batches
    // An ask wants a reply of its own: the compiler knows, and who has none is given one at a time.
    this.portions = new Map([...batches].filter(([name]) => options.messages.get(name)?.kind === "tell"))
  }

  /** Undefined when none of the handlers takes several messages at once. */
  static of(options: LotOptions): Lots | undefined {
    const batches = new Map<string, AnyBatch>()
    for (const name of options.messages.keys()) {
      const handler = options.handlers[name]
      if (handler instanceof Batch) batches.set(name, handler)
    }
    return batches.size === 0 ? undefined : new Lots(options, batches)
  }

  /** The handler of one message alone, if it is a batch handler. */
  alone(name: string): ((payload: unknown, context: JobContext) => unknown) | undefined {
    const batch = this.#batches.get(name)
    return batch && ((payload, context) => batch.handle([payload], [context]))
  }

  start(lot: Lot): void {
    const payloads = this.#decoded(lot)
    const { lead } = lot
    if (lead === undefined) return // none of them could be read
    let result: unknown
    let sort: ResultSort
    try {
      const contexts = lot.running.map((job) => new JobContext(job))
      result = runAs(lead, () => this.#batches.get(lead.item.name)?.handle(payloads, contexts))
      sort = resultSort(result)
    } catch (error) {
      return this.#failed(lot, error)
    }
    if (sort === "value") return lot.answer()
    if (sort === "effect") return this.#fork(lot, lead, result as Effect.Effect<unknown, unknown>)
    Promise.resolve(result).then(
      () => lot.answer(),
      (error) => this.#failed(lot, error),
    )
  }

  /** T1. */
  #decoded({ jobs }: Lot): ReadonlyArray<unknown> {
    return jobs.flatMap((job) => {
      const { name, payload } = job.item
      const message = this.#options.messages.get(name)
      try {
        return message?.kind === "tell" ? [message.payload.decode(payload)] : []
      } catch (error) {
        job.reject(new Rejected({ why: `${name}: ${asError(error).message}` }))
        return []
      }
    })
  }

  #fork(lot: Lot, lead: Job, effect: Effect.Effect<unknown, unknown>): void {
    const services = Context.add(this.#options.services, CurrentJob, lead)
    const fiber = Effect.runForkWith(services)(effect)
    lead.onAbort(() => fiber.interruptUnsafe())
    fiber.addObserver((exit) => {
      if (Exit.isSuccess(exit)) lot.answer()
      else this.#failed(lot, Cause.squash(exit.cause))
    })
  }

  /** T3. */
  #failed(lot: Lot, thrown: unknown): void {
    const { lead } = lot
    if (lead === undefined) return // its cell has ended before
    const [, second] = lot.running
    const rejected = asRejected(thrown)
    if (rejected !== undefined) return second === undefined ? lead.reject(rejected) : lot.divide()
    const error = asError(thrown)
    lot.crash(error)
    this.#options.crashed(error)
  }
}

/** What was thrown may refuse every look at it, e.g. a Proxy: then it is none that we know. */
const asRejected = (thrown: unknown): Rejected | undefined => {
  try {
    return thrown instanceof Rejected ? thrown : undefined
  } catch {
    return undefined
  }
}
