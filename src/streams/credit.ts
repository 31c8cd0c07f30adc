// How far the sender of a stream may be ahead of its receiver. Pure; both ends count items and bytes from the beginning.
//
// C1. A sender makes an item only while it has credit for one and for a byte. So it may go over in bytes with the last item,
//     and an item that is larger than the whole window still gets through.
// C2. A receiver grants anew when a quarter of its window was used: seldom enough to cost nothing, early enough for the
//     sender not to run dry.
// C3. Nobody is believed: who sends without credit, says that his items are smaller than they can be, or takes credit back,
//     breaks the stream.

import type { Credit } from "../wire/frame.ts"
import { leastBytes } from "./least-bytes.ts"

/** What a receiver grants at first, and what may be on the way or waiting for it from then on. */
export const window: Credit = { items: 2048, bytes: 512 * 1024 }

/** Credit that a receiver may give at most, beyond what was sent: whoever gives more has lost count. */
const mostAhead: Credit = { items: 1_000_000, bytes: 256 * 1024 * 1024 }

/** The receiver's side. */
export class Window {
  readonly #size: Credit
  readonly #arrived = { items: 0, bytes: 0 }
  readonly #used = { items: 0, bytes: 0 }
  /** What had been used when it was granted last. */
  readonly #base = { items: 0, bytes: 0 }

  constructor(size: Credit) {
    this.#size = size
  }

  /** What was granted so far. */
  get granted(): Credit {
    return { items: this.#base.items + this.#size.items, bytes: this.#base.bytes + this.#size.bytes }
  }

  /** Items that came and are not used yet. */
  get waiting(): number {
    return this.#arrived.items - this.#used.items
  }

  /** Items have come. What is wrong with that, or undefined. @param bytes as their sender says. */
  arrive(items: ReadonlyArray<unknown>, bytes: number): string | undefined {
    const { granted } = this
    const last = leastBytes(items[items.length - 1])
    let others = 0
    for (let i = 0; i < items.length - 1; i++) others += leastBytes(items[i])
    if (bytes < others + last) return `${items.length} items in ${bytes} bytes, which is less than they can be`
    if (this.#arrived.items + items.length > granted.items || this.#arrived.bytes + others >= granted.bytes) {
      return "more was sent than there was credit for"
    }
    this.#arrived.items += items.length
    this.#arrived.bytes += bytes
    return undefined
  }

  /** They have been taken. */
  use(items: number, bytes: number): void {
    this.#used.items += items
    this.#used.bytes += bytes
  }

  /** What is to be granted now, or undefined (C2). */
  grant(): Credit | undefined {
    const items = this.#used.items - this.#base.items
    const bytes = this.#used.bytes - this.#base.bytes
    if (items < this.#size.items / 4 && bytes < this.#size.bytes / 4) return undefined
    this.#base.items += items
    this.#base.bytes += bytes
    return this.granted
  }
}

/** The sender's side. */
export class Allowance {
  #granted: Credit
  #items = 0
  #bytes = 0

  constructor(granted: Credit) {
    this.#granted = granted
  }

  /** Whether one more item may be made (C1). */
  get isOpen(): boolean {
    return this.#items < this.#granted.items && this.#bytes < this.#granted.bytes
  }

  use(bytes: number): void {
    this.#items++
    this.#bytes += bytes
  }

  /** The receiver grants more. What is wrong with that, or undefined. */
  raise(credit: Credit): string | undefined {
    if (credit.items < this.#granted.items || credit.bytes < this.#granted.bytes) return "credit was taken back"
    this.#granted = credit
    return this.wrong
  }

  get wrong(): string | undefined {
    const { items, bytes } = this.#granted
    return items - this.#items > mostAhead.items || bytes - this.#bytes > mostAhead.bytes
      ? `credit for more than ${mostAhead.items} items or ${mostAhead.bytes} bytes at once`
      : undefined
  }
}
