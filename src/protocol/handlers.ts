// The types of the behaviour's side: what handles each message of a protocol.

import type { Effect, Stream } from "effect"
import type { AskError } from "./errors.ts"
import type { Action, Ask, Event, Messages, Tell } from "./message.ts"
import type { Got, Sent, StreamOf } from "./slot.ts"

export type Headers = Readonly<Record<string, string | number | boolean>>

/** What a handler knows about the message it handles. */
export interface MessageContext {
  /** `domain/type/id` of the actor that sent it; undefined when a plain client did. */
  readonly sender: string | undefined
  /**
   * The epoch in which its sender led a `single` clique; undefined when it did not. Of two messages of one clique the one
   * with the smaller epoch is from a leader that has been replaced. Not trusted more than the sender is.
   */
  readonly epoch: number | undefined
  /** The same for every delivery of one message: a key to recognise a repetition by. */
  readonly messageId: string
  /** What the caller passed along; not trusted. */
  readonly headers: Headers
  /** ms since the epoch after which nobody waits for the reply; undefined for a tell. */
  readonly deadline: number | undefined
  /** 1 for the first try; more when an earlier one crashed or its process died. */
  readonly attempt: number
  /** Aborts when the caller cancels, at the deadline, and when the actor is stopped. */
  readonly signal: AbortSignal
}

/** A running goal of an action. */
export interface Goal<G, F> extends MessageContext {
  readonly id: string
  readonly goal: G
  readonly feedback: (value: F) => void
}

/** An incoming stream: `for await` it, or use `.stream` in Effect code. Pulling grants credit to the sender. */
export interface IncomingStream<A> extends AsyncIterable<A> {
  readonly stream: Stream.Stream<A, AskError>
}

type One<A, E, R> = A | Promise<A> | Effect.Effect<A, E, R>
type Many<A, E, R> = AsyncIterable<A> | Iterable<A> | Stream.Stream<A, E, R>
type PayloadOf<P> = P extends StreamOf<infer I> ? IncomingStream<Got<I>> : Got<P>

export type Handler<M, R> =
  M extends Ask<infer P, infer O, infer E>
    ? (
        payload: PayloadOf<P>,
        context: MessageContext,
      ) => O extends StreamOf<infer I> ? Many<Sent<I>, Sent<E>, R> : One<Sent<O>, Sent<E>, R>
    : M extends Tell<infer P>
      ? (payload: Got<P>, context: MessageContext) => One<void, never, R>
      : M extends Action<infer G, infer F, infer O, infer E>
        ? (goal: Goal<Got<G>, Sent<F>>) => One<Sent<O>, Sent<E>, R>
        : never

/** The messages that want a handler: all but the events. */
export type Handled<M extends Messages> = { [K in keyof M]: M[K] extends Event<infer _> ? never : K }[keyof M]
/** The events, which the actor emits. */
export type Emitted<M extends Messages> = { [K in keyof M]: M[K] extends Event<infer _> ? K : never }[keyof M]

/** @typeParam R the Effect services that they need. */
export type Handlers<M extends Messages, R = never> = { readonly [K in Handled<M>]: Handler<M[K], R> }

/** The Effect services that a set of handlers needs. */
export type Needs<H> = {
  [K in keyof H]: H[K] extends (...args: infer _) => infer X
    ? X extends Effect.Effect<infer _A, infer _E, infer R>
      ? R
      : X extends Stream.Stream<infer _A, infer _E, infer R>
        ? R
        : never
    : never
}[keyof H]
