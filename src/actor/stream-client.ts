// The functions of a client that open a stream.
//
// T1. Nothing is sent before somebody wants the first item, or the reply.
// T2. Who leaves a loop early, or is interrupted, ends the stream at both ends.

import { Cause, Context, Effect, Exit, type Fiber, Stream } from "effect"
import type { Job } from "../messaging/job.ts"
import type { Route } from "../messaging/route.ts"
import { asError } from "../messaging/thrown.ts"
import type { CallOptions, Outcome } from "../protocol/client.ts"
import type { CompiledStream } from "../protocol/codec.ts"
import { AskError, Cancelled, Rejected } from "../protocol/errors.ts"
import type { Ask, Message } from "../protocol/message.ts"
import type { MaybeStream, Slot } from "../protocol/slot.ts"
import { Unsendable } from "../streams/outlet.ts"
import { drain, iteratorOf, pump } from "../streams/pump.ts"
import { type ClientOptions, millis } from "./client-options.ts"
import { CurrentJob, currentJob, jobOf } from "./current.ts"
import { StreamCall, type Target } from "./stream-call.ts"

type Settle = (outcome: Outcome<unknown, unknown>) => void
type Open = (payload: unknown, options: CallOptions | undefined, parent: Job | undefined, settle: Settle) => StreamCall

const opener = (target: Target, message: Message): Open => {
  const declared = (message as Partial<Ask<MaybeStream, MaybeStream, Slot>>).options?.timeout
  const usual = declared === undefined ? target.client.askTimeout : millis(declared)
  return (payload, options, parent, settle) => {
    const timeout = options?.timeout === undefined ? usual : millis(options.timeout)
    return new StreamCall(target, { payload, options, timeout, parent, settle })
  }
}

const nobody: Settle = () => {}

// Promises

export const promiseStream = (
  client: ClientOptions,
  to: Route,
  name: string,
  message: Message,
  codec: CompiledStream,
) => {
  const target = { client, to, name, codec }
  const open = opener(target, message)
  if (codec.down) {
    return (payload: unknown, options?: CallOptions): AsyncIterable<unknown> => ({
      [Symbol.asyncIterator]: () =>
        new Opened(() => {
          const call = open(payload, options, currentJob(), nobody)
          feed(call, payload)
          return call
        }),
    })
  }
  const run = (items: unknown, options: CallOptions | undefined, settle: Settle) =>
    feed(open(undefined, options, currentJob(), settle), items)
  const call = (items: unknown, options?: CallOptions) =>
    new Promise<unknown>((resolve, reject) =>
      run(items, options, (outcome) => (outcome.ok ? resolve(outcome.value) : reject(outcome.error))),
    )
  /** It never rejects: what its own payload threw is a refusal. */
  const outcome = (items: unknown, options?: CallOptions) =>
    new Promise<Outcome<unknown, unknown>>((resolve) => run(items, options, (outcome) => resolve(refusal(outcome))))
  const refusal = (outcome: Outcome<unknown, unknown>): Outcome<unknown, unknown> => {
    if (outcome.ok || outcome.error instanceof AskError || codec.isDeclared(outcome.error)) return outcome
    const reason = new Rejected({ why: `the payload failed: ${asError(outcome.error).message}` })
    return { ok: false, error: new AskError({ address: `${to}`, call: name, reason }) }
  }
  return Object.assign(call, { outcome })
}

/** Sends what the program's iterable brings, if the payload of this call is one. */
const feed = (call: StreamCall, items: unknown): void => {
  const { outlet } = call
  if (outlet === undefined) return
  const sending = async () => {
    const iterator = iteratorOf(items)
    if (iterator === undefined) throw new TypeError("the payload of a stream is an iterable or an async iterable")
    if (await pump(iterator, outlet)) call.complete()
  }
  sending().catch((error) => call.throw(error))
}

/** Opens the stream when the first item is wanted (T1). */
class Opened implements AsyncIterableIterator<unknown> {
  readonly #open: () => StreamCall
  #call: StreamCall | undefined
  #left = false

  constructor(open: () => StreamCall) {
    this.#open = open
  }

  next(): Promise<IteratorResult<unknown>> {
    if (this.#left) return Promise.resolve({ done: true, value: undefined })
    this.#call ??= this.#open()
    return this.#call.inlet!.next()
  }

  /** T2 */
  return(value?: unknown): Promise<IteratorResult<unknown>> {
    this.#left = true
    void this.#call?.inlet?.return()
    return Promise.resolve({ done: true, value })
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

// Effects

/** What the Stream of a payload died of: a defect of the caller, and no answer. */
class Died {
  readonly cause: unknown

  constructor(cause: unknown) {
    this.cause = cause
  }
}

const failWith = (error: unknown): Effect.Effect<never, unknown> =>
  error instanceof Died ? Effect.die(error.cause) : Effect.fail(error)

export const effectStream = (
  client: ClientOptions,
  to: Route,
  name: string,
  message: Message,
  codec: CompiledStream,
) => {
  const open = opener({ client, to, name, codec }, message)
  const begin = (
    fiber: Fiber.Fiber<unknown, unknown>,
    payload: unknown,
    options: CallOptions | undefined,
    settle: Settle,
  ): StreamCall => {
    const call = open(payload, options, jobOf(fiber), settle)
    fork(call, payload, fiber.context)
    return call
  }
  if (codec.down) {
    return (payload: unknown, options?: CallOptions): Stream.Stream<unknown, unknown> => {
      const opened = Effect.withFiber<StreamCall>((fiber) => Effect.sync(() => begin(fiber, payload, options, nobody)))
      const acquired = Effect.acquireRelease(opened, ({ inlet }) => Effect.sync(() => void inlet?.return()))
      const items = Stream.unwrap(Effect.map(acquired, ({ inlet }) => inlet!.stream))
      return codec.up ? Stream.catch(items, (error) => Stream.fromEffect(failWith(error))) : items
    }
  }
  return (items: unknown, options?: CallOptions): Effect.Effect<unknown, unknown> =>
    Effect.withFiber((fiber) =>
      Effect.callback((resume) => {
        const call = begin(fiber, items, options, (outcome) =>
          resume(outcome.ok ? Effect.succeed(outcome.value) : failWith(outcome.error)),
        )
        return Effect.sync(() => call.abort(new Cancelled({})))
      }),
    )
}

/** Runs the Stream of the payload, if there is one, until it is done or nobody wants it any more. */
const fork = (call: StreamCall, items: unknown, context: Context.Context<never>): void => {
  const { outlet } = call
  if (outlet === undefined) return
  const services = Context.add(context, CurrentJob, undefined)
  const fiber = Effect.runForkWith(services)(drain(items as Stream.Stream<unknown>, outlet))
  outlet.onClose(() => fiber.interruptUnsafe())
  fiber.addObserver((exit) => {
    if (Exit.isSuccess(exit)) return call.complete()
    const error = Cause.squash(exit.cause)
    if (!outlet.isClosed) call.throw(error instanceof Unsendable ? error : new Died(error))
  })
}
