// Runs children as their supervision spec says, for as long as its scope is open: the face of the loop.

import { Deferred, Effect, type Exit, Result, type Scope } from "effect"
import type { Child } from "./child.ts"
import { type Fatal, type GaveUp, type SpecError, StartFailed } from "./errors.ts"
import { type Ending, makeLoop } from "./loop.ts"
import { resolveAll, resolveChild, type SupervisorSpec } from "./spec.ts"
import type { View } from "./tree.ts"

export interface Supervisor<R = never> {
  /**
   * Adds a child at the end of the list and waits until it is ready. If it fails before that, it is removed and
   * nothing else happens: such a failure, fatal or not, is the caller's. An id that has ended may be added again. An
   * added child is lost when its supervisor is restarted. To interrupt the wait does not stop the child.
   */
  readonly startChild: (child: Child<R>) => Effect.Effect<void, SpecError | StartFailed | Fatal>
  /** Stops a child for good, also in its backoff, and waits until it is gone. False: there is no such child. */
  readonly stopChild: (id: string) => Effect.Effect<boolean>
  /** The tree as it is now, as data; `render` makes text of it. */
  readonly view: () => View
  /** Waits for the end of the supervisor, when all its children are down: why, or the failure that ended it. */
  readonly awaitExit: Effect.Effect<Exit.Exit<Ending, GaveUp | StartFailed | Fatal>>
  /** Stops the children in reverse order, each within its bound, and with them the supervisor. */
  readonly stop: Effect.Effect<void>
}

/**
 * Starts the children in order, each when the one before it is ready, and supervises them until the scope closes.
 * Fails, with all that were started stopped again, if one fails before it is ready for the first time. Like an OTP
 * supervisor it stays when all its children have ended, unless its `autoShutdown` says otherwise.
 */
export const supervise = Effect.fnUntraced(function* <R = never>(
  name: string,
  spec: SupervisorSpec,
  children: ReadonlyArray<Child<R>>,
): Effect.fn.Return<Supervisor<R>, SpecError | StartFailed | Fatal, Scope.Scope | R> {
  const { supervisor, started } = yield* launch(name, spec, children)
  yield* started
  return supervisor
})

/** As `supervise`, but does not wait for the children: `started` does. */
export const launch = Effect.fnUntraced(function* <R = never>(
  name: string,
  given: SupervisorSpec,
  children: ReadonlyArray<Child<R>>,
): Effect.fn.Return<
  { readonly supervisor: Supervisor<R>; readonly started: Effect.Effect<void, StartFailed | Fatal> },
  SpecError,
  Scope.Scope | R
> {
  const wrong = check(name, given, children)
  if (wrong) return yield* wrong
  const { supervisor: spec, children: own } = Result.getOrThrow(resolveAll(name, given, specsOf(children)))
  const loop = yield* makeLoop<R>(name, spec)
  yield* Effect.addFinalizer(() => loop.stop)
  loop.begin(children.map((child, i) => loop.makeSlot(child, own[i]!, false)))
  const stopped = (child: string) =>
    Effect.andThen(loop.awaitExit, Effect.fail(new StartFailed({ supervisor: name, child, cause: "it has stopped" })))
  const supervisor: Supervisor<R> = {
    startChild: Effect.fnUntraced(function* (child) {
      const wrong = child.check?.()
      if (wrong) return yield* wrong
      const slot = loop.makeSlot(child, yield* Effect.fromResult(resolveChild(name, spec, child.spec)), true)
      loop.post({ _tag: "Start", slot })
      return yield* Effect.raceFirst(Deferred.await(slot.started), stopped(slot.id))
    }),
    stopChild: (id) =>
      Effect.suspend(() => {
        const reply = Deferred.makeUnsafe<boolean>()
        const known = loop.view().children.some((child) => child.id === id)
        loop.post({ _tag: "Stop", id, reply })
        return Effect.raceFirst(Deferred.await(reply), Effect.as(loop.awaitExit, known))
      }),
    view: loop.view,
    awaitExit: loop.awaitExit,
    stop: loop.stop,
  }
  return { supervisor, started: loop.started }
})

/** What is wrong with a spec or with anything below it; nothing is started to find out. */
export const check = <R>(
  name: string,
  spec: SupervisorSpec,
  children: ReadonlyArray<Child<R>>,
): SpecError | undefined => {
  const resolved = resolveAll(name, spec, specsOf(children))
  if (Result.isFailure(resolved)) return resolved.failure
  for (const child of children) {
    const wrong = child.check?.()
    if (wrong) return wrong
  }
  return undefined
}

const specsOf = <R>(children: ReadonlyArray<Child<R>>) => children.map((child) => child.spec)
