// Goals of actions on one node: those that run here, and those elsewhere that this node wants to know of.

import { Effect } from "effect"
import { isOver } from "../charts/goal.ts"
import type { LinkUser } from "../messaging/connection.ts"
import type { Node } from "../messaging/node.ts"
import { Disconnected } from "../protocol/errors.ts"
import { executorOf, type GoalFeedbackItem, type GoalItem, type GoalStatusItem } from "../wire/goal-item.ts"
import { Board } from "./board.ts"
import { type Answer, goalsAt } from "./question.ts"
import type { Kind } from "./run.ts"
import { order, Watch, type Wish } from "./watch.ts"

/** ms */
const tellWithin = 1_000

export class Actions implements LinkUser {
  /** The goals that run on this node. */
  readonly board: Board
  readonly #node: Node
  readonly #watches = new Map<number, Watch>()
  #stopped = false

  constructor(node: Node) {
    this.#node = node
    this.board = new Board(node)
    node.onGoal = (item, from) => this.#take(item, from)
  }

  /** Follows a goal until it has ended. */
  watch(wish: Wish): Watch {
    const watch = new Watch(this.#node, wish, () => this.#watches.delete(wish.id))
    if (this.#stopped) watch.lose(hasStopped())
    else if (!isOver(watch.status)) this.#watches.set(wish.id, watch)
    return watch
  }

  /** The goals of an action that a node has, or why that cannot be known. @param timeout ms. */
  goalsAt(executor: string, kind: Kind, timeout: number): Promise<Answer> {
    return goalsAt(this.#node, executor, kind, timeout)
  }

  /**
   * Nobody here follows a goal any more; the goals go on. How the goals of this node have ended is told before others hear
   * that the node stops: they would take it for the reason.
   */
  readonly shut: Effect.Effect<void> = Effect.suspend(() => {
    this.#stopped = true
    for (const watch of [...this.#watches.values()]) watch.lose(hasStopped())
    this.board.close()
    const { connection, flush } = this.#node
    return connection.life.has("flowing") ? Effect.asVoid(Effect.timeoutOption(flush, tellWithin)) : Effect.void
  })

  up(): Effect.Effect<void> {
    return this.#catchUp
  }

  /** The same when there is another inbox: what was on its way to the last one may be lost. */
  moved(): Effect.Effect<void> {
    return this.#catchUp
  }

  down(): void {}

  readonly #catchUp = Effect.sync(() => {
    for (const watch of [...this.#watches.values()]) watch.reconnected()
    this.board.retell()
  })

  #take(item: GoalItem, from: string): void {
    if (item.kind === "goal-order") return this.board.take(item, from)
    const watch = this.#watches.get(item.id)
    if (watch === undefined) return this.#stray(item)
    if (item.kind === "goal-status") watch.takeStatus(item)
    else watch.takeFeedback(item)
  }

  /** Of a goal that nobody here waits for: its sender gave up before it heard that it was accepted, for instance. */
  #stray(item: GoalStatusItem | GoalFeedbackItem): void {
    const { id, goal } = item
    if (this.#stopped || item.kind === "goal-feedback" || item.status === "unknown" || isOver(item.status)) return
    if (executorOf(goal) !== undefined) order(this.#node, "leave", { id, goal, ...unknown })
  }
}

/** Who was told too late which goal it is does not know of what it was. */
const unknown: Kind = { to: "?", name: "?" }

const hasStopped = (): Disconnected =>
  new Disconnected({ why: "the system has stopped; the goal goes on, and can be found again by its id", sent: true })
