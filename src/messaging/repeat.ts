// Asks whose reply may be lost, because the queue that it goes to is: each is sent once more, and names the inbox of now.
//
// R1. The second is a parcel of its own: what became of the first stays as it was, settled once and confirmed once. The
//     first reply counts (pending.ts, P2), and that the second is refused says nothing of the first.
// R2. It takes the place of the first among what waits, so that asks keep their order (promise 5). What still waits will
//     name the inbox of now by itself.

import type { Content, Parcel } from "./lane.ts"
import type { Node } from "./node.ts"
import type { PendingAsks } from "./pending.ts"

/** An ask as it was sent. */
interface Sent {
  readonly id: number
  readonly content: Content
  readonly order: number
}

export class Repeat implements Parcel {
  readonly persistent = false
  readonly owed = true
  readonly ask: Sent
  readonly content: Content
  readonly order: number
  bytes = 0
  readonly #pending: PendingAsks

  constructor(ask: Sent, pending: PendingAsks) {
    this.ask = ask
    this.content = ask.content
    this.order = ask.order
    this.#pending = pending
  }

  wanted(): boolean {
    return this.#pending.has(this.ask.id)
  }

  /** R1 */
  settled(): void {}
}

/** The node has another inbox. */
export const repeatAsks = ({ outbox, pending }: Node): void => {
  const waiting = new Set<unknown>(outbox.waiting.map((parcel) => (parcel instanceof Repeat ? parcel.ask : parcel)))
  for (const ask of pending.all) if (!waiting.has(ask)) ask.repeat()
}
