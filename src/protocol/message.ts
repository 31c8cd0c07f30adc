// The five kinds of message that a protocol may list.

import { type Duration, Schema } from "effect"
import type { MaybeStream, Slot } from "./slot.ts"

export interface AskOptions {
  /** How long a caller waits unless it says otherwise. Default: the system's `askTimeout`. */
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

/** A broadcast to whoever listens. */
export interface Event<B extends Slot> {
  readonly kind: "event"
  readonly body: B
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

/** A message to whoever listens. Declared today, carried by a later version. */
export const event = <const B extends Slot>(body: B): Event<B> => ({ kind: "event", body })

/** A long goal. Declared today, carried by a later version. */
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
