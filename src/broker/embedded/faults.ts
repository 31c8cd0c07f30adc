// Faults to order, for tests: lost links, refused connections, alarms, latency, doubled and unconfirmed messages.
//
// G1. A fault acts from the call on, on every link of the broker, until it is used up or taken back.

import type { LinkLost, Refused } from "../errors.ts"
import { LinkLost as Lost } from "../errors.ts"

/** What a test may do to an embedded broker. Plain calls: what follows from them comes over the event loop. */
export interface Faults {
  /**
   * Loses links as a broken socket would: what they had in hand goes back, what they had in flight fails with `LinkLost`.
   * Says how many there were.
   *
   * - `name`: only links of this id, or made by `broker.as(name)`. Default: all.
   */
  readonly cut: (options?: { readonly name?: string; readonly why?: string }) => number
  /**
   * Refuses connections from now on; links that are open stay.
   *
   * - `ms`: for how long. Default: until `allow`.
   * - `failure`: what `connect` fails with. Default: a `LinkLost`, which is worth a retry.
   */
  readonly refuse: (options?: { readonly ms?: number; readonly failure?: LinkLost | Refused }) => void
  readonly allow: () => void
  /** An alarm: publishes are held until `unblock`. Acks, declarations and deliveries go on. */
  readonly block: (why: string) => void
  readonly unblock: () => void
  /** Everything from the broker arrives this much later (ms, on the Effect Clock). 0 takes it back. */
  readonly slow: (ms: number) => void
  /** Stores the next publishes twice, as after a re-send over a lost link. Default 1. */
  readonly duplicate: (publishes?: number) => void
  /** Nacks the next publishes, and stores none of them. Default 1. */
  readonly nack: (publishes?: number) => void
  /** Stores the next publishes and never confirms them: `ConfirmTimedOut` in time. Default 1. */
  readonly loseConfirms: (publishes?: number) => void
  /** Takes everything back that was ordered. */
  readonly calm: () => void
}

/** A link, as far as faults are concerned. */
export interface Vulnerable {
  readonly id: string
  readonly owner: string
  readonly lose: (why: string) => void
  /** `Injector.blocked` has changed. */
  readonly alarm: () => void
}

/** What befalls a publish. */
export type Fate = "usual" | "duplicated" | "nacked" | "unconfirmed"

export class Injector implements Faults {
  readonly links = new Set<Vulnerable>()
  readonly #now: () => number
  #refusal: { readonly until: number; readonly failure: LinkLost | Refused } | undefined
  #blocked: string | undefined
  #latency = 0
  #left = { nacked: 0, unconfirmed: 0, duplicated: 0 }
  #ordered = 0

  /** @param now ms since the epoch. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Why publishes are held, or undefined. */
  get blocked(): string | undefined {
    return this.#blocked
  }

  /** ms. */
  get latency(): number {
    return this.#latency
  }

  /** Why nobody may connect at this moment, or undefined. */
  refusal(): LinkLost | Refused | undefined {
    return this.#refusal !== undefined && this.#now() < this.#refusal.until ? this.#refusal.failure : undefined
  }

  /** Uses up one order. */
  fate(): Fate {
    if (this.#ordered === 0) return "usual"
    for (const fate of ["nacked", "unconfirmed", "duplicated"] as const) {
      if (this.#left[fate] === 0) continue
      this.#left[fate]--
      this.#ordered--
      return fate
    }
    return "usual"
  }

  readonly cut: Faults["cut"] = ({ name, why = "the connection was cut" } = {}) => {
    const hit = [...this.links].filter((link) => name === undefined || link.id === name || link.owner === name)
    for (const link of hit) link.lose(why)
    return hit.length
  }

  readonly refuse: Faults["refuse"] = ({ ms = Number.POSITIVE_INFINITY, failure } = {}) => {
    this.#refusal = { until: this.#now() + ms, failure: failure ?? new Lost({ why: "the connection was refused" }) }
  }

  readonly allow: Faults["allow"] = () => {
    this.#refusal = undefined
  }

  readonly block: Faults["block"] = (why) => this.#alarm(why)

  readonly unblock: Faults["unblock"] = () => this.#alarm(undefined)

  readonly slow: Faults["slow"] = (ms) => {
    this.#latency = ms
  }

  readonly duplicate: Faults["duplicate"] = (publishes = 1) => this.#order("duplicated", publishes)

  readonly nack: Faults["nack"] = (publishes = 1) => this.#order("nacked", publishes)

  readonly loseConfirms: Faults["loseConfirms"] = (publishes = 1) => this.#order("unconfirmed", publishes)

  readonly calm: Faults["calm"] = () => {
    this.slow(0)
    this.allow()
    this.unblock()
    this.#left = { nacked: 0, unconfirmed: 0, duplicated: 0 }
    this.#ordered = 0
  }

  #order(fate: Exclude<Fate, "usual">, publishes: number): void {
    this.#left[fate] += publishes
    this.#ordered += publishes
  }

  #alarm(why: string | undefined): void {
    if (this.#blocked === why) return
    this.#blocked = why
    for (const link of this.links) link.alarm()
  }
}
