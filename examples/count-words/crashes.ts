// Follows the crashes and restarts of the pool through the actors' own hooks.

import type { Hooks } from "warren"
import type { Display } from "./display.ts"
import type { Crash, Statistics } from "./statistics.ts"

/** ms that the end of a run waits for a counter to come back. */
const patience = 10_000

export class Crashes {
  readonly hooks: Hooks
  /** When each counter that is down went down. */
  readonly #down = new Map<string, { readonly crash: Crash; readonly at: number }>()
  #back: Array<() => void> = []

  constructor(statistics: Statistics, display: Display) {
    this.hooks = {
      onCrash: ({ address }, error) => {
        const crash: Crash = { address, why: error instanceof Error ? error.message : String(error) }
        statistics.crashes.push(crash)
        this.#down.set(address, { crash, at: performance.now() })
        display.crashed(crash)
      },
      onStart: ({ address, incarnation }) => {
        const down = this.#down.get(address)
        if (down === undefined) return
        this.#down.delete(address)
        down.crash.restartedAfter = performance.now() - down.at
        display.restarted(address, incarnation, down.crash.restartedAfter)
        if (this.#down.size === 0) for (const call of this.#back.splice(0)) call()
      },
    }
  }

  /** Resolves when no counter is down, or after 10 s. */
  async allBack(): Promise<void> {
    if (this.#down.size === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, patience)
      this.#back.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}
