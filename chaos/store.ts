// A fenced store: it takes what leaders write, in order of arrival, refuses who is stale, and keeps a record that no
// leader can fake, because it rests on nothing but what was written and when.
//
// F1. A stamp with an epoch smaller than one that was accepted is refused: stale.
// F2. A term is one process's time as the leader; a renewal raises its epoch and does not end it. When another term was
//     accepted it is over: whatever of it is accepted later is an overlap, however large its epoch is.
// F3. Two terms that write with one epoch are an overlap. An epoch that is no whole number above 0 fences nothing: too.

export interface Stamp {
  readonly member: string
  readonly term: string
  readonly epoch: number
}

export interface Verdict {
  readonly accepted: boolean
  /** The largest epoch that was accepted; 0 for none. */
  readonly highest: number
}

/** A write of a leader. */
export interface Entry extends Stamp {
  /** What was handled: the number that the sender gave it. */
  readonly entry: number
  /** Whether its handler was told that it may have been handled before. */
  readonly again: boolean
}

/** One accepted write. `at`: ms of the common clock. */
export interface Handled {
  readonly entry: number
  readonly again: boolean
  readonly term: string
  readonly at: number
}

export interface Leadership {
  readonly member: string
  readonly term: string
  /** Its first epoch, and the last one it was seen with. */
  readonly epoch: number
  readonly last: number
  readonly at: number
}

export class FencedStore {
  readonly #leaderships: Leadership[] = []
  readonly #handled: Handled[] = []
  readonly #overlaps: string[] = []
  readonly #terms = new Set<string>()
  #staleWrites = 0
  #staleClaims = 0

  /** Terms in the order in which they were first accepted. */
  get leaderships(): readonly Leadership[] {
    return this.#leaderships
  }
  get handled(): readonly Handled[] {
    return this.#handled
  }
  /** Each breach of F2 and F3, in words. */
  get overlaps(): readonly string[] {
    return this.#overlaps
  }
  /** Writes that were refused. */
  get staleWrites(): number {
    return this.#staleWrites
  }
  /** Leaders that were refused when they began. */
  get staleClaims(): number {
    return this.#staleClaims
  }
  /** Terms whose first epoch is not above the last one of the term before. */
  get epochsNotGrown(): number {
    return this.#leaderships.filter(({ epoch }, index) => index > 0 && !(epoch > this.#leaderships[index - 1]!.last))
      .length
  }

  /** A leader begins: it reads the state, as one with a database would. */
  claim(stamp: Stamp, at: number): Verdict {
    const accepted = this.#admit(stamp, at)
    if (!accepted) this.#staleClaims += 1
    return { accepted, highest: this.#highest }
  }

  write(entry: Entry, at: number): Verdict {
    const accepted = this.#admit(entry, at)
    if (accepted) this.#handled.push({ entry: entry.entry, again: entry.again, term: entry.term, at })
    else this.#staleWrites += 1
    return { accepted, highest: this.#highest }
  }

  get #highest(): number {
    return this.#leaderships.at(-1)?.last ?? 0
  }

  #admit({ member, term, epoch }: Stamp, at: number): boolean {
    const current = this.#leaderships.at(-1)
    if (!Number.isSafeInteger(epoch) || epoch <= 0) this.#overlaps.push(`${term} has no epoch: ${epoch}`)
    if (current !== undefined && epoch < current.last) return false // F1
    if (current?.term === term) {
      this.#leaderships[this.#leaderships.length - 1] = { ...current, last: epoch }
      return true
    }
    if (this.#terms.has(term))
      // F2
      this.#overlaps.push(`${term} writes with epoch ${epoch} after ${current?.term} did`)
    if (current !== undefined && epoch === current.last)
      this.#overlaps.push(`${term} and ${current.term} write with one epoch, ${epoch}`)
    this.#terms.add(term)
    this.#leaderships.push({ member, term, epoch, last: epoch, at })
    return true
  }
}

/** What goes over the socket, a line of JSON each. */
export type StoreRequest =
  | { readonly id: number; readonly claim: Stamp; readonly write?: never }
  | { readonly id: number; readonly write: Entry; readonly claim?: never }
export interface StoreAnswer {
  readonly id: number
  readonly verdict: Verdict
}
