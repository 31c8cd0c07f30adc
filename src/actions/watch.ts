// One goal as seen from a node that wants to know of it: it sent the goal, or found it again by its id.
//
// H1. It ends once, and always: with what its executor tells, or `aborted` when that is gone (presence), does not know the
//     goal, or has not answered though it was asked `patience` times.
// H2. What is told late, or twice, is no news. Whatever was lost on the way comes when it asks again: every `every`, and
//     with each new link.
// H3. Who sent a goal and is told that it has ended because its executor is gone has it canceled, should that come back:
//     what counts as over shall not go on.

import { isAhead, isOver } from "../charts/goal.ts"
import type { Entry } from "../messaging/deadlines.ts"
import type { Refusal, ReplyQueue } from "../messaging/lane.ts"
import type { Node } from "../messaging/node.ts"
import { type AskReason, Disconnected, Rejected } from "../protocol/errors.ts"
import type { GoalStatus } from "../protocol/goal.ts"
import {
  encodeGoalItem,
  executorOf,
  type GoalFeedbackItem,
  type GoalOrder,
  type GoalStatusItem,
  type Order,
} from "../wire/goal-item.ts"
import type { Outcome } from "../wire/item.ts"
import { Newest } from "./newest.ts"
import type { Kind } from "./run.ts"

/** ms that its end, told by an executor that stops, may take longer than the news that it has stopped. */
const grace = 100
/** ms */
const every = 30_000
/** Times that it asks in vain. */
const patience = 4

export interface Wish extends Kind {
  /** A number of this node; that of the ask that sends the goal, if this is who sends it. */
  readonly id: number
  /** Of the goal, where it is known. */
  readonly goal?: string
}

/** How it ended; without an outcome there is nothing to be said of it. */
export interface End {
  readonly status: GoalStatus
  readonly outcome: Outcome | undefined
}

export class Watch {
  /** JSON. */
  readonly feedback = new Newest<unknown>()
  readonly statuses = new Newest<GoalStatus>()
  readonly ended: Promise<End>
  /** Undefined when its executor tells how it stands; the reason when that is lost before it has. */
  readonly known: Promise<AskReason | undefined>
  readonly wish: Wish
  readonly #node: Node
  readonly #over: () => void
  #end: (end: End) => void = () => {}
  #know: (reason: AskReason | undefined) => void = () => {}
  #goal: string | undefined
  #status: GoalStatus = "pending"
  #feedbackNumber = -1
  #canceling: { readonly told: Promise<void>; readonly resolve: () => void } | undefined
  /** How often it has asked since it was told anything. */
  #asked = 0
  #timer: Entry | undefined
  #release: (() => void) | undefined

  /** @param over called once, when it has ended. */
  constructor(node: Node, wish: Wish, over: () => void) {
    this.#node = node
    this.wish = wish
    this.#over = over
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    this.known = new Promise((resolve) => {
      this.#know = resolve
    })
    if (wish.goal !== undefined) this.#adopt(wish.goal)
  }

  get goal(): string | undefined {
    return this.#goal
  }

  get status(): GoalStatus {
    return this.#status
  }

  /** Its executor has taken the goal. */
  accepted(goal: string): void {
    if (this.#goal === undefined) this.#adopt(goal)
    else if (this.#goal !== goal) this.#disown(goal, "accepted")
    this.#move("accepted")
  }

  /** What it sent came twice, to two members of a clique, and runs twice: one is enough. */
  #disown(goal: string, status: GoalStatus | "unknown"): void {
    if (status === "unknown" || isOver(status) || isOver(this.#status)) return
    order(this.#node, "leave", { ...this.wish, goal })
  }

  #adopt(goal: string): void {
    this.#goal = goal
    const executor = executorOf(goal)
    if (executor === undefined) return this.lose(new Rejected({ why: `${JSON.stringify(goal)} is no id of a goal` }))
    this.#release = this.#node.watchPeer(executor, (why) => {
      const gone = `the process that ran the goal is gone (node ${executor}): ${why}`
      this.#node.deadlines.add(this.#node.now() + grace, () => this.#gone(goal, gone))
    })
    if (this.wish.goal !== undefined || this.#canceling !== undefined) this.#ask()
    else this.#askLater()
  }

  #gone(goal: string, why: string): void {
    if (isOver(this.#status)) return
    this.lose(new Disconnected({ why, sent: true }))
    if (this.wish.goal === undefined) order(this.#node, "leave", { ...this.wish, goal }) // H3
  }

  // What is told

  takeStatus({ goal, status, outcome }: GoalStatusItem): void {
    if (!this.#isMine(goal)) return this.#disown(goal, status)
    // It is told once more, and does not know yet that it is to stop: the order may be lost.
    if (status === this.#status && status !== "canceling" && this.#canceling !== undefined) this.#ask()
    if (status !== "unknown") return this.#move(status, outcome)
    this.lose(
      new Rejected({
        why: `its node knows no goal ${goal} of ${this.wish.name}: it ended long ago, or there was none`,
      }),
    )
  }

  takeFeedback({ goal, number, feedback }: GoalFeedbackItem): void {
    if (!this.#isMine(goal) || number <= this.#feedbackNumber) return
    this.#feedbackNumber = number
    this.feedback.set(feedback)
  }

  /** A report may be quicker than the reply that says which goal it is. */
  #isMine(goal: string): boolean {
    if (isOver(this.#status)) return false
    if (this.#goal === undefined) this.accepted(goal)
    this.#asked = 0
    return this.#goal === goal
  }

  #move(status: GoalStatus, outcome?: Outcome): void {
    if (!isAhead(this.#status, status)) return
    this.#status = status
    this.#know(undefined)
    this.statuses.set(status)
    if (isAhead("executing", status)) this.#canceling?.resolve()
    if (isOver(status)) this.#finish({ status, outcome })
  }

  /** It is not known any more how it stands. */
  lose(reason: AskReason): void {
    this.#know(reason)
    this.#move("aborted", { tag: "failed", reason })
  }

  #finish(end: End): void {
    this.#timer?.cancel()
    this.#release?.()
    this.feedback.end()
    this.statuses.end()
    this.#over()
    this.#end(end)
  }

  // What is asked

  /** Resolves when it has been told, or the goal is over. */
  cancel(): Promise<void> {
    if (isAhead("executing", this.#status)) return Promise.resolve()
    if (this.#canceling === undefined) {
      let resolve = () => {}
      const told = new Promise<void>((done) => {
        resolve = done
      })
      this.#canceling = { told, resolve }
      this.#ask()
    }
    return this.#canceling.told
  }

  /** There is a new link: something may have been lost with the last one. */
  reconnected(): void {
    this.#asked = 0
    this.#ask()
  }

  /** Without a link the order waits for the next. */
  #ask(): void {
    const goal = this.#goal
    if (goal === undefined || isOver(this.#status)) return
    this.#askLater()
    const kind = this.#canceling === undefined ? "watch" : "cancel"
    order(this.#node, kind, { ...this.wish, goal }, (refusal) => this.#refused(refusal))
  }

  #askLater(): void {
    this.#timer?.cancel()
    this.#timer = this.#node.deadlines.add(this.#node.now() + every, () => this.#askAgain())
  }

  /** H1, H2 */
  #askAgain(): void {
    if (!this.#node.connection.life.has("flowing")) {
      this.#asked = 0 // there is no way to answer
      return this.#askLater()
    }
    if (this.#asked++ < patience) return this.#ask()
    const why = `node ${executorOf(this.#goal!)}, which runs the goal, has not answered for ${(patience * every) / 1_000} s`
    this.lose(new Disconnected({ why, sent: true }))
  }

  /** An inbox that is not there belongs to a node that stopped, or is being made again: presence will tell. */
  #refused(refusal: Refusal | undefined): void {
    if (refusal?._tag !== "Unroutable" || this.#status !== "pending" || this.wish.goal === undefined) return
    const why = `the process that ran the goal is gone (node ${executorOf(this.wish.goal)}): it has no inbox`
    this.lose(new Disconnected({ why, sent: true }))
  }
}

/** Gives an order to the node that runs a goal. */
export const order = (
  node: Node,
  kind: Order,
  { id, to, name, goal }: Wish & { readonly goal: string },
  settled: (refusal: Refusal | undefined) => void = () => {},
): void => {
  const executor = executorOf(goal)
  if (executor === undefined) return
  give(node, executor, { kind: "goal-order", id, order: kind, goal, to, name, replyTo: node.inbox }, settled)
}

/** @param settled is told when there is no such node. */
export const give = (
  node: Node,
  executor: string,
  item: GoalOrder,
  settled: (refusal: Refusal | undefined) => void,
): void => {
  // By the name of the node, whatever its inbox is called now.
  const lane = node.outbox.lane({
    exchange: node.names.control,
    routingKey: executor,
    mandatory: true,
    node: node.id,
    replyTo: inboxOf(node),
    spread: false,
    onNack: "fail",
  })
  node.outbox.push(lane, { content: encodeGoalItem(item), persistent: false, settled })
}

/** Whatever it is called when the order leaves. */
const inboxOf = (node: Node): ReplyQueue => ({
  get name() {
    return node.inbox
  },
})
