// The types of those who subscribe to events: what they ask for, and what they get.

import type { Effect, Scope, Stream } from "effect"
import type { BatchOptions } from "./batch.ts"
import type { AskError } from "./errors.ts"
import type { Emitted, Headers } from "./handlers.ts"
import type { Event, Messages } from "./message.ts"
import type { Source } from "./selection.ts"
import type { Got } from "./slot.ts"

/** An event at its subscriber. Subscribers of one process may be given the same `body`: do not change it. */
export interface EventMessage<B> {
  readonly body: B
  /** `domain/type/id` of the actor that emitted it. */
  readonly source: string
  /** The words it was emitted with; "" for none. */
  readonly topic: string
  /** What its source passed along; not trusted. */
  readonly headers: Headers
  /** The same for every delivery and every subscriber. */
  readonly messageId: string
  /** When it was emitted, ms since the epoch, by the clock of its source. */
  readonly at: number
  /** The epoch in which its source led a `single` clique; undefined when it did not. Not trusted more than the source is. */
  readonly epoch: number | undefined
  /** 1 for the first try; more when an earlier one crashed. */
  readonly attempt: number
  /** Its number in what is retained, when that is read. */
  readonly offset: number | undefined
  /** Events that were left out before this one, because the subscriber was too slow. */
  readonly dropped: number
  /** The link to the broker was lost before this one: what was emitted meanwhile may be missing. */
  readonly gap: boolean
}

/** Which of them. */
export interface EventFilter {
  /**
   * A pattern for the topic: words with dots between them, where `*` is any one word and `#` any number of them. Default
   * `#`: whatever the topic is; "" is for events without one.
   */
  readonly topic?: string
  /** Exact values. Default none: whatever the headers are. */
  readonly headers?: Headers
  /** Whether all of these headers have to be as they are here, or any of them. Default `all`. */
  readonly match?: "all" | "any"
}

/** Each subscriber gets all events that are emitted while it listens; nobody waits for it. */
export interface LiveOptions {
  /** Events that wait for this subscriber at most. Default 1,000; and 16 MiB. */
  readonly buffer?: number
  /**
   * What becomes of a subscriber that is slower than its events come. `drop oldest` (default): those that have waited
   * longest are left out, and counted in `dropped` of the next. `fail`: the subscription ends with `MailboxFull`.
   */
  readonly overflow?: "drop oldest" | "fail"
}

/** The subscribers of a group, in whatever process, share the events: each goes to one of them, at least once. */
export interface GroupOptions {
  /** 1 to 63 letters, digits, `_` or `-`. Its events wait at the broker, also while nobody of the group is there. */
  readonly group: string
  /** How often the handling of one event may be begun before it goes to the dead letters. Default 3. */
  readonly maxDeliveries?: number
  /**
   * Broker messages that wait at most; one may carry 64 events. Then the oldest become dead letters. Default 100,000. Like
   * the filter it is part of how the group's queue is declared: all of the group must give the same.
   */
  readonly capacity?: number
}

/** Of an event that is retained: all from some point on, in order, as fast as the subscriber takes them. */
export interface ReplayOptions {
  /**
   * Where to begin: at the oldest that is kept, at the newest, with what comes `next`, at a number (`offset`, from 0), or at
   * a time. Default, with `resume`: `first`.
   */
  readonly from?: "first" | "last" | "next" | number | Date
  /**
   * Continue where the last subscription under this name stopped; `from` is for the first. Events may come twice. 1 to 63
   * letters, digits, `_` or `-`, in this domain; for one subscriber at a time.
   */
  readonly resume?: string
}

type Without<A> = { readonly [K in keyof A]?: never }

export type SubscribeOptions = EventFilter &
  (
    | (LiveOptions & Without<GroupOptions & ReplayOptions>)
    | (GroupOptions & Without<LiveOptions & ReplayOptions>)
    | (ReplayOptions & Without<LiveOptions & GroupOptions>)
  )

/** All of them, for those who look at what they were given. */
export type AnySubscribeOptions = EventFilter & LiveOptions & Partial<GroupOptions> & ReplayOptions

export interface OfOne {
  /** The id of the actor that emits them. Default: all of the protocol in the domain. */
  readonly id?: string
}

/** A subscription that is open: it gets every event from then on. Leaving the loop closes it. */
export interface OpenSubscription<A> extends AsyncIterableIterator<A, undefined>, AsyncDisposable {
  readonly close: () => Promise<void>
}

/**
 * Events for `for await`. Each loop is a subscription of its own, which begins with the loop and ends with it. Of a group or a
 * replay by name, an event is done with when the loop asks for the next one; the one at which the loop is left is not.
 */
export interface Subscription<A> extends Source<A>, AsyncIterable<A, undefined> {
  /** Subscribes now. Resolves once every event from then on gets here. */
  readonly open: () => Promise<OpenSubscription<A>>
  /** Several at once; those of a group are done with together. */
  readonly batches: (options: BatchOptions) => AsyncIterable<ReadonlyArray<A>, undefined> & {
    readonly open: () => Promise<OpenSubscription<ReadonlyArray<A>>>
  }
}

/** The same as Streams. */
export interface EffectEvents<A, O = SubscribeOptions> {
  (options?: O): Stream.Stream<A, AskError>
  /** Subscribes now, until the Scope closes. Succeeds once every event from then on gets to the Stream, which is for one. */
  readonly open: (options?: O) => Effect.Effect<Stream.Stream<A, AskError>, AskError, Scope.Scope>
  /** Several at once; those of a group are done with together. */
  readonly batches: (batch: BatchOptions, options?: O) => Stream.Stream<ReadonlyArray<A>, AskError>
}

export type BodyOf<M> = M extends Event<infer B> ? Got<B> : never

/** The events of a protocol, whoever emits them. */
export type Subscriptions<M extends Messages> = {
  readonly [K in Emitted<M>]: (options?: SubscribeOptions & OfOne) => Subscription<EventMessage<BodyOf<M[K]>>>
}

/** The same as Streams. */
export type EffectSubscriptions<M extends Messages> = {
  readonly [K in Emitted<M>]: EffectEvents<EventMessage<BodyOf<M[K]>>, SubscribeOptions & OfOne>
}
