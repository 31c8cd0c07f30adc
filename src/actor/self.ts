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
