// The functions of a client that send one ask or one tell.
//
// N1. A value is checked by its slot before it leaves, and again when it arrives.

import { Effect } from "effect"
import { ask, type Ongoing, tell } from "../messaging/calls.ts"
import type { Job } from "../messaging/job.ts"
import type { Route } from "../messaging/route.ts"
import { asError } from "../messaging/thrown.ts"
import type { CallOptions, Outcome } from "../protocol/client.ts"
import type { CompiledCall } from "../protocol/codec.ts"
import { AskError, type AskReason, Cancelled, Rejected } from "../protocol/errors.ts"
import type { Ask, Message } from "../protocol/message.ts"
import type { MaybeStream, Slot } from "../protocol/slot.ts"
import type { Outcome as WireOutcome } from "../wire/item.ts"
import { type ClientOptions, millis } from "./client-options.ts"
import { currentJob, jobOf } from "./current.ts"

type Settle = (outcome: Outcome<unknown, unknown>) => void
type Dispatch = (
  payload: unknown,
  options: CallOptions | undefined,
  parent: Job | undefined,
  settle: Settle,
) => Ongoing | undefined

/** One message of the protocol as a function that ends exactly once. */
const dispatcher = (
  client: ClientOptions,
  to: Route,
  name: string,
  message: Message,
  codec: CompiledCall,
): Dispatch => {
  const { node, sender } = client
  const declared = (message as Partial<Ask<MaybeStream, MaybeStream, Slot>>).options?.timeout
  const usual = declared === undefined ? client.askTimeout : millis(declared)
  const failure = (reason: AskReason) =>
    ({ ok: false, error: new AskError({ address: `${to}`, call: name, reason }) }) as const
  return (payload, options, parent, settle) => {
    let json: unknown
    try {
      json = codec.payload.encode(payload)
    } catch (error) {
      settle(failure(new Rejected({ why: asError(error).message })))
      return undefined
    }
    if (options?.signal?.aborted) {
      settle(failure(new Cancelled({})))
      return undefined
    }
    const timeout = options?.timeout === undefined ? usual : millis(options.timeout)
    const call = { to, name, payload: json, timeout, headers: options?.headers, parent, sender }
    if (codec.kind === "tell") {
      return tell(node, call, (reason) =>
        settle(reason === undefined ? { ok: true, value: undefined } : failure(reason)),
      )
    }
    return ask(node, call, (outcome) => settle(decoded(codec, outcome, failure)))
  }
}

type Failure = (reason: AskReason) => Outcome<unknown, unknown>

const decoded = (codec: CompiledCall, outcome: WireOutcome, failure: Failure): Outcome<unknown, unknown> => {
  if (outcome.tag === "failed") return failure(outcome.reason)
  try {
    return outcome.tag === "value"
      ? { ok: true, value: codec.reply.decode(outcome.value) }
      : { ok: false, error: codec.error.decode(outcome.error) }
  } catch (error) {
    return failure(new Rejected({ why: `the reply is not what the protocol says: ${String(error)}` }))
  }
}

/** Starts a call that also ends when its signal is aborted. */
const start = (
  dispatch: Dispatch,
  payload: unknown,
  options: CallOptions | undefined,
  parent: Job | undefined,
  settle: Settle,
): Ongoing | undefined => {
  const signal = options?.signal
  if (signal === undefined) return dispatch(payload, options, parent, settle)
  let ended = false
  const giveUp = () => ongoing?.giveUp()
  const ongoing = dispatch(payload, options, parent, (outcome) => {
    ended = true
    signal.removeEventListener("abort", giveUp)
    settle(outcome)
  })
  if (!ended) signal.addEventListener("abort", giveUp, { once: true })
  return ongoing
}

export const promiseCall = (client: ClientOptions, to: Route, name: string, message: Message, codec: CompiledCall) => {
  const dispatch = dispatcher(client, to, name, message, codec)
  const call = (payload: unknown, options?: CallOptions) =>
    new Promise<unknown>((resolve, reject) => {
      start(dispatch, payload, options, currentJob(), (outcome) =>
        outcome.ok ? resolve(outcome.value) : reject(outcome.error),
      )
    })
  const outcome = (payload: unknown, options?: CallOptions) =>
    new Promise<Outcome<unknown, unknown>>((resolve) => {
      start(dispatch, payload, options, currentJob(), resolve)
    })
  return Object.assign(call, { outcome })
}

export const effectCall = (client: ClientOptions, to: Route, name: string, message: Message, codec: CompiledCall) => {
  const dispatch = dispatcher(client, to, name, message, codec)
  return (payload: unknown, options?: CallOptions) =>
    Effect.withFiber<unknown, unknown>((fiber) =>
      Effect.callback((resume) => {
        const ongoing = start(dispatch, payload, options, jobOf(fiber), (outcome) =>
          resume(outcome.ok ? Effect.succeed(outcome.value) : Effect.fail(outcome.error)),
        )
        return Effect.sync(() => ongoing?.giveUp())
      }),
    )
}
