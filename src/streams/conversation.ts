// One end of a stream, as far as it is talk: what it says in which order, what it understands, and when it is over. Pure
// and synchronous: whoever holds it carries the frames, and does what he is told.
//
// V1. Every item that is offered is said once, in order, and taken at the far end once, in order; or the stream is over,
//     and both ends are told why. Nothing in between.
// V2. Over is over: nothing is said or understood any more, and the end is told once.
// V3. The caller's last frame says that its payload is complete; the callee's that the stream is over. Anybody may abort.
// V4. What the far end must not say ends this stream, and nothing else.

import { type AskReason, Disconnected } from "../protocol/errors.ts"
import type { Credit, Frame, Numbered, Said } from "../wire/frame.ts"
import type { Outcome } from "../wire/item.ts"
import { Arrivals } from "./arrivals.ts"
import { Allowance, Window } from "./credit.ts"

/** Of one frame: then it leaves, though the turn is not over. */
const mostItems = 512
const mostBytes = 32 * 1024

/** Which end it is, and what goes which way. */
export interface Part {
  readonly is: "caller" | "callee"
  /** What this end grants at first for the items that it gets; undefined when it gets none. */
  readonly window: Credit | undefined
  /** Whether it sends items. */
  readonly sends: boolean
  /** The credit it has for them at first; a caller gets that with the first frame. */
  readonly credit?: Credit | undefined
}

/** Who holds a conversation. */
export interface Holder {
  /** To be sent to the far end, in this order; to nobody while that is not known. */
  readonly say: (said: Said<ReadonlyArray<string>>) => void
  /** The callee has taken it on. */
  readonly opened: () => void
  /** Items have come. `used` wants to know when they are taken. */
  readonly items: (items: ReadonlyArray<unknown>, bytes: number) => void
  /** No more items will come, and the stream goes on. */
  readonly complete: () => void
  /** There is credit for one more item. */
  readonly room: () => void
  /** The far end wants no more items, and the stream goes on. */
  readonly unwanted: () => void
  /** It is over, with what the callee has answered, or why there is no answer. */
  readonly over: (outcome: Outcome) => void
}

type Arrived = Numbered<ReadonlyArray<unknown>>

export class Conversation {
  readonly #part: Part
  readonly #holder: Holder
  readonly #arrivals = new Arrivals<Arrived>()
  readonly #window: Window | undefined
  #allowance: Allowance | undefined
  #phase: "opening" | "open" | "over" = "opening"
  /** Items may still come. */
  #receiving: boolean
  /** Items may still be offered. */
  #sending: boolean
  #sent = 0
  #finished = false
  #texts: Array<string> = []
  #bytes = 0

  constructor(part: Part, holder: Holder) {
    this.#part = part
    this.#holder = holder
    this.#receiving = part.window !== undefined
    this.#sending = part.sends
    if (part.window !== undefined) this.#window = new Window(part.window)
    if (part.credit !== undefined) this.#allowance = new Allowance(part.credit)
  }

  get isOpening(): boolean {
    return this.#phase === "opening"
  }

  get isOver(): boolean {
    return this.#phase === "over"
  }

  /** Whether an item may be made for it now (credit.ts, C1). */
  get hasRoom(): boolean {
    return this.#phase === "open" && this.#sending && this.#allowance?.isOpen === true
  }

  /** Whether items may still be offered, now or later. */
  get isSending(): boolean {
    return this.#sending && this.#phase !== "over"
  }

  /** Over because the callee, this end, was done: the far end may still be at what was said before. */
  get isFinished(): boolean {
    return this.#finished
  }

  /** The number of the last frame that it said. */
  get sent(): number {
    return this.#sent
  }

  /** Something that was said to this end has not come. */
  get isMissing(): boolean {
    return this.#phase !== "over" && this.#arrivals.isMissing
  }

  // Saying

  /** The callee takes it on. @param epoch in which it leads a `single` clique. */
  open(epoch?: number): void {
    this.#phase = "open"
    this.#say((number) => ({ says: "open", number, credit: this.#window?.granted, epoch }))
    const wrong = this.#allowance?.wrong
    if (wrong !== undefined) this.#broken(wrong)
  }

  /** @param text JSON; there is room for it. */
  offer(text: string): void {
    this.#texts.push(text)
    this.#bytes += text.length
    this.#allowance?.use(text.length)
    if (this.#texts.length >= mostItems || this.#bytes >= mostBytes) this.ship()
  }

  /** What was offered leaves. */
  ship(): void {
    if (this.#texts.length === 0 || this.#phase !== "open") return
    const [items, bytes] = [this.#texts, this.#bytes]
    this.#texts = []
    this.#bytes = 0
    this.#say((number) => ({ says: "items", number, items, bytes }))
  }

  /** The caller has offered all its items. */
  complete(): void {
    if (this.#phase !== "open" || !this.#sending) return
    this.ship()
    this.#sending = false
    this.#say((number) => ({ says: "end", number, outcome: { tag: "value", value: undefined } }))
  }

  /** The callee is done. @throws TypeError when the outcome is not JSON; then it is not over. */
  finish(outcome: Outcome): void {
    if (this.#phase === "over") return
    this.ship()
    this.#say((number) => ({ says: "end", number, outcome }))
    this.#finished = true
    this.#end(outcome)
  }

  /** Items that came have been taken. */
  used(items: number, bytes: number): void {
    if (this.#window === undefined || !this.#receiving || this.#phase !== "open") return
    this.#window.use(items, bytes)
    const credit = this.#window.grant()
    if (credit !== undefined) this.#say((number) => ({ says: "credit", number, credit }))
  }

  /** The callee wants no more items. */
  stop(): void {
    if (this.#phase !== "open" || !this.#receiving) return
    this.#receiving = false
    this.#say((number) => ({ says: "stop", number }))
  }

  /** Ends it, whatever is on the way. */
  abort(reason: AskReason): void {
    if (this.#phase === "over") return
    this.#holder.say({ says: "abort", reason })
    this.#end({ tag: "failed", reason })
  }

  /** The ask has its answer, and no stream was opened. */
  refuse(outcome: Outcome): void {
    if (this.#phase !== "over") this.#end(outcome)
  }

  /** Something may have been lost on the way: says how much was sent, and asks the same. */
  compare(): void {
    if (this.#phase === "open") this.#holder.say({ says: "sent", number: this.#sent, answer: true })
  }

  #say(said: (number: number) => Numbered<ReadonlyArray<string>>): void {
    this.#holder.say(said(this.#sent + 1))
    this.#sent++ // not before: what cannot be said has not been
  }

  #end(outcome: Outcome): void {
    this.#phase = "over"
    this.#texts = []
    this.#holder.over(outcome)
  }

  // Understanding

  hear(said: Frame["said"]): void {
    if (this.#phase === "over") return
    switch (said.says) {
      case "abort":
        return this.#end({ tag: "failed", reason: said.reason })
      case "garbled":
        return this.#broken(said.why)
      case "sent":
        this.#arrivals.announce(said.number)
        if (said.answer && this.#phase === "open") {
          this.#holder.say({ says: "sent", number: this.#sent, answer: false })
        }
        return
      default:
        this.#arrive(said)
    }
  }

  #arrive(said: Arrived): void {
    const { number } = said
    if (this.#arrivals.knows(number)) return
    if (!this.#arrivals.allows(number)) return this.#broken(`frame ${number} is far ahead of those before it`)
    if (said.says === "items") {
      // Counted when they come, not in their turn: what waits for its turn is in memory too.
      const wrong =
        this.#window === undefined ? "there are items where none belong" : this.#window.arrive(said.items, said.bytes)
      if (wrong !== undefined) return this.#broken(wrong)
    }
    for (const next of this.#arrivals.take(said)) {
      this.#understand(next)
      if (this.isOver) return
    }
  }

  #understand(said: Arrived): void {
    const { is } = this.#part
    if (this.#phase === "opening") {
      return said.says === "open" ? this.#opened(said.credit) : this.#broken("the first frame opens a stream")
    }
    switch (said.says) {
      case "items":
        if (this.#receiving) this.#holder.items(said.items, said.bytes)
        return
      case "credit":
        return this.#raise(said.credit)
      case "stop":
        if (is === "callee" || !this.#part.sends) break
        this.#sending = false
        return this.#holder.unwanted()
      case "end":
        if (is === "caller") return this.#end(said.outcome)
        if (this.#window === undefined || said.outcome.tag !== "value") break
        if (this.#receiving) this.#holder.complete()
        this.#receiving = false
        return
    }
    this.#broken(`a frame that says "${said.says}" does not belong here`)
  }

  #opened(credit: Credit | undefined): void {
    if (this.#part.is === "callee" || (credit !== undefined) !== this.#part.sends) {
      return this.#broken("the far end opened another kind of stream")
    }
    this.#phase = "open"
    this.#holder.opened()
    if (credit === undefined) return
    this.#allowance = new Allowance(credit)
    this.#makeRoom(this.#allowance.wrong)
  }

  #raise(credit: Credit): void {
    this.#makeRoom(
      this.#allowance === undefined ? "there is credit where nothing is sent" : this.#allowance.raise(credit),
    )
  }

  #makeRoom(wrong: string | undefined): void {
    if (wrong !== undefined) this.#broken(wrong)
    else if (this.hasRoom) this.#holder.room()
  }

  /** V4 */
  #broken(why: string): void {
    this.abort(new Disconnected({ why: `the far end of the stream broke its rules: ${why}`, sent: true }))
  }
}
