// Gates: what a case must show, as data, and whether it did. Pure.

export type Bound = { readonly atMost: number } | { readonly atLeast: number } | { readonly exactly: number }

export interface Gate {
  /** What it promises, for people. */
  readonly text: string
  /** The name of a figure among the findings of its case. */
  readonly figure: string
  readonly bound: Bound
  /** Behind the number, such as `ms`. */
  readonly unit?: string
}

export type Figures = Readonly<Record<string, number>>

export interface Judged extends Gate {
  readonly case: string
  readonly measured: number | undefined
  readonly verdict: "held" | "missed" | "not measured"
}

export const holds = (bound: Bound, value: number): boolean => {
  if ("atMost" in bound) return value <= bound.atMost
  return "atLeast" in bound ? value >= bound.atLeast : value === bound.exactly
}

/** A case that failed has no figures: none of its gates was measured. NaN is no figure. */
export const judge = (name: string, gates: readonly Gate[], figures: Figures = {}): readonly Judged[] =>
  gates.map((gate) => {
    const measured = figures[gate.figure]
    if (measured === undefined || Number.isNaN(measured))
      return { ...gate, case: name, measured: undefined, verdict: "not measured" }
    return { ...gate, case: name, measured, verdict: holds(gate.bound, measured) ? "held" : "missed" }
  })

/** A claim that was not measured is not shown. */
export const allHeld = (judged: readonly Judged[]): boolean => judged.every(({ verdict }) => verdict === "held")
