// A case: what is broken, again and again, and what must hold meanwhile.

import type { Figures, Gate } from "./gates.ts"
import type { Scene } from "./scene.ts"

/** How much of the full length is run. */
export interface Scale {
  /** Above 0, up to 1. */
  readonly share: number
  /** So many of `full` that it fits the share, and at least `least`. */
  readonly times: (full: number, least: number) => number
}

export const scaleOf = (share: number): Scale => ({
  share,
  times: (full, least) => Math.min(full, Math.max(least, Math.round(full * share))),
})

export interface Findings {
  readonly figures: Figures
  /** What no gate asks for and a reader wants to know, a line each. */
  readonly notes: readonly string[]
}

export interface Case {
  readonly name: string
  readonly title: string
  /** At full length, roughly. */
  readonly minutes: number
  readonly gates: (scale: Scale) => readonly Gate[]
  readonly run: (scene: Scene) => Promise<Findings>
}
