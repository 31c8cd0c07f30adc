// The types of the behaviour's side: what handles each message of a protocol.

import type { Effect, Stream } from "effect"
import type { Batch } from "./batch.ts"
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
  /** ms since the epoch after which nobody waits for the reply; undefined for a tell and a stream. */
  readonly deadline: number | undefined
  /** 1 for the first try; more when an earlier one crashed or its process died. */
  readonly attempt: number
  /** Aborts when the caller cancels, at the deadline, and when the actor is stopped. */
  readonly signal: AbortSignal
  /** The reminder that it comes from, if it does (`self.remind`). Not trusted more than the sender is. */
  readonly reminder: Reminded | undefined
}

/** Which reminder sent a message, and for what it stands. */
export interface Reminded {
  readonly name: string
  /** When it was due, ms since the epoch; of several occurrences the first. */
  readonly due: number
  /** How many further occurrences fell due by the time at which it was sent: they are not sent. */
  readonly missed: number
  /** It may have been sent before, with the same `messageId`: who kept it was gone before it could say so. */
  readonly repeated: boolean
}

/**
 * A goal as its handler sees it. What the handler gives is the result; a declared error aborts the goal, anything else that
 * it throws is a crash. `signal` aborts when the goal is canceled or preempted, and when the actor stops; an Effect is
 * interrupted. What the handler gives after that is a partial result; if it has none it throws: `signal.throwIfAborted()`.
 */
export interface Goal<G, F, A = never> extends MessageContext {
  /** By which it can be found again, and is listed. */
  readonly id: string
  readonly goal: G
  /** Tells those who watch, of whom a slow one sees but the newest. Throws what is not as the protocol says. */
  readonly feedback: (value: F) => void
  /** Keeps what is to be the partial result if the handler is stopped and gives none: an interrupted Effect cannot. */
  readonly partial: (value: A) => void
  /**
   * Refuses the goal, by throwing: before the handler first waits for anything, the goal is `rejected`; later, or if it
   * had to wait for its turn, it ends `aborted` with the same reason.
   */
  readonly reject: (why: string) => never
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
      ? ((payload: Got<P>, context: MessageContext) => One<void, never, R>) | Batch<Got<P>, One<void, never, R>>
      : M extends Action<infer G, infer F, infer O, infer E>
        ? (goal: Goal<Got<G>, Sent<F>, Sent<O>>) => One<Sent<O>, Sent<E>, R>
        : never

/** The messages that want a handler: all but the events. */
export type Handled<M extends Messages> = { [K in keyof M]: M[K] extends Event<infer _> ? never : K }[keyof M]
/** The events, which the actor emits. */
export type Emitted<M extends Messages> = { [K in keyof M]: M[K] extends Event<infer _> ? K : never }[keyof M]

/** @typeParam R the Effect services that they need. */
export type Handlers<M extends Messages, R = never> = { readonly [K in Handled<M>]: Handler<M[K], R> }

/** The Effect services that a set of handlers needs. */
export type Needs<H> = {
  [K in keyof H]: Result<H[K]> extends infer X
    ? X extends Effect.Effect<infer _A, infer _E, infer R>
      ? R
      : X extends Stream.Stream<infer _A, infer _E, infer R>
        ? R
        : never
    : never
}[keyof H]

type Result<H> = H extends (...args: infer _) => infer X ? X : H extends Batch<infer _I, infer X> ? X : never
