// One stream that a cell has taken on: its handler, and the session that it serves.
//
// G1. What the handler gives back decides how it is run: an iterable, an Effect Stream, or one reply as of any ask.
// G2. A declared error is the last thing that its caller gets. Any other failure ends the cell, unless the stream was over.
// G3. When the stream is over, the signal aborts, an iterator is told to return, and an Effect is interrupted. A handler
//     that goes on all the same is stuck, and its cell with it (promise 1).

import { Cause, Context, Effect, Exit, type Fiber, Stream } from "effect"
import type { Entry } from "../messaging/deadlines.ts"
import type { Job } from "../messaging/job.ts"
import { asError } from "../messaging/thrown.ts"
import { type CompiledStream, Mismatch } from "../protocol/codec.ts"
import { AskError, type AskReason, Crashed, Rejected } from "../protocol/errors.ts"
import { Inlet } from "../streams/inlet.ts"
import { Outlet } from "../streams/outlet.ts"
import { drain, iteratorOf, pump } from "../streams/pump.ts"
import type { Session, User } from "../streams/session.ts"
import type { AskItem, Outcome } from "../wire/item.ts"
import { JobContext } from "./context.ts"
import { CurrentJob, runApart } from "./current.ts"
import { resultSort } from "./result.ts"
import type { StreamsOptions } from "./streams.ts"

/** A stream has no deadline once it is open. */
class StreamContext extends JobContext {
  override get deadline(): undefined {
    return undefined
  }
}

export class RunningStream {
  readonly #options: StreamsOptions
  readonly #job: Job
  readonly #message: CompiledStream
  readonly #closed: () => void
  readonly #session: Session
  #inlet: Inlet | undefined
  #outlet: Outlet | undefined
  #fiber: Fiber.Fiber<unknown, unknown> | undefined
  #stuck: Entry | undefined
  /** The handler has ended. */
  #handled = false

  /** @param closed called once its handler has ended. */
  constructor(options: StreamsOptions, ask: AskItem, job: Job, message: CompiledStream, closed: () => void) {
    this.#options = options
    this.#job = job
    this.#message = message
    this.#closed = closed
    const user = (session: Session): User => this.#use(session)
    this.#session = options.sessions.accept(ask, message, user, options.epoch(), job.sending())
  }

  #use(session: Session): User {
    const { payload, reply, up, down } = this.#message
    if (up) {
      this.#inlet = new Inlet({
        decode: payload.decode,
        spoilt: (error) => {
          const reason = new Rejected({ why: `an item is not what the protocol says: ${asError(error).message}` })
          session.abort(reason)
          return this.#failure(reason)
        },
        used: (items, bytes) => session.used(items, bytes),
        left: () => session.stop(),
      })
    }
    if (down) this.#outlet = new Outlet(session, reply.encode)
    return {
      items: (items, bytes) => this.#inlet?.put(items, bytes),
      complete: () => this.#inlet?.complete(),
      room: () => this.#outlet?.wake(),
      unwanted: () => {},
      over: (outcome) => this.#over(outcome),
    }
  }

  #failure(reason: AskReason): AskError {
    return new AskError({ address: this.#options.address, call: this.#job.item.name, reason })
  }

  /** Runs the handler. */
  begin(payload: unknown): void {
    if (this.#session.isOver) return this.#ended()
    const { handlers } = this.#options
    const context = new StreamContext(this.#job)
    runApart(() => {
      try {
        this.#go(handlers[this.#job.item.name]?.(this.#inlet?.incoming ?? payload, context))
      } catch (error) {
        this.#failed(error)
      }
    })
  }

  end(reason: AskReason): void {
    this.#session.abort(reason)
  }

  /** G1 */
  #go(result: unknown): void {
    const outlet = this.#outlet
    if (outlet !== undefined && Stream.isStream(result)) {
      return this.#fork(drain(result as Stream.Stream<unknown, unknown>, outlet), () => this.#succeeded(undefined))
    }
    const next = outlet === undefined ? (value: unknown) => this.#succeeded(value) : (value: unknown) => this.#go(value)
    const sort = resultSort(result)
    if (sort === "effect") return this.#fork(result as Effect.Effect<unknown, unknown>, next)
    if (sort === "promise") return this.#await(Promise.resolve(result), next)
    if (outlet === undefined) return this.#succeeded(result)
    const iterator = iteratorOf(result)
    if (iterator === undefined) throw new Mismatch(`${this.#job.item.name} gave back nothing to iterate over`)
    this.#await(pump(iterator, outlet), () => this.#succeeded(undefined))
  }

  #await<A>(promise: Promise<A>, next: (value: A) => void): void {
    promise.then(next).catch((error) => this.#failed(error))
  }

  #fork(effect: Effect.Effect<unknown, unknown>, next: (value: unknown) => void): void {
    const services = Context.add(this.#options.services, CurrentJob, undefined)
    const fiber = Effect.runForkWith(services)(effect)
    this.#fiber = fiber
    if (this.#session.isOver) fiber.interruptUnsafe()
    fiber.addObserver((exit) => {
      try {
        if (Exit.isSuccess(exit)) next(exit.value)
        else this.#failed(Cause.squash(exit.cause))
      } catch (error) {
        this.#failed(error)
      }
    })
  }

  #succeeded(value: unknown): void {
    if (!this.#session.isOver) {
      const encoded = this.#message.down ? undefined : this.#encode(value)
      this.#handled = true
      this.#session.finish({ tag: "value", value: encoded })
    }
    this.#ended()
  }

  #encode(value: unknown): unknown {
    try {
      return this.#message.reply.encode(value)
    } catch (error) {
      const { name } = this.#job.item
      throw new Mismatch(`the reply of ${name} is not what its protocol says: ${asError(error).message}`)
    }
  }

  /** G2 */
  #failed(error: unknown): void {
    this.#handled = true
    if (this.#session.isOver) return this.#ended()
    const answer = this.#answer(error)
    if (answer === undefined) return this.#crash(error)
    try {
      this.#session.finish(answer)
    } catch (mismatch) {
      return this.#crash(mismatch)
    }
    this.#ended()
  }

  #crash(thrown: unknown): void {
    const error = asError(thrown)
    this.#session.finish({ tag: "failed", reason: new Crashed({ why: error.message }) })
    this.#ended()
    this.#options.crashed(error)
  }

  /** Undefined for a crash. What was thrown may refuse every look at it, e.g. a Proxy: then it is none that we know. */
  #answer(error: unknown): Outcome | undefined {
    try {
      if (error instanceof Rejected) return { tag: "failed", reason: error }
      if (this.#message.isDeclared(error)) return { tag: "declared", error: this.#message.error.encode(error) }
    } catch {
      // it is a crash
    }
    return undefined
  }

  /** G3 */
  #over(outcome: Outcome): void {
    const { node, stuckAfter, crashed } = this.#options
    this.#outlet?.close()
    if (this.#handled) return
    const reason = outcome.tag === "failed" ? outcome.reason : undefined
    if (reason !== undefined) {
      this.#inlet?.fail(this.#failure(reason), true)
      this.#job.abort(reason)
    }
    this.#fiber?.interruptUnsafe()
    this.#stuck = node.deadlines.add(node.now() + stuckAfter, () =>
      crashed(new Error(`stuck: ${this.#job.item.name} is still running ${stuckAfter} ms after its stream was over`)),
    )
  }

  #ended(): void {
    this.#stuck?.cancel()
    this.#inlet?.return()
    this.#closed()
  }
}
