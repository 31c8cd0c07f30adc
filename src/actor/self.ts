// What a behaviour's factory is given: the actor as seen by itself, for one incarnation.

import type { Duration } from "effect"
import type { Ref } from "../protocol/client.ts"
import type { Emitted, Headers } from "../protocol/handlers.ts"
import type { Event, Messages } from "../protocol/message.ts"
import type { AnyProtocol } from "../protocol/protocol.ts"
import type { Sent } from "../protocol/slot.ts"
import type { ChildSpec } from "../supervision/spec.ts"
import type { ActorDef } from "./definition.ts"

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
  /** Broadcasts one of this protocol's events. Not carried yet: rejects with `NotYet`. */
  readonly emit: <K extends Emitted<M>>(
    name: K,
    body: M[K] extends Event<infer B> ? Sent<B> : never,
    options?: { readonly topic?: string; readonly headers?: Headers },
  ) => Promise<void>
  /**
   * Calls once, in a turn among the messages, when the last member of another address is gone: stopped, or silent for two
   * intervals of presence; soon, when there is none. The result takes it back, and so does the end of this incarnation.
   */
  readonly watch: (other: { readonly $address: string }, gone: () => void | Promise<void>) => () => void
  /** Runs when this incarnation ends, by stop or crash; the last one registered runs first. */
  readonly defer: (cleanup: () => void | Promise<void>) => void
  /** Starts a child, supervised one for one. It ends with this incarnation. */
  readonly spawn: <P extends AnyProtocol>(child: ActorDef<P, never>, policy: ChildSpec) => Promise<Ref<P>>
  /** Stops a child; whether there was one. */
  readonly stopChild: <P extends AnyProtocol>(child: ActorDef<P, never>, id: string) => Promise<boolean>
  readonly timers: Timers
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
