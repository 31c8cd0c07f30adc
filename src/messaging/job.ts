// One attempt at one item of mail, from the moment it is in hand until it is settled.
//
// J1. A job is settled when its handler is done *and* everything the handler sent is confirmed (promise 2, ack last).
// J2. A job ends once. What a handler does after its job has ended (a crash of its cell, a stop) is ignored.

import type { Rejected } from "../protocol/errors.ts"
import type { AskItem, MailItem, Outcome } from "../wire/item.ts"
import type { Entry } from "./deadlines.ts"
import type { Hand } from "./hand.ts"
import type { Lot } from "./lot.ts"
import { Linked } from "./ring.ts"

/** Where a job waits and reports to: the mailbox of its actor. */
export interface Desk {
  /** Takes in a job that is in hand. It is not begun before `proceed`. */
  readonly admit: (job: Job) => void
  readonly proceed: () => void
  /** Takes in the jobs of one batch that were in hand when a link was lost. */
  readonly resume: (jobs: ReadonlyArray<Job>) => void
  readonly answered: (job: Job, outcome: Outcome | undefined) => void
  readonly rejected: (job: Job, reason: Rejected) => void
  readonly crashed: (job: Job, error: unknown) => void
  readonly aborted: (job: Job) => void
  readonly settled: (job: Job) => void
}

export class Job extends Linked {
  readonly item: MailItem
  readonly hand: Hand
  /** How often handling was begun before this job. */
  readonly begun: number
  /** ms since the epoch at which it was handed to the handler; 0 before. */
  startedAt = 0
  state: "waiting" | "running" | "handled" = "waiting"
  /** The next thing that is to happen to it if it does not end by itself. */
  timer: Entry | undefined
  /** Another one only while it waits: actors come and go. */
  desk: Desk
  /** Those that it is handled together with. */
  lot: Lot | undefined
  /** It failed together with others. */
  alone = false
  #unconfirmed = 0
  #aborted: unknown
  #controller: AbortController | undefined
  #onAbort: ((why: unknown) => void) | undefined

  constructor(item: MailItem, hand: Hand, begun: number, desk: Desk) {
    super()
    this.item = item
    this.hand = hand
    this.begun = begun
    this.desk = desk
  }

  /** `node:id`: the same for every delivery of the item. */
  get key(): string {
    return `${this.item.node}:${this.item.id}`
  }

  /** The routing key of the actor it is for. */
  get to(): string {
    return this.item.to ?? this.hand.to
  }

  get ask(): AskItem | undefined {
    return this.item.kind === "ask" ? this.item : undefined
  }

  get running(): boolean {
    return this.state === "running"
  }

  /** The handler is done. @param outcome the answer to an ask; undefined for a tell. */
  answer(outcome: Outcome | undefined): void {
    if (this.state === "running") this.desk.answered(this, outcome)
  }

  /** Refused: no handler has seen it, or the handler would not take it. */
  reject(reason: Rejected): void {
    if (this.state === "running") this.desk.rejected(this, reason)
  }

  /** The handler failed with something its protocol does not declare: the cell is gone with it. */
  crash(error: unknown): void {
    if (this.state === "running") this.desk.crashed(this, error)
  }

  /** Something is being sent on behalf of this job; the result is to be called when it is confirmed or has failed. */
  sending(): () => void {
    this.#unconfirmed++
    let open = true
    return () => {
      if (!open) return
      open = false
      this.#unconfirmed--
      this.settleIfDone()
    }
  }

  settleIfDone(): void {
    if (this.state === "handled" && this.#unconfirmed === 0) (this.lot ?? this.desk).settled(this)
  }

  /** Nobody waits for the result any more: the caller cancelled, the deadline passed, or the actor stops. */
  abort(why: unknown): void {
    if (this.#aborted !== undefined) return
    this.#aborted = why
    this.#controller?.abort(why)
    this.#onAbort?.(why)
    this.desk.aborted(this)
  }

  /** Its handler is done, or given up on: nothing it does from now on counts. */
  end(): void {
    this.state = "handled"
    this.timer?.cancel()
  }

  get aborted(): unknown {
    return this.#aborted
  }

  /** Made on first use: most handlers never look. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted)
    }
    return this.#controller.signal
  }

  /** Called at once if it is aborted already. */
  onAbort(listener: (why: unknown) => void): void {
    this.#onAbort = listener
    if (this.#aborted !== undefined) listener(this.#aborted)
  }
}
