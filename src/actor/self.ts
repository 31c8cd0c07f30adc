// What a behaviour's factory is given: the actor as seen by itself, for one incarnation.

import type { Duration, Effect } from "effect"
import type { Batch } from "../protocol/batch.ts"
import type { Ref } from "../protocol/client.ts"
import type { Emitted, Headers } from "../protocol/handlers.ts"
import type { Event, Messages } from "../protocol/message.ts"
import type { AnyProtocol } from "../protocol/protocol.ts"
import type { Source } from "../protocol/selection.ts"
import type { Sent } from "../protocol/slot.ts"
import type { EventMessage } from "../protocol/subscription.ts"
import type { ListedReminder } from "../reminders/requests.ts"
import type { ChildSpec } from "../supervision/spec.ts"
import type { ActorDef } from "./definition.ts"
import type { Reminder, Told } from "./reminding.ts"

export interface EmitOptions {
  /** Words with dots between them, for subscribers to choose by. Default none. */
  readonly topic?: string
  readonly headers?: Headers
}

type Handled = void | Promise<void> | Effect.Effect<void, unknown>

/** What handles events inside an actor: one at a time, or with `batch(...)` several. */
export type EventHandler<B> = ((body: B, event: EventMessage<B>) => Handled) | Batch<B, Handled, EventMessage<B>>

export interface Self<M extends Messages> {
  /** `domain/type/id`. */
  readonly address: string
  /** The node that this member runs on: a UUID. */
  readonly node: string
  /** 1 for the first cell of this member, then counting. */
  readonly incarnation: number
  /**
   * The epoch in which this member leads its `single` clique: give it to every store that it writes to, and have the store
   * refuse one that is smaller than what it has seen. It grows with each renewal. 0 on a standby and in a `shared` clique.
   */
  readonly epoch: number
  /**
   * To be called while the factory runs. What is given runs when this incarnation begins to lead, before its first mail:
   * the place to load what another leader may have written. What it throws is a crash. Never runs in a `shared` clique.
   */
  readonly onLead: (run: (epoch: number) => void | Promise<void>) => void
  /** Says that a store shows this epoch: if it is larger than the own, another member leads, and this one stands by again. */
  readonly yieldTo: (epoch: number) => void
  /** Aborts when this incarnation ends. */
  readonly signal: AbortSignal
  /** A client of another actor. */
  readonly ref: <P extends AnyProtocol>(protocol: P, id: string, options?: { readonly domain?: string }) => Ref<P>
  /**
   * Broadcasts one of this protocol's events. Resolves when the broker has it for all who listen by then; that nobody does is
   * no failure. Rejects with an `AskError`. In Effect code use `emit` of `warren/effect`.
   */
  readonly emit: <K extends Emitted<M>>(
    name: K,
    body: M[K] extends Event<infer B> ? Sent<B> : never,
    options?: EmitOptions,
  ) => Promise<void>
  /**
   * Calls for every event that `events(Protocol).name(options)` or `ref.name(options)` describes, in a turn among the messages.
   * What the factory registers is subscribed before the first mail is handled. What the handler throws crashes the cell, and
   * the event is handled again by the next one, which gets what comes meanwhile as well. The result takes it back.
   */
  readonly on: <B>(source: Source<EventMessage<B>>, handler: EventHandler<B>) => () => void
  /** The newest of an event that is among this actor's `needs`. @throws TypeError when it is not. */
  readonly latest: <B>(source: Source<EventMessage<B>>) => B
  /**
   * Calls once, in a turn among the messages, when the last member of another address is gone: stopped, shown dead by the
   * broker, or silent for two intervals of presence; soon, when there is none. The result takes it back, and so does the end
   * of this incarnation.
   */
  readonly watch: (other: { readonly $address: string }, gone: () => void | Promise<void>) => () => void
  /** Runs when this incarnation ends, by stop or crash; the last one registered runs first. */
  readonly defer: (cleanup: () => void | Promise<void>) => void
  /** Starts a child, supervised one for one. It ends with this incarnation. */
  readonly spawn: <P extends AnyProtocol>(child: ActorDef<P, never>, policy: ChildSpec) => Promise<Ref<P>>
  /** Stops a child; whether there was one. */
  readonly stopChild: <P extends AnyProtocol>(child: ActorDef<P, never>, id: string) => Promise<boolean>
  readonly timers: Timers
  /**
   * Sends this actor one of its own tells at a time, or every so often (at least 1 second): once, late rather than never, and
   * whoever runs then. It outlives crashes, processes and restarts of the broker. The same name again takes the place of what
   * there was. The message comes as mail, and `context.reminder` says which it was, when it was due, and how many further
   * occurrences it stands for. Needs `reminders: true` in the actor's options. Resolves once it is kept. At most 10,000 names,
   * and 32 KiB for each. Rejects with `ReminderRefused`, or `ReminderUnanswered` after 10 s; calling again is always safe.
   */
  readonly remind: <K extends Told<M>>(name: string, reminder: Reminder<M, K>) => Promise<void>
  /** Takes a reminder back; whether there was one. What it has sent before still comes. */
  readonly forget: (name: string) => Promise<boolean>
  /** Those that are set, of all members. */
  readonly reminders: () => Promise<ReadonlyArray<ListedReminder>>
  readonly log: (message: string, ...rest: ReadonlyArray<unknown>) => void
}

/**
 * Timers of one incarnation, in memory. A tick takes its turn like a message, so it never runs beside a handler of an
 * actor with concurrency 1. Setting a key again cancels the former timer, a tick that is already due included.
 */
export interface Timers {
  readonly once: (key: string, after: Duration.Input, tick: () => void | Promise<void>) => void
  readonly every: (key: string, period: Duration.Input, tick: () => void | Promise<void>) => void
  readonly cancel: (key: string) => void
}
