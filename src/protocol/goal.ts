// What both ends of a goal know of it: how it stands, how it ends, and the handle of whoever sent it or found it again.

import type { Effect, Stream } from "effect"
import type { CallOptions, Outcome } from "./client.ts"
import type { AskError } from "./errors.ts"

/**
 * How a goal stands. `pending`: nobody has decided on it. `accepted`: it waits for its turn. `executing`: its handler runs.
 * `canceling`: its handler was asked to stop, and has not yet. The others are final.
 */
export type GoalStatus =
  | "pending"
  | "accepted"
  | "executing"
  | "canceling"
  | "succeeded"
  | "aborted"
  | "canceled"
  | "preempted"
  | "rejected"

/** How a goal ended. With `ok: false` there is always an `error`, so that it is an `Outcome` too. */
export type GoalOutcome<A, E> =
  | { readonly ok: true; readonly status: "succeeded"; readonly value: A }
  /** The error that its protocol declares, or why it could not be finished. */
  | { readonly ok: false; readonly status: "aborted"; readonly error: E | AskError }
  /** `preempted`: another goal took its place. `partial`: what its handler had by then, if it gave something. */
  | { readonly ok: false; readonly status: "canceled" | "preempted"; readonly error: AskError; readonly partial?: A }

export interface GoalOptions extends CallOptions {
  /**
   * What becomes of the goal when the process that sent it dies or stops: `keep` (default): it goes on, and can be found
   * again by its id; `cancel`: it is canceled.
   */
  readonly abandon?: "keep" | "cancel"
}

/** One goal of an actor, as its members list it. Times are ms since the epoch by the clock of the member's node. */
export interface ListedGoal {
  readonly id: string
  readonly status: GoalStatus
  /** The id of the node that runs it. */
  readonly node: string
  readonly acceptedAt: number
  /** When it came to this status. */
  readonly since: number
}

/** A goal that was accepted. Its process may end: `ref.action.goal(id)` gives another handle, in any process. */
export interface GoalHandle<F, A, E> {
  readonly id: string
  /** As far as this process knows. */
  readonly status: GoalStatus
  /** The status now and each later one, up to the last. A slow reader misses some in between. */
  readonly statuses: AsyncIterable<GoalStatus>
  /**
   * The newest feedback, and what comes after it. A reader that is slower than it comes gets the newest each time, and misses
   * what lies in between. It ends with the goal. Throws an `AskError` (`Rejected`) when the feedback is not what the protocol says; the goal goes on.
   */
  readonly feedback: AsyncIterable<F>
  /** Rejects as `outcome` has it in `error`. It is made when it is first looked at. */
  readonly result: Promise<A>
  /** Never rejects, and never waits for ever: a goal whose process is gone has ended `aborted`. */
  readonly outcome: Promise<GoalOutcome<A, E>>
  /** Asks its handler to stop. Resolves when it has been told, or the goal is over; never rejects. */
  readonly cancel: () => Promise<void>
}

export interface EffectGoalHandle<F, A, E> {
  readonly id: string
  /** As far as this process knows. */
  readonly status: GoalStatus
  readonly statuses: Stream.Stream<GoalStatus>
  /** The newest feedback, and what comes after it; a slow reader misses what lies in between. */
  readonly feedback: Stream.Stream<F, AskError>
  readonly result: Effect.Effect<A, E | AskError>
  readonly outcome: Effect.Effect<GoalOutcome<A, E>>
  readonly cancel: Effect.Effect<void>
}

/** What a client has for an action: the call gives a handle once the goal is accepted, and rejects when it is not. */
export interface ActionCall<Args extends ReadonlyArray<unknown>, F, A, E> {
  (...args: Args): Promise<GoalHandle<F, A, E>>
  /** The same call with its errors as values: it never rejects. */
  readonly outcome: (...args: Args) => Promise<Outcome<GoalHandle<F, A, E>, AskError>>
  /**
   * Finds a goal again that runs, or ended not long ago (docs/semantics.md, "Actions"). Rejects with an `AskError`:
   * `Rejected` when there is none with this id, `Disconnected` when the process that ran it is gone.
   */
  readonly goal: (id: string, options?: Pick<CallOptions, "timeout" | "signal">) => Promise<GoalHandle<F, A, E>>
  /** The goals of this action that the actor's members run, or ran not long ago; the oldest of each member first. */
  readonly goals: (options?: Pick<CallOptions, "timeout">) => Promise<ReadonlyArray<ListedGoal>>
}

export interface EffectActionCall<Args extends ReadonlyArray<unknown>, F, A, E> {
  (...args: Args): Effect.Effect<EffectGoalHandle<F, A, E>, AskError>
  readonly goal: (
    id: string,
    options?: Pick<CallOptions, "timeout" | "signal">,
  ) => Effect.Effect<EffectGoalHandle<F, A, E>, AskError>
  readonly goals: (options?: Pick<CallOptions, "timeout">) => Effect.Effect<ReadonlyArray<ListedGoal>, AskError>
}
