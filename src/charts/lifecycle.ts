// Runs a chart. Its snapshot is the only place that knows the phase; nothing beside it keeps a flag of its own.

import { Effect } from "effect"
import { type Actor, type AnyStateMachine, createActor, type EventFromLogic, type SnapshotFrom } from "xstate"

export class Lifecycle<Chart extends AnyStateMachine> {
  readonly #actor: Actor<Chart>

  constructor(chart: Chart) {
    this.#actor = createActor(chart as AnyStateMachine) as Actor<Chart>
    this.#actor.start()
  }

  /** An event that the phase has no use for changes nothing. */
  send(event: EventFromLogic<Chart>): void {
    this.#actor.send(event)
  }

  get #snapshot(): SnapshotFrom<AnyStateMachine> {
    return this.#actor.getSnapshot() as SnapshotFrom<AnyStateMachine>
  }

  has(tag: string): boolean {
    return this.#snapshot.hasTag(tag)
  }

  get context(): SnapshotFrom<Chart>["context"] {
    return this.#snapshot.context
  }

  /** The phase as text: `up.flowing`. */
  get phase(): string {
    return text(this.#snapshot.value)
  }

  /** Succeeds once the phase has the tag, or one of the final phases is reached. */
  until(tag: string): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const reached = () => this.has(tag) || this.#snapshot.status !== "active"
      if (reached()) return resume(Effect.void)
      const subscription = this.#actor.subscribe(() => {
        if (!reached()) return
        subscription.unsubscribe()
        resume(Effect.void)
      })
      return Effect.sync(() => subscription.unsubscribe())
    })
  }
}

const text = (value: unknown): string =>
  typeof value === "string"
    ? value
    : Object.entries(value as Record<string, unknown>)
        .map(([key, inner]) => `${key}.${text(inner)}`)
        .join(",")
