// The five kinds of message that a protocol may list.

import { Duration, Schema } from "effect"
import type { MaybeStream, Slot } from "./slot.ts"

export interface AskOptions {
  /**
   * How long a caller waits unless it says otherwise; for a stream until somebody has taken it on. Default: the system's
   * `askTimeout`.
   */
  readonly timeout?: Duration.Input
}

/** Request and reply. Four shapes: `stream(S)` around `payload`, `reply`, both or neither. */
export interface Ask<P extends MaybeStream, R extends MaybeStream, E extends Slot> {
  readonly kind: "ask"
  readonly payload: P
  readonly reply: R
  readonly error: E
  readonly options: AskOptions
}

/** One way: to a durable mailbox at least once. */
export interface Tell<P extends Slot> {
  readonly kind: "tell"
  readonly payload: P
}

/** How much of an event is kept at the broker, for those who come later; at least one of them. */
export interface Retain {
  /** How long, in whole seconds. */
  readonly age?: Duration.Input
  /** How much, of all actors of the protocol together: then the oldest go. At least 10,000; some more are kept. */
  readonly bytes?: number
}

export interface EventOptions {
  /**
   * Keeps events in a stream of the broker, so that subscribers may begin in the past: for some time, up to some size; or
   * `last`, the newest of each actor, for what is a state rather than a happening. Default: nothing is kept.
   */
  readonly retain?: Retain | "last"
  /**
   * Every event is an AMQP message of its own, with a JSON body and AMQP headers, which any client can read
   * (docs/wire.md, "Events"). Default: those of one turn of the event loop with one topic share a message. What is
   * retained is always plain.
   */
  readonly plain?: boolean
}

/** A broadcast to whoever listens. */
export interface Event<B extends Slot> {
  readonly kind: "event"
  readonly body: B
  readonly options: EventOptions
}

/** A long goal with feedback, cancel and result. */
export interface Action<G extends Slot, F extends Slot, R extends Slot, E extends Slot> {
  readonly kind: "action"
  readonly goal: G
  readonly feedback: F
  readonly result: R
  readonly error: E
}

/** Deliberately shapeless: with `Ask<...>` here, contextual inference would widen an omitted `error`. */
export interface Message {
  readonly kind: "ask" | "tell" | "event" | "action"
}
export type Messages = { readonly [name: string]: Message }

type Nothing = typeof Schema.Void
type NoError = typeof Schema.Never

/** A message that wants a reply. An omitted `payload` or `reply` is nothing; `error` is what the handler may answer. */
export const ask = <
  const P extends MaybeStream = Nothing,
  const R extends MaybeStream = Nothing,
  const E extends Slot = NoError,
>(
  spec: { readonly payload?: P; readonly reply?: R; readonly error?: E } & AskOptions,
): Ask<P, R, E> => ({
  kind: "ask",
  payload: (spec.payload ?? Schema.Void) as P,
  reply: (spec.reply ?? Schema.Void) as R,
  error: (spec.error ?? Schema.Never) as E,
  options: spec.timeout === undefined ? {} : { timeout: spec.timeout },
})

/** A message that wants no reply. */
export const tell = <const P extends Slot = Nothing>(payload?: P): Tell<P> => ({
  kind: "tell",
  payload: (payload ?? Schema.Void) as P,
})

/**
 * A message to whoever listens.
 *
 * @throws TypeError when `retain` says nothing, or what cannot be kept.
 */
export const event = <const B extends Slot>(body: B, options: EventOptions = {}): Event<B> => {
  const why = retainProblem(options.retain)
  if (why !== undefined) throw new TypeError(`event: retain: ${why}`)
  return { kind: "event", body, options }
}

const leastBytes = 10_000

const retainProblem = (retain: EventOptions["retain"]): string | undefined => {
  if (retain === undefined || retain === "last") return undefined
  const { age, bytes } = retain
  if (age === undefined && bytes === undefined) return 'want an `age`, `bytes`, or "last"'
  const ms = age === undefined ? 1_000 : Duration.toMillis(age)
  if (!(Number.isFinite(ms) && ms >= 1_000)) return "the `age` must be at least a second, and end"
  if (bytes === undefined || (Number.isInteger(bytes) && bytes >= leastBytes)) return undefined
  return `\`bytes\` must be a whole number of at least ${leastBytes}, not ${bytes}`
}

/** A long goal: accepted or rejected, then with feedback, a cancel and a result (docs/semantics.md, "Actions"). */
export const action = <
  const G extends Slot,
  const F extends Slot = NoError,
  const R extends Slot = Nothing,
  const E extends Slot = NoError,
>(spec: {
  readonly goal: G
  readonly feedback?: F
  readonly result?: R
  readonly error?: E
}): Action<G, F, R, E> => ({
  kind: "action",
  goal: spec.goal,
  feedback: (spec.feedback ?? Schema.Never) as F,
  result: (spec.result ?? Schema.Void) as R,
  error: (spec.error ?? Schema.Never) as E,
})
