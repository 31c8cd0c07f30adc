// The asks of this node that nobody has answered yet.
//
// P1. An ask is registered before it is sent, so that no reply can overtake it.
// P2. It ends exactly once: with the first reply, its deadline, a refusal, or a cancel. Whatever comes later is ignored.

import type { AskReason } from "../protocol/errors.ts"
import type { Outcome, ReplyItem } from "../wire/item.ts"
import type { Deadlines, Entry } from "./deadlines.ts"

interface Pending {
  readonly settle: (outcome: Outcome) => void
  readonly observe: (service: number) => void
  readonly timer: Entry
}

export class PendingAsks {
  readonly #deadlines: Deadlines
  readonly #asks = new Map<number, Pending>()

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines
  }

  get size(): number {
    return this.#asks.size
  }

  /**
   * @param late why it has failed when the deadline has passed.
   * @param observe told how long the handler took, ms.
   */
  add(
    id: number,
    deadline: number,
    late: () => AskReason,
    settle: (outcome: Outcome) => void,
    observe: (service: number) => void,
  ): void {
    const expire = () => this.end(id, { tag: "failed", reason: late() })
    this.#asks.set(id, { settle, observe, timer: this.#deadlines.add(deadline, expire) })
  }

  has(id: number): boolean {
    return this.#asks.has(id)
  }

  reply(item: ReplyItem): void {
    if (item.service !== undefined) this.#asks.get(item.id)?.observe(item.service)
    this.end(item.id, item.outcome)
  }

  /** Whether it was still open. */
  end(id: number, outcome: Outcome): boolean {
    const ask = this.#asks.get(id)
    if (ask === undefined) return false
    this.#asks.delete(id)
    ask.timer.cancel()
    ask.settle(outcome)
    return true
  }

  /** Ends them all: the node stops. */
  endAll(outcome: Outcome): void {
    for (const id of [...this.#asks.keys()]) this.end(id, outcome)
  }
}
