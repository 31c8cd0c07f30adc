// A supervisor as a child of another one.
//
// N1. It gives up: that is a crash of the child. Its fatal error is the child's. It ends otherwise: the child ends.
// N2. So one that may end by itself must not be permanent: its parent would start it again for ever.

import { Effect, Exit } from "effect"
import type { Child } from "./child.ts"
import { SpecError } from "./errors.ts"
import type { ChildSpec, SupervisorSpec } from "./spec.ts"
import { check, launch, type Supervisor } from "./supervisor.ts"

export interface Nested<R> extends Child<R> {
  /** The supervisor while this child lives; a restart makes a new one, without the children that were added. */
  readonly current: () => Supervisor<R> | undefined
}

/**
 * A supervisor that another supervisor runs. As a child it is permanent, or transient if it may end by itself
 * (`autoShutdown`, `whenExhausted: "stop"`), and its shutdown is "infinity": its own children have their bounds.
 */
export const asChild = <R = never>(
  name: string,
  spec: SupervisorSpec,
  children: ReadonlyArray<Child<R>>,
  options: Omit<ChildSpec, "id"> = {},
): Nested<R> => {
  const mayEnd = (spec.autoShutdown ?? "never") !== "never" || spec.whenExhausted === "stop"
  let latest: Supervisor<R> | undefined
  let current: Supervisor<R> | undefined
  const incarnation = Effect.fnUntraced(function* (ready: Effect.Effect<void>) {
    const { supervisor, started } = yield* launch(name, spec, children)
    latest = supervisor
    current = supervisor
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        if (current === supervisor) current = undefined
      }),
    )
    yield* started
    yield* ready
    const exit = yield* supervisor.awaitExit
    if (Exit.isFailure(exit)) return yield* Effect.failCause(exit.cause)
  })
  return {
    spec: { restart: mayEnd ? "transient" : "permanent", shutdown: "infinity", ...options, id: name },
    open: Effect.succeed(incarnation),
    detail: () => latest?.view().detail ?? "",
    children: () => latest?.view().children ?? [],
    current: () => current,
    check: () => {
      if (mayEnd && options.restart === "permanent") {
        const why = spec.whenExhausted === "stop" ? 'whenExhausted is "stop"' : `autoShutdown is "${spec.autoShutdown}"`
        return new SpecError({
          supervisor: name,
          problems: [`${why}, but it is permanent: its parent would start it again for ever; make it transient`],
        })
      }
      return check(name, spec, children)
    },
  }
}
