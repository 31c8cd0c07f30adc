// What a supervisor does: one decision for each exit of a child, and who stops and starts because of it. Pure.
//
// P1. Children start in their order and stop in the reverse of it.
// P2. A temporary child is never restarted, not even after it was stopped for a sibling's sake; it leaves the list.
// P3. A transient child that has ended stays in the list: a restart of its group starts it again, as in OTP.

import { admit, type History } from "./intensity.ts"
import type { ResolvedChild, ResolvedSpec, Strategy } from "./spec.ts"

/** How an incarnation came to its end by itself. "fatal": with an error that no restart can help. */
export type Outcome = "ended" | "crashed" | "fatal"

export type Verdict =
  /** It stays down; nobody else is concerned. */
  | { readonly _tag: "Forget" }
  /** It, and who depends on it, is started again. `history` is the new window of the intensity. */
  | { readonly _tag: "Restart"; readonly history: History }
  /** One restart too many; `whenExhausted` says what now. */
  | { readonly _tag: "Exhausted"; readonly history: History; readonly then: ResolvedSpec["whenExhausted"] }
  /** Its end is the end of this supervisor, which is no failure. */
  | { readonly _tag: "AutoShutdown" }
  /** Stop everything; the error goes up unchanged. */
  | { readonly _tag: "Fatal" }

export interface Situation {
  readonly spec: Pick<ResolvedSpec, "intensity" | "autoShutdown" | "whenExhausted">
  readonly child: Pick<ResolvedChild, "restart" | "significant">
  readonly outcome: Outcome
  /** Whether another significant child is up, or will be again. */
  readonly significantLeft: boolean
  readonly history: History
  /** ms, on the clock of `history`. */
  readonly now: number
}

/** What the exit of a child means. */
export const decide = ({ spec, child, outcome, significantLeft, history, now }: Situation): Verdict => {
  if (outcome === "fatal") return { _tag: "Fatal" }
  if (child.restart === "permanent" || (child.restart === "transient" && outcome === "crashed")) {
    const admission = admit(history, now, spec.intensity)
    return admission.allowed
      ? { _tag: "Restart", history: admission.history }
      : { _tag: "Exhausted", history: admission.history, then: spec.whenExhausted }
  }
  const last = spec.autoShutdown === "any-significant" || (spec.autoShutdown === "all-significant" && !significantLeft)
  return child.significant && last ? { _tag: "AutoShutdown" } : { _tag: "Forget" }
}

/** A member of the list, in the order of the list. */
export interface Member {
  readonly id: string
  readonly restart: ResolvedChild["restart"]
  /** Whether it has an incarnation now. */
  readonly alive: boolean
}

export interface Recovery {
  /** To be stopped, in this order. */
  readonly stop: ReadonlyArray<string>
  /** Those of `stop` that leave the list. */
  readonly forget: ReadonlyArray<string>
  /** To be started, in this order, each when the one before it is ready. */
  readonly start: ReadonlyArray<string>
}

/** Who stops and who starts because the child `failed` is to be restarted. */
export const recovery = (strategy: Strategy, members: ReadonlyArray<Member>, failed: string): Recovery => {
  const at = members.findIndex((member) => member.id === failed)
  if (at < 0) return { stop: [], forget: [], start: [] }
  const group =
    strategy === "one-for-one" ? members.slice(at, at + 1) : strategy === "rest-for-one" ? members.slice(at) : members
  const stop = group.filter((member) => member.alive && member.id !== failed)
  const forget = stop.filter((member) => member.restart === "temporary").map((member) => member.id)
  return {
    stop: stop.map((member) => member.id).reverse(),
    forget,
    // A temporary child that is not alive has not been started yet (it is waiting for its turn): it starts in its turn.
    start: group.map((member) => member.id).filter((id) => !forget.includes(id)),
  }
}
