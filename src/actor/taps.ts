// The subscriptions of a member, from cell to cell (listeners.ts, H2).

import { Effect, Exit, Scope } from "effect"
import type { BrokerError } from "../broker/errors.ts"
import type { Events } from "../events/events.ts"
import type { Tap } from "../events/tap.ts"
import type { Wanted } from "../events/wanted.ts"

export class Taps {
  readonly #events: Events
  readonly #open = new Map<string, { readonly tap: Tap; readonly scope: Scope.Closeable }>()

  constructor(events: Events) {
    this.#events = events
  }

  get domain(): string {
    return this.#events.domain
  }

  /** One that is open, or a new one. */
  get(key: string, want: Wanted): Effect.Effect<Tap, BrokerError> {
    return Effect.suspend(() => {
      const known = this.#open.get(key)
      if (known?.tap.ended === false) return Effect.succeed(known.tap)
      const scope = Scope.makeUnsafe()
      const opening = Effect.provideService(this.#events.tap(want), Scope.Scope, scope)
      return opening.pipe(
        Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Scope.close(scope, Exit.void))),
        Effect.tap((tap) => Effect.sync(() => this.#open.set(key, { tap, scope }))),
        Effect.tap(() => (known === undefined ? Effect.void : Scope.close(known.scope, Exit.void))),
      )
    })
  }

  /** Closes the others. */
  keep(keys: ReadonlySet<string>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const others = [...this.#open].filter(([key]) => !keys.has(key))
      for (const [key] of others) this.#open.delete(key)
      return Effect.forEach(others, ([, { scope }]) => Scope.close(scope, Exit.void), {
        concurrency: "unbounded",
        discard: true,
      })
    })
  }

  readonly closeAll: Effect.Effect<void> = Effect.suspend(() => this.keep(new Set()))
}
