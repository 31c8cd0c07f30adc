// Tells of restarts: in the log, louder as the window fills, and to an observer, for display.

import { Cause, Context, Effect } from "effect"
import { describe } from "./errors.ts"
import { alarm, type Intensity } from "./intensity.ts"
import { span } from "./tree.ts"

/** A restart that was granted, before its wait. */
export interface RestartEvent {
  readonly supervisor: string
  readonly child: string
  /** 1 for the first crash, and again after a long enough uptime. */
  readonly attempt: number
  readonly cause: Cause.Cause<unknown>
  /** ms until the start. */
  readonly delay: number
}

/** Is told about restarts in all supervisors below the point where it is provided. */
export const Observer = Context.Reference<{ readonly onRestart: (event: RestartEvent) => void }>(
  "warren/supervision/Observer",
  { defaultValue: () => ({ onRestart: () => {} }) },
)

/** `used`: restarts in the window, this one included. An observer that throws is logged; the restart goes on. */
export const announce = Effect.fnUntraced(function* (event: RestartEvent, used: number, intensity: Intensity) {
  const log = alarm(used, intensity) === "warning" ? Effect.logWarning : Effect.logInfo
  yield* log(
    `"${event.supervisor}": "${event.child}" crashed, restart in ${span(event.delay)} ` +
      `(${used} of ${intensity.maxRestarts} within ${span(intensity.within)}): ${describe(Cause.squash(event.cause))}`,
  )
  const observer = yield* Observer
  yield* Effect.catchCause(
    Effect.sync(() => observer.onRestart(event)),
    (thrown) => Effect.logWarning("an observer of restarts threw", thrown),
  )
})
