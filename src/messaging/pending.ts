// The asks of this node that nobody has answered yet.
//
// P1. An ask is registered before it is sent, so that no reply can overtake it.
// P2. It ends exactly once: with the first reply, its deadline, a refusal, or a cancel. Whatever comes later is ignored.

import type { Outcome, ReplyItem } from "../wire/item.ts"
import { type Deadlines, Entry } from "./deadlines.ts"
import { Numbered } from "./numbered.ts"

/** An ask that waits for its reply; as an entry it falls due at its deadline. */
export abstract class OpenAsk extends Entry {
  abstract readonly id: number
  /** Called once. */
  abstract settle(outcome: Outcome): void
  /** What its reply says of the actor that sent it; called before `settle`. */
  abstract learn(reply: ReplyItem): void
  /** Sends it once more, for its reply may be lost. Default: it is left to its deadline. */
  repeat(): void {}
}

export class PendingAsks {
  readonly #deadlines: Deadlines
  readonly #asks = new Numbered<OpenAsk>()

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines
  }

  get size(): number {
    return this.#asks.size
  }

  get all(): ReadonlyArray<OpenAsk> {
    return this.#asks.values()
  }

  /** @param deadline ms since the epoch. */
  add(ask: OpenAsk, deadline: number): void {
    this.#asks.add(ask.id, ask)
    this.#deadlines.schedule(deadline, ask)
  }

  has(id: number): boolean {
    return this.#asks.get(id) !== undefined
  }

  reply(item: ReplyItem): void {
    const ask = this.#asks.get(item.id)
    if (ask === undefined) return
    ask.learn(item)
    this.#end(ask, item.outcome)
  }

  /** Whether it was still open. */
  end(id: number, outcome: Outcome): boolean {
    const ask = this.#asks.get(id)
    if (ask === undefined) return false
    this.#end(ask, outcome)
    return true
  }

  /** Ends them all: the node stops. */
  endAll(outcome: Outcome): void {
    for (const { id } of this.#asks.values()) this.end(id, outcome)
  }

  #end(ask: OpenAsk, outcome: Outcome): void {
    this.#asks.delete(ask.id)
    ask.cancel()
    ask.settle(outcome)
  }
}
