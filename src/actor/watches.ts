// What one cell watches: other addresses, of which it is told when their last member is gone.
//
// W1. It is told once, in a turn among its messages, and never after it has ended.

import type { Mailbox } from "../messaging/mailbox.ts"
import { Turn } from "../messaging/turn.ts"
import type { Presence } from "../presence/presence.ts"

type Gone = () => void | Promise<void>

export class Watches {
  readonly #presence: Presence
  readonly #mailbox: Mailbox
  readonly #run: (gone: Gone) => Promise<void>
  readonly #ends = new Set<() => void>()
  #over = false

  /** @param run crashes the cell when what it runs fails, and never rejects. */
  constructor(presence: Presence, mailbox: Mailbox, run: (gone: Gone) => Promise<void>) {
    this.#presence = presence
    this.#mailbox = mailbox
    this.#run = run
  }

  /** The result takes it back, also when its turn has not come yet. */
  readonly watch = ({ $address }: { readonly $address: string }, gone: Gone): (() => void) => {
    if (this.#over) return () => {}
    let wanted = true
    const release = this.#presence.onGone($address, () => {
      this.#mailbox.take(
        new Turn(
          () => {
            end()
            return this.#run(gone)
          },
          () => wanted,
        ),
      )
    })
    const end = () => {
      wanted = false
      this.#ends.delete(end)
      release()
    }
    this.#ends.add(end)
    return end
  }

  endAll(): void {
    this.#over = true
    for (const end of [...this.#ends]) end()
  }
}
