// Who is told how a goal stands: the one that sent it, and those that found it again. Each has a number of its own.
//
// W1. A watcher asks again now and then (watch.ts); who has not for `lease` is forgotten.
// W2. Of the feedback only the newest has to arrive: beyond `window` that the broker has not confirmed, a watcher is sent
//     none until one is, and then the newest. A status is always sent, and is preceded by the newest feedback when it is
//     the last.

import type { Parcel, Refusal } from "../messaging/lane.ts"
import type { Node } from "../messaging/node.ts"

export interface Watcher {
  /** The name of its node, and its number there. */
  readonly node: string
  readonly id: number
  /** The queue that takes the reports. */
  readonly queue: string
}

/** ms. Longer than a watcher may be without a link before its inbox goes. */
const lease = 120_000
const most = 16
/** Feedbacks of a watcher that wait for their confirm. */
const window = 16

interface Entry extends Pick<Watcher, "node" | "id"> {
  queue: string
  readonly stays: boolean
  until: number
  unconfirmed: number
  /** There is newer feedback than it was sent. */
  behind: boolean
}

export interface Texts {
  /** The newest feedback, for a watcher; undefined when there is none. */
  readonly feedback: (id: number) => string | undefined
  readonly status: (id: number) => string
  /** The broker takes no message as large as this one. */
  readonly tooLarge: (what: "feedback" | "status", refusal: Refusal) => void
}

export class Watchers {
  readonly #node: Node
  readonly #texts: Texts
  readonly #entries = new Map<string, Entry>()

  constructor(node: Node, texts: Texts) {
    this.#node = node
    this.#texts = texts
  }

  /** Takes it in, or renews it. @param stays it gives its place to nobody while it asks. */
  add(watcher: Watcher, stays = false): void {
    const key = keyOf(watcher)
    const known = this.#entries.get(key)
    const until = this.#node.now() + lease
    if (known !== undefined) {
      known.until = until
      known.queue = watcher.queue // it may have another inbox now
      return
    }
    if (this.#entries.size >= most) this.#forgetOne()
    this.#entries.set(key, { ...watcher, stays, until, unconfirmed: 0, behind: false })
  }

  remove(watcher: Watcher): void {
    this.#entries.delete(keyOf(watcher))
  }

  /** Tells one of them all that there is to tell. */
  tell(watcher: Watcher): void {
    const entry = this.#entries.get(keyOf(watcher))
    if (entry === undefined) return
    this.#sendFeedback(entry)
    this.#sendStatus(entry)
  }

  /** @param last there will be no feedback any more. */
  tellStatus(last: boolean): void {
    for (const entry of this.#present()) {
      if (last && entry.behind) this.#sendFeedback(entry)
      this.#sendStatus(entry)
    }
  }

  tellFeedback(): void {
    for (const entry of this.#present()) {
      entry.behind = true
      if (entry.unconfirmed < window) this.#sendFeedback(entry)
    }
  }

  /** W1 */
  #present(): ReadonlyArray<Entry> {
    const now = this.#node.now()
    for (const [key, { until }] of this.#entries) if (until < now) this.#entries.delete(key)
    return [...this.#entries.values()]
  }

  #forgetOne(): void {
    const others = [...this.#entries].filter(([, { stays }]) => !stays)
    const [oldest] = others.sort(([, a], [, b]) => a.until - b.until)
    if (oldest !== undefined) this.#entries.delete(oldest[0])
  }

  #sendFeedback(entry: Entry): void {
    const content = this.#texts.feedback(entry.id)
    if (content === undefined) return
    entry.unconfirmed++
    entry.behind = false
    const sent = this.#send(entry.queue, {
      content,
      persistent: false,
      settled: (refusal) => {
        entry.unconfirmed--
        if (isTooLarge(refusal)) this.#texts.tooLarge("feedback", refusal)
        else if (entry.behind && this.#entries.get(keyOf(entry)) === entry) this.#sendFeedback(entry)
      },
    })
    if (sent) return
    entry.unconfirmed--
    entry.behind = true
  }

  /** A message that waits for it in an inbox shall outlive the broker. */
  #sendStatus({ queue, id }: Entry): void {
    const content = this.#texts.status(id)
    const settled = (refusal: Refusal | undefined) => {
      if (isTooLarge(refusal)) this.#texts.tooLarge("status", refusal)
    }
    this.#send(queue, { content, persistent: true, owed: true, settled })
  }

  /** What is lost all the same is told when the watcher asks again. */
  #send(queue: string, parcel: Parcel): boolean {
    return this.#node.post.mail(this.#node.post.inbox(queue), parcel)
  }
}

const keyOf = ({ node, id }: Pick<Watcher, "node" | "id">): string => `${id} ${node}`

/** A queue whose name is too long says nothing of what was sent. */
const isTooLarge = (refusal: Refusal | undefined): refusal is Refusal =>
  refusal?._tag === "Oversized" && refusal.what === "body"
