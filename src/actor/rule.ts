// What a member of a `single` clique does with a term: one cell for as long as it leads, and standing by in between.
//
// S1. A standby is a started child: it waits for its term as part of its incarnation.
// S2. A term ends at once (halt) or finishes what it began (drain); either ends the cell. A crash ends the cell, not the
//     term: its mail waits for the next cell (promise 6).
// S3. What `drain` waits for is the end of the cell, its mail finished.

import { Deferred, Effect, type Scope } from "effect"
import type { BrokerError } from "../broker/errors.ts"
import type { Leadership, Tenant } from "../clique/leadership.ts"
import type { Term } from "../clique/term.ts"
import type { Mailbox } from "../messaging/mailbox.ts"
import type { Incarnation } from "./incarnation.ts"

export interface RuleOptions<E, R> {
  readonly mailbox: Mailbox
  /** Fails when the broker will not let the member go on. */
  readonly refused: Effect.Effect<never, BrokerError>
  /** The factory runs while it stands by. */
  readonly warm: boolean
  /** Makes the next cell, in the current Scope, for a term if it has come. */
  readonly incarnate: (term: Term | undefined) => Effect.Effect<Incarnation, E, R>
  /** It leads, or leads no longer. */
  readonly changed: () => void
  /** ms since the epoch; 0 for never. */
  readonly leaderHeard: () => number
}

export class Rule<E, R> implements Tenant {
  readonly #options: RuleOptions<E, R>
  /** The term that a cell lives in, and when that cell has ended. */
  #current: { readonly term: Term; readonly ended: Deferred.Deferred<void> } | undefined

  constructor(options: RuleOptions<E, R>) {
    this.#options = options
  }

  readonly halt = (why: Error): Effect.Effect<void> => this.#options.mailbox.abandon(why)

  readonly drain = (term: Term): Effect.Effect<void> =>
    Effect.suspend(() => {
      term.drain()
      const current = this.#current
      return current?.term === term ? Deferred.await(current.ended) : Effect.void // S3
    })

  readonly changed = (): void => this.#options.changed()

  readonly leaderHeard = (): number => this.#options.leaderHeard()

  /** One incarnation after the other, for as long as none crashes. */
  live(leadership: Leadership) {
    return (ready: Effect.Effect<void>) =>
      Effect.gen({ self: this }, function* () {
        yield* ready // S1
        for (;;) yield* Effect.scoped(this.#serveOnce(leadership))
      })
  }

  #serveOnce(leadership: Leadership) {
    const { mailbox, refused, warm, incarnate } = this.#options
    const gone = Effect.raceFirst(refused, leadership.refused)
    return Effect.gen({ self: this }, function* () {
      const waiting = warm ? yield* incarnate(undefined) : undefined
      const crashed = waiting === undefined ? Effect.never : waiting.crashed
      const term = yield* Effect.raceFirst(leadership.term, Effect.raceFirst(crashed, gone))
      yield* this.#enter(term)
      const serve = Effect.gen(function* () {
        // The mail is fetched while the cell is made, and waits for it: a fail-over shall be short.
        const made = waiting === undefined ? incarnate(term) : Effect.succeed(waiting)
        const [cell] = yield* Effect.all([made, mailbox.lead(term)], { concurrency: 2 })
        yield* cell.open(term)
        leadership.started(term)
        return yield* Effect.raceFirst(cell.crashed, gone)
      })
      yield* Effect.raceFirst(serve, term.ending)
    })
  }

  #enter(term: Term): Effect.Effect<void, never, Scope.Scope> {
    return Effect.suspend(() => {
      const current = { term, ended: Deferred.makeUnsafe<void>() }
      this.#current = current
      return Effect.addFinalizer(() =>
        Effect.sync(() => {
          if (this.#current === current) this.#current = undefined
          Deferred.doneUnsafe(current.ended, Effect.void)
        }),
      )
    })
  }
}
