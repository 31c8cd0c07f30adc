// One goal at the member that runs it: how it stands, who is told, and what it ended with.
//
// R1. The chart decides (charts/goal.ts). What it allows is done and told; anything else changes nothing.
// R2. What is told is text from the moment it is said: what its handler does to a value afterwards changes nothing.
// R3. A goal ends, also when its result is too large for the broker: then as `aborted`, as far as anybody is told.

import { type Ending, type GoalEvent, type GoalState, isOver, newGoal, statusOf, stepGoal } from "../charts/goal.ts"
import type { Node } from "../messaging/node.ts"
import { Rejected } from "../protocol/errors.ts"
import type { GoalStatus } from "../protocol/goal.ts"
import { encodeFeedback, encodeStatus } from "../wire/goal-item.ts"
import type { Outcome } from "../wire/item.ts"
import { writeJson } from "../wire/json.ts"
import { outcomeText } from "../wire/outcome-text.ts"
import { type Watcher, Watchers } from "./watchers.ts"

/** What a goal is of. */
export interface Kind {
  /** The routing key of its actor. */
  readonly to: string
  /** The name of its action. */
  readonly name: string
}

export interface Sent extends Kind {
  /** The identity of the message that brought it: a goal that comes twice runs once. */
  readonly key: string
  /** Who sent it; undefined for a plain client, who is told nothing. */
  readonly sender: Watcher | undefined
  /** It is to be canceled when the node of its sender is gone. */
  readonly abandon: boolean
}

interface Ended {
  readonly status: GoalStatus
  /** JSON, as part of a report. */
  readonly text: string
}

export class Run {
  readonly id: string
  readonly sent: Sent
  readonly acceptedAt: number
  /** When it came to its status, ms since the epoch. */
  since: number
  /** Its handler is to stop; set by whoever runs that. */
  signal: (why: Ending) => void = () => {}
  readonly #node: Node
  readonly #watchers: Watchers
  readonly #over: Array<() => void> = []
  #state: GoalState = newGoal()
  /** The last status that was told. */
  #told: GoalStatus = "pending"
  #reports = 0
  #statusNumber = 0
  #feedbackNumber = 0
  #feedback: string | undefined
  #hasFeedback = false
  #partial = ""
  #ended: Ended | undefined
  #release: (() => void) | undefined

  constructor(node: Node, id: string, sent: Sent) {
    this.#node = node
    this.id = id
    this.sent = sent
    this.acceptedAt = this.since = node.now()
    this.#watchers = new Watchers(node, {
      feedback: (watch) =>
        this.#hasFeedback
          ? encodeFeedback({ id: watch, goal: id, number: this.#feedbackNumber }, this.#feedback)
          : undefined,
      status: (watch) => this.#statusText(watch),
      tooLarge: (what, { message }) => this.#tooLarge(what, message),
    })
    const { sender } = sent
    if (sender === undefined) return
    this.#watchers.add(sender, true)
    if (sent.abandon) this.#release = node.watchPeer(sender.node, () => this.cancel())
  }

  get status(): GoalStatus {
    return this.#ended?.status ?? statusOf(this.#state)
  }

  get isOver(): boolean {
    return isOver(this.status)
  }

  /** Asked to stop, what it is to end as; undefined while it was not. */
  get ending(): Ending | undefined {
    return this.status === "canceling" ? this.#state.context.ending : undefined
  }

  /** Bytes that are kept of it once it is over. */
  get bytes(): number {
    return (this.#ended?.text.length ?? 0) + (this.#feedback?.length ?? 0)
  }

  /** Called once, when it is over; at once if it is. */
  onOver(call: () => void): void {
    if (this.isOver) call()
    else this.#over.push(call)
  }

  // What happens to it

  /** Whether it makes a difference. It is not told yet. */
  step(event: GoalEvent): boolean {
    return this.#step(event, undefined)
  }

  /** What it ends with if it is stopped before there is more. @throws TypeError when it is not JSON. */
  keep(partial: Outcome): void {
    this.#partial = outcomeText(partial)
  }

  /** The last step. @throws TypeError when the outcome is not JSON: then nothing has changed. */
  end(type: "finish" | "abort", outcome: Outcome | undefined): boolean {
    const text = outcome === undefined ? this.#partial : outcomeText(outcome)
    const ended = this.#step({ type }, text)
    this.tell()
    return ended
  }

  #step(event: GoalEvent, text: string | undefined): boolean {
    const before = this.status
    const [state, commands] = stepGoal(this.#state, event)
    this.#state = state
    if (this.status === before) return false
    this.since = this.#node.now()
    if (this.isOver) this.#finish(text ?? "")
    for (const { why } of commands) this.signal(why)
    return true
  }

  #finish(text: string): void {
    this.#ended = { status: this.status, text }
    this.#release?.()
    for (const call of this.#over.splice(0)) call()
  }

  cancel(): void {
    if (this.step({ type: "cancel" })) this.tell()
  }

  preempt(): void {
    if (this.step({ type: "preempt" })) this.tell()
  }

  /** @throws TypeError when the value is not JSON. */
  feedback(value: unknown): void {
    if (this.isOver) return
    this.#feedback = writeJson(value)
    this.#hasFeedback = true
    this.#feedbackNumber = ++this.#reports
    this.#watchers.tellFeedback()
  }

  // Who is told

  /** Tells the status, unless it was. */
  tell(): void {
    const { status } = this
    if (status === this.#told) return
    this.#told = status
    this.#statusNumber = ++this.#reports
    if (status !== "rejected") this.#watchers.tellStatus(this.isOver)
  }

  retell(): void {
    if (this.#told !== "pending") this.#watchers.tellStatus(false)
  }

  watch(watcher: Watcher): void {
    this.#watchers.add(watcher)
    this.#watchers.tell(watcher)
  }

  leave(watcher: Watcher): void {
    const { sender } = this.sent
    this.#watchers.remove(watcher)
    if (sender !== undefined && sender.id === watcher.id && sender.node === watcher.node) this.cancel()
  }

  #statusText(watch: number): string {
    const report = { id: watch, goal: this.id, number: this.#statusNumber }
    return encodeStatus({ ...report, status: this.status }, this.#ended?.text)
  }

  /** R3 */
  #tooLarge(what: "feedback" | "status", why: string): void {
    this.#node.log("Warn", `the ${what} of goal ${this.id} (${this.sent.name}) cannot be sent: ${why}`)
    if (what === "feedback" || this.#ended === undefined) return
    const reason = new Rejected({ why: `what the goal ended with (${this.#ended.status}) cannot be sent: ${why}` })
    const text = outcomeText({ tag: "failed", reason })
    if (this.#ended.text === text) return
    this.#ended = { status: "aborted", text }
    this.#watchers.tellStatus(true)
  }
}
