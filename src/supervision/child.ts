// What a supervisor can run: a child is its spec and an effect that lives as long as it does.

import type { Effect, Scope } from "effect"
import type { SpecError } from "./errors.ts"
import type { ChildSpec } from "./spec.ts"
import type { View } from "./tree.ts"

/**
 * One life of a child, from start to end. It calls `ready` when it is up; the next sibling starts after that. It
 * ends, fails, or is interrupted by a stop; then its Scope is closed.
 */
export type Incarnation<R> = (ready: Effect.Effect<void>) => Effect.Effect<void, unknown, Scope.Scope | R>

export interface Child<R = never> {
  readonly spec: ChildSpec
  /**
   * Runs before the first incarnation, and holds what outlives restarts: its Scope is closed when the child is stopped
   * for good, has ended for good, or its supervisor has ended. Gives the incarnation that is run at every (re)start.
   */
  readonly open: Effect.Effect<Incarnation<R>, unknown, Scope.Scope | R>
  /** One line about it, for the tree. */
  readonly detail?: () => string
  /** What hangs below it in the tree. */
  readonly children?: () => ReadonlyArray<View>
  /** What is wrong with it, asked before anything is started. */
  readonly check?: () => SpecError | undefined
}
