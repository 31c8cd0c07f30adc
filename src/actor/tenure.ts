// What a cell knows of the term in which it leads its `single` clique, and what is to run when that begins.

import { Effect } from "effect"
import type { Term } from "../clique/term.ts"

type Run = (epoch: number) => void | Promise<void>

export class Tenure {
  readonly yieldTo: (epoch: number) => void
  readonly #runs: Array<Run> = []
  #term: Term | undefined

  /** @param term undefined while it stands by. */
  constructor(term: Term | undefined, yieldTo: (epoch: number) => void) {
    this.#term = term
    this.yieldTo = yieldTo
  }

  /** 0 before it leads; the last one once it leads no longer. */
  get epoch(): number {
    return this.#term?.epoch ?? 0
  }

  readonly onLead = (run: Run): void => {
    this.#runs.push(run)
  }

  /** Runs what was registered, also what that registers; fails with what it throws. */
  begin(term: Term): Effect.Effect<void, unknown> {
    this.#term = term
    return Effect.tryPromise({
      try: async () => {
        for (let run = this.#runs.shift(); run !== undefined; run = this.#runs.shift()) await run(term.epoch)
      },
      catch: (error) => error,
    })
  }
}
