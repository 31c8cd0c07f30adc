// The types of the caller's side: one protocol, two faces, promises and Effects.

import type { Duration, Effect, Stream } from "effect"
import type { AskError } from "./errors.ts"
import type { ActionCall, EffectActionCall, GoalOptions } from "./goal.ts"
import type { Headers } from "./handlers.ts"
import type { Action, Ask, Event, Messages, Tell } from "./message.ts"
import type { Got, Sent, StreamOf } from "./slot.ts"
import type { EffectEvents, EventMessage, SubscribeOptions, Subscription } from "./subscription.ts"

export interface CallOptions {
  /**
   * How long to wait; for a stream until somebody has taken it on. A nested ask waits no longer than the ask it belongs to,
   * and a nested stream ends with it.
   */
  readonly timeout?: Duration.Input
  /** Aborting it cancels the call at both ends. */
  readonly signal?: AbortSignal
  /** Passed along to the handler: short scalars. */
  readonly headers?: Headers
}

export type Outcome<A, E> = { readonly ok: true; readonly value: A } | { readonly ok: false; readonly error: E }

export interface PromiseCall<Args extends ReadonlyArray<unknown>, A, E> {
  (...args: Args): Promise<A>
  /** The same call with its errors as values: it never rejects, and `error` is typed. */
  readonly outcome: (...args: Args) => Promise<Outcome<A, E | AskError>>
}

// biome-ignore lint/suspicious/noConfusingVoidType: it is what a slot of `Schema.Void` holds
type Args<P, O = CallOptions> = [Sent<P>] extends [void]
  ? [payload?: undefined, options?: O]
  : [payload: Sent<P>, options?: O]
type PromiseArgs<P> =
  P extends StreamOf<infer I> ? [items: AsyncIterable<Sent<I>> | Iterable<Sent<I>>, options?: CallOptions] : Args<P>
type EffectArgs<P> = P extends StreamOf<infer I> ? [items: Stream.Stream<Sent<I>>, options?: CallOptions] : Args<P>

export type PromiseClient<M extends Messages> = {
  readonly [K in keyof M]: M[K] extends Ask<infer P, infer O, infer E>
    ? O extends StreamOf<infer I>
      ? (...args: PromiseArgs<P>) => AsyncIterable<Got<I>>
      : PromiseCall<PromiseArgs<P>, Got<O>, Got<E>>
    : M[K] extends Tell<infer P>
      ? PromiseCall<Args<P>, void, never>
      : M[K] extends Event<infer B>
        ? (options?: SubscribeOptions) => Subscription<EventMessage<Got<B>>>
        : M[K] extends Action<infer G, infer F, infer O, infer E>
          ? ActionCall<Args<G, GoalOptions>, Got<F>, Got<O>, Got<E>>
          : never
}

export type EffectClient<M extends Messages> = {
  readonly [K in keyof M]: M[K] extends Ask<infer P, infer O, infer E>
    ? O extends StreamOf<infer I>
      ? (...args: EffectArgs<P>) => Stream.Stream<Got<I>, Got<E> | AskError>
      : (...args: EffectArgs<P>) => Effect.Effect<Got<O>, Got<E> | AskError>
    : M[K] extends Tell<infer P>
      ? (...args: Args<P>) => Effect.Effect<void, AskError>
      : M[K] extends Event<infer B>
        ? EffectEvents<EventMessage<Got<B>>>
        : M[K] extends Action<infer G, infer F, infer O, infer E>
          ? EffectActionCall<Args<G, GoalOptions>, Got<F>, Got<O>, Got<E>>
          : never
}

/** A promise client of one actor, and its address. */
export type Ref<P extends { readonly messages: Messages }> = PromiseClient<P["messages"]> & {
  /** `domain/type/id`. */
  readonly $address: string
}
