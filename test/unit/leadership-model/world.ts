// A clique in small: one broker, members that come and die, a store that fences, and a record of all that went wrong.

import { Broker } from "./broker.ts"
import { Chance } from "./chance.ts"
import { Member } from "./member.ts"
import type { Protocol } from "./protocol.ts"

/** What may happen in a run. */
export interface Scenario {
  /** Purges and deletes destroy tokens. */
  readonly losses: boolean
  /** Clocks are wrong by at most that many ms, to either side. */
  readonly clocks: number
  /** Members hear which epoch leads. */
  readonly beats: boolean
  /** A store that refuses writes of an older epoch; leaders read it before they begin, unless it is left unread. */
  readonly store: "read" | "unread" | "none"
  /** Tokens that came back stand in any order: no broker does that. */
  readonly shuffled?: boolean
}

export type Fault =
  | "two holders"
  | "epochs not strict"
  | "a member led on an epoch that it knew to be old"
  | "two members wrote with one epoch"
  | "no single leader with a single token"

export interface Violation {
  readonly fault: Fault
  readonly detail: string
}

export class World {
  readonly scenario: Scenario
  readonly protocol: Protocol
  readonly chance: Chance
  readonly broker: Broker
  readonly members: Array<Member> = []
  /** Who led with what, with the broker's count of the delivery that it led on. */
  readonly grants: Array<{ readonly grant: number; readonly epoch: number; readonly member: string }> = []
  readonly violations: Array<Violation> = []
  readonly tally = new Map<string, number>()
  /** Milliseconds. */
  now = 1_000_000
  readonly #log: ((line: string) => void) | undefined
  #stored: { readonly epoch: number; readonly by: string } | undefined

  constructor(seed: number, scenario: Scenario, protocol: Protocol, log?: (line: string) => void) {
    this.scenario = scenario
    this.protocol = protocol
    this.#log = log
    this.chance = new Chance(seed)
    this.broker = new Broker({
      crashCounts: 1 + this.chance.below(2),
      arrange: (tokens) =>
        scenario.shuffled ? this.chance.shuffled(tokens) : tokens.sort((a, b) => a.place - b.place),
    })
  }

  get live(): ReadonlyArray<Member> {
    return this.members.filter((member) => member.alive)
  }

  /** Those who lead in their own view and are able to act on it. */
  get acting(): ReadonlyArray<Member> {
    return this.live.filter((member) => member.acts && !member.frozen)
  }

  join(): void {
    const { clocks } = this.scenario
    const clock = this.chance.below(2 * clocks + 1) - clocks
    this.members.push(new Member(this, `m${this.members.length}`, clock))
  }

  /** A leader does some work: what it must load to begin, then what it has to write. */
  work(member: Member): void {
    if (!member.acts || member.frozen) return
    if (!member.loaded && !this.#begin(member)) return
    if (this.scenario.store !== "none") this.#store(member)
  }

  /**
   * Reads the store, once for each leadership: who finds an epoch as high as its own there does not begin. The first
   * write follows at once, as in a store that compares and sets.
   */
  #begin(member: Member): boolean {
    const { context } = member.state
    const held = this.scenario.store === "read" ? this.#stored : undefined
    member.loaded = true
    if (held && held.by !== member.name && held.epoch >= context.epoch) {
      this.count("a leader found its epoch in the store")
      member.feed({ type: "seen", epoch: Math.max(held.epoch, context.seen + 1) })
      return false
    }
    if (member.phase === "leading.starting") member.feed({ type: "started" })
    return true
  }

  /** I5: below the epoch of the store nothing is written, and the writer learns why. */
  #store(member: Member): void {
    const { epoch } = member.state.context
    const held = this.#stored
    if (held && epoch < held.epoch) {
      this.count("the store refused a write")
      return member.feed({ type: "seen", epoch: held.epoch })
    }
    if (held && epoch === held.epoch && held.by !== member.name) {
      this.violated("two members wrote with one epoch", `${held.by} and ${member.name} with ${epoch}`)
    }
    this.#stored = { epoch, by: member.name }
  }

  count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1)
  }

  violated(fault: Fault, detail: string): void {
    this.note(() => `VIOLATED: ${fault}: ${detail}`)
    this.violations.push({ fault, detail })
  }

  /** A line for whoever repeats a run by its seed. */
  note(line: () => string): void {
    this.#log?.(`${this.now} ${line()}`)
  }
}
