// An actor: a protocol and its behaviour. `actor(protocol, handlers | factory, options)` is the only way to define one.

import { type Duration, Effect, type Scope } from "effect"
import type { Handled, Handlers, Needs } from "../protocol/handlers.ts"
import type { Messages } from "../protocol/message.ts"
import type { AnyProtocol } from "../protocol/protocol.ts"
import type { Source } from "../protocol/selection.ts"
import type { CodecName } from "../wire/item.ts"
import type { ActionsOptions } from "./action-options.ts"
import type { Self } from "./self.ts"

export interface ActorOptions<M extends Messages = Messages> {
  /**
   * `shared`: members compete for the mail (default). `single`: one member leads and handles all mail, the others stand by
   * and one of them takes over when it dies, stops or is cut off (docs/semantics.md, 8).
   */
  readonly clique?: "shared" | "single"
  /** The factory runs on the standbys of a `single` clique too, and `self.onLead` tells when it leads. Default false. */
  readonly warm?: boolean
  /** `durable` (default): a quorum queue. `transient`: a classic queue that goes, mail and all, when nobody uses it. */
  readonly mailbox?: "durable" | "transient"
  /**
   * A name of 1 to 63 letters, digits, `_` or `-`: the actors of a domain that give the same one get their mail from one
   * queue, so that what is sent to all of them can travel together. Every process that runs one of them has to run them
   * all, and they must agree on `mailbox`, `capacity`, `expires` and `maxDeliveries`. Default: a queue of its own.
   */
  readonly queue?: string
  /**
   * `msgpack`: callers are asked to write MessagePack instead of JSON. It brings the same values in about 70 % of the bytes
   * and, for payloads of some 1 KiB under load, of the time; the tools of the broker cannot show them. Callers change
   * over by themselves with the first reply, their tells too; those who cannot stay with JSON. A text of 13 or more
   * characters that is kept from such a message holds the texts of its whole batch in memory, some 20 kB. Default: JSON.
   */
  readonly codec?: CodecName
  /** Messages handled at once by one member. Default 1: one after the other. */
  readonly concurrency?: number | "unbounded"
  /**
   * Broker messages that may wait in the mailbox before senders get `MailboxFull`; one may carry a batch of asks and
   * tells of one node. Default 100,000. It is part of how the queue is declared: all members must give the same.
   */
  readonly capacity?: number
  /** How often one message may be begun before it goes to the dead letters. Default 3. */
  readonly maxDeliveries?: number
  /** How long a handler may go on after its signal was aborted, before its cell is crashed. Default 60 seconds. */
  readonly stuckAfter?: Duration.Input
  /** How long a transient mailbox outlives its last member. Default 1 minute. */
  readonly expires?: Duration.Input
  /** Of its actions, by name: how many goals run at once, and what becomes of one more. Default: one, the others queue. */
  readonly actions?: ActionsOptions<M>
  /** It may set reminders (`self.remind`): they lie in a queue of their own. Needs a durable mailbox. Default false. */
  readonly reminders?: boolean
  /**
   * Configuration: events with `retain: "last"`, each of one actor, as in `needs: [events(Config).settings({ id: "main" })]`.
   * The actor takes no mail, and its factory does not run, before all of them are known; `self.latest` has the newest, and
   * `self.on` with the same source is told of new ones. Whoever emits them need not be there.
   */
  readonly needs?: ReadonlyArray<Source<unknown>>
  readonly hooks?: Hooks
}

/** Told about the life of each cell. What a hook throws is logged. */
export interface Hooks {
  readonly onStart?: (cell: CellInfo) => void
  readonly onCrash?: (cell: CellInfo, error: unknown) => void
  readonly onStop?: (cell: CellInfo) => void
}

export interface CellInfo {
  readonly address: string
  /** 1 for the first cell of a member, then counting. */
  readonly incarnation: number
}

export interface ActorDef<P extends AnyProtocol, R> {
  readonly protocol: P
  readonly options: ActorOptions
  /** Runs once per incarnation, in that incarnation's Scope. */
  readonly make: (self: Self<P["messages"]>) => Effect.Effect<Handlers<P["messages"], R>, unknown, R | Scope.Scope>
}

/** Handlers, or a function that makes them for one incarnation: plainly, in a promise, or in an Effect. */
export type Behaviour<M extends Messages> =
  | Handlers<M, unknown>
  | ((
      self: Self<M>,
    ) => Handlers<M, unknown> | Promise<Handlers<M, unknown>> | Effect.Effect<Handlers<M, unknown>, unknown, unknown>)

type Exact<H, M extends Messages> = { readonly [K in Exclude<keyof H, Handled<M>>]: never }
type Made<X> = X extends Effect.Effect<infer H, infer _E, infer _R> ? H : Awaited<X>
type MakerNeeds<X> = X extends Effect.Effect<infer _H, infer _E, infer R> ? Exclude<R, Scope.Scope> : never

/** The Effect services that a behaviour needs, to make its handlers and to run them. */
export type NeedsOf<B> = B extends (...args: infer _) => infer X ? MakerNeeds<X> | Needs<Made<X>> : Needs<B>

/**
 * Defines an actor.
 *
 * @param behaviour handlers that share no state between messages, or a factory that runs once per incarnation; what it
 *   closes over is the actor's state, and a crash starts it afresh.
 */
export const actor = <P extends AnyProtocol, const B extends Behaviour<P["messages"]>>(
  protocol: P,
  behaviour: B & (B extends (...args: infer _) => unknown ? unknown : Exact<NoInfer<B>, P["messages"]>),
  options: ActorOptions<P["messages"]> = {},
): ActorDef<P, NeedsOf<B>> => ({
  protocol,
  options,
  make: (self) => makeHandlers<P["messages"], NeedsOf<B>>(behaviour as Behaviour<P["messages"]>, self),
})

const makeHandlers = <M extends Messages, R>(
  behaviour: Behaviour<M>,
  self: Self<M>,
): Effect.Effect<Handlers<M, R>, unknown, R | Scope.Scope> => {
  if (typeof behaviour !== "function") return Effect.succeed(behaviour as Handlers<M, R>)
  return Effect.suspend(() => {
    const made = behaviour(self)
    if (Effect.isEffect(made)) return made as Effect.Effect<Handlers<M, R>, unknown, R>
    if (made instanceof Promise)
      return Effect.tryPromise({ try: () => made as Promise<Handlers<M, R>>, catch: (e) => e })
    return Effect.succeed(made as Handlers<M, R>)
  })
}
