// The client of an actor: a plain object built from its protocol, with a function for every message.
//
// N1. A value is checked by its slot before it leaves, and again when it arrives.

import { Duration, Effect, Stream } from "effect"
import { ask, type Ongoing, type Sender, tell } from "../messaging/calls.ts"
import type { Job } from "../messaging/job.ts"
import type { Node } from "../messaging/node.ts"
import { Route } from "../messaging/route.ts"
import { asError } from "../messaging/thrown.ts"
import type { CallOptions, EffectClient, Outcome, Ref } from "../protocol/client.ts"
import { type Compiled, compiled } from "../protocol/codec.ts"
import { AskError, type AskReason, Cancelled, NotYet, Rejected } from "../protocol/errors.ts"
import type { Ask, Message } from "../protocol/message.ts"
import type { AnyProtocol } from "../protocol/protocol.ts"
import type { MaybeStream, Slot } from "../protocol/slot.ts"
import { type Address, format, invalid } from "../wire/address.ts"
import type { Outcome as WireOutcome } from "../wire/item.ts"
import { CurrentJob, currentJob } from "./current.ts"

/** Who calls whom, and how long a call may take when neither it nor its protocol says. */
export interface ClientOptions {
  readonly node: Node
  readonly to: Address
  /** The actor that calls; undefined for a plain program. */
  readonly sender: Sender | undefined
  /** ms. */
  readonly askTimeout: number
}

type Settle = (outcome: Outcome<unknown, unknown>) => void
type Dispatch = (
  payload: unknown,
  options: CallOptions | undefined,
  parent: Job | undefined,
  settle: Settle,
) => Ongoing | undefined

/** One message of the protocol as a function that ends exactly once. */
const dispatcher = (client: ClientOptions, to: Route, name: string, message: Message, codec: Compiled): Dispatch => {
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

const decoded = (codec: Compiled, outcome: WireOutcome, failure: Failure): Outcome<unknown, unknown> => {
  if (outcome.tag === "failed") return failure(outcome.reason)
  try {
    return outcome.tag === "value"
      ? { ok: true, value: codec.reply.decode(outcome.value) }
      : { ok: false, error: codec.error.decode(outcome.error) }
  } catch (error) {
    return failure(new Rejected({ why: `the reply is not what the protocol says: ${String(error)}` }))
  }
}

const millis = (input: Duration.Input): number => {
  const ms = Duration.toMillis(input)
  return Number.isFinite(ms) ? ms : Number.MAX_SAFE_INTEGER / 2
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

const promiseCall = (dispatch: Dispatch) => {
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

const effectCall = (dispatch: Dispatch) => (payload: unknown, options?: CallOptions) =>
  Effect.withFiber<unknown, unknown>((fiber) =>
    Effect.callback((resume) => {
      // A fiber may outlive its job; what it does then is done on nobody's behalf.
      const job = fiber.getRef(CurrentJob)
      const ongoing = start(dispatch, payload, options, job?.running ? job : undefined, (outcome) =>
        resume(outcome.ok ? Effect.succeed(outcome.value) : Effect.fail(outcome.error)),
      )
      return Effect.sync(() => ongoing?.giveUp())
    }),
  )

const notYet = (client: ClientOptions, name: string, what: string): AskError =>
  new AskError({ address: format(client.to), call: name, reason: new NotYet({ what }) })

const build = (client: ClientOptions, protocol: AnyProtocol, face: Face): Record<string, unknown> => {
  const wrong = invalid(client.to)
  if (wrong !== undefined) throw new TypeError(wrong)
  const to = new Route(client.node, client.to)
  const calls: Record<string, unknown> = Object.create(null)
  for (const [name, codec] of compiled(protocol)) {
    const message = protocol.messages[name] as Message
    calls[name] =
      codec.kind === "later"
        ? face.later(message, notYet(client, name, codec.what))
        : face.call(dispatcher(client, to, name, message, codec))
  }
  return calls
}

interface Face {
  readonly call: (dispatch: Dispatch) => unknown
  readonly later: (message: Message, error: AskError) => unknown
}

const isMany = (message: Message): boolean =>
  message.kind === "event" ||
  (message.kind === "ask" && "kind" in (message as Ask<MaybeStream, MaybeStream, Slot>).reply)

const promises: Face = {
  call: promiseCall,
  later: (message, error) => {
    if (isMany(message)) {
      return () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) })
    }
    return Object.assign(() => Promise.reject(error), { outcome: () => Promise.resolve({ ok: false, error }) })
  },
}

const effects: Face = {
  call: effectCall,
  later: (message, error) => () => (isMany(message) ? Stream.fail(error) : Effect.fail(error)),
}

/** @throws TypeError when the address is badly formed. */
export const promiseClient = <P extends AnyProtocol>(client: ClientOptions, protocol: P): Ref<P> =>
  Object.assign(build(client, protocol, promises), { $address: format(client.to) }) as unknown as Ref<P>

/** @throws TypeError when the address is badly formed. */
export const effectClient = <P extends AnyProtocol>(client: ClientOptions, protocol: P): EffectClient<P["messages"]> =>
  build(client, protocol, effects) as unknown as EffectClient<P["messages"]>
