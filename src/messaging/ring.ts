// A set whose members know their own place in it. It does what a Set would do, but gives up at once what is taken out:
// a Set that many things pass through keeps its old tables, and all that was in them, until the next full collection
// (numbered.ts, N1).

/** What can be in one ring at a time. */
export abstract class Linked {
  /** The ring's own. */
  ring: unknown = undefined
  after: Linked | undefined = undefined
  before: Linked | undefined = undefined
}

export class Ring<E extends Linked> {
  #first: Linked | undefined
  #last: Linked | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  get first(): E | undefined {
    return this.#first as E | undefined
  }

  /** At the end, unless it is in it already. */
  add(member: E): void {
    if (member.ring !== undefined) return
    member.ring = this
    member.before = this.#last
    if (this.#last === undefined) this.#first = member
    else this.#last.after = member
    this.#last = member
    this.#size++
  }

  delete(member: E): void {
    if (member.ring !== this) return
    const { before, after } = member
    if (before === undefined) this.#first = after
    else before.after = after
    if (after === undefined) this.#last = before
    else after.before = before
    member.ring = member.before = member.after = undefined
    this.#size--
  }

  /** The member that was just given out may be deleted meanwhile; others may not. */
  *[Symbol.iterator](): Iterator<E> {
    for (let member = this.#first; member !== undefined; ) {
      const { after } = member
      yield member as E
      member = after
    }
  }
}
