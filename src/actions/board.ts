// The goals of this node: those that run here, and those that ended here not long ago.
//
// B1. What is remembered is bounded: by time, in number and in bytes.
// B2. An order for a goal that is not here, or is of another actor or action, is answered `unknown`; nothing else comes of
//     it.

import type { Entry } from "../messaging/deadlines.ts"
import type { Node } from "../messaging/node.ts"
import { encodeStatus, type GoalOrder, goalId } from "../wire/goal-item.ts"
import { type Kind, Run, type Sent } from "./run.ts"
import type { Watcher } from "./watchers.ts"

/** ms */
const remembered = 300_000
const mostRemembered = 1_000
const mostBytes = 16 * 1024 * 1024
/** Goals in one list. */
const mostListed = 2_000

/** One goal in a list, as JSON. */
export interface Line {
  readonly id: string
  readonly status: string
  /** ms since the epoch. */
  readonly acceptedAt: number
  readonly since: number
}

export class Board {
  readonly #node: Node
  readonly #runs = new Map<string, Run>()
  /** By the message that brought it. */
  readonly #bySent = new Map<string, Run>()
  /** Those that are over, the one that ended first first, until they are forgotten. */
  readonly #ended = new Map<Run, { readonly entry: Entry; readonly bytes: number }>()
  #bytes = 0

  constructor(node: Node) {
    this.#node = node
  }

  /** The goal that this message brought before. */
  of(sent: string): Run | undefined {
    return this.#bySent.get(sent)
  }

  /** A new goal. */
  add(sent: Sent): Run {
    const run = new Run(this.#node, goalId(this.#node.id, this.#node.nextId()), sent)
    this.#runs.set(run.id, run)
    this.#bySent.set(sent.key, run)
    run.onOver(() => (run.status === "rejected" ? this.#forget(run) : this.#remember(run)))
    return run
  }

  /** @param from the name of the node that gives the order. */
  take(order: GoalOrder, from: string): void {
    if (order.order === "list") return this.#list(order)
    const { id, goal = "", replyTo } = order
    const watcher = { node: from, id, queue: replyTo }
    // Who leaves may never have heard of what.
    if (order.order === "leave") return this.#runs.get(goal)?.leave(watcher)
    const run = this.#find(goal, order)
    if (run === undefined) return this.#unknown(watcher, goal)
    if (order.order === "cancel") run.cancel()
    run.watch(watcher)
  }

  /** Tells how each goal stands that is not over: an order for it may be lost. */
  retell(): void {
    for (const run of this.#runs.values()) if (!run.isOver) run.retell()
  }

  /** The node stops: nothing is remembered, and nothing keeps the process from its end. */
  close(): void {
    for (const run of [...this.#ended.keys()]) this.#forget(run)
  }

  #find(goal: string, { to, name }: Kind): Run | undefined {
    const run = this.#runs.get(goal)
    return run?.sent.to === to && run.sent.name === name && run.status !== "pending" ? run : undefined
  }

  #unknown({ queue, id }: Watcher, goal: string): void {
    const content = encodeStatus({ id, goal, number: 0, status: "unknown" })
    const { post } = this.#node
    post.mail(post.inbox(queue), { content, persistent: false, settled: () => {} })
  }

  #list({ id, to, name, replyTo }: GoalOrder): void {
    const lines: Array<Line> = []
    for (const { id: goal, sent, status, acceptedAt, since } of this.#runs.values()) {
      if (sent.to !== to || sent.name !== name || status === "pending") continue
      lines.push({ id: goal, status, acceptedAt, since })
    }
    const value = lines.sort((a, b) => a.acceptedAt - b.acceptedAt).slice(-mostListed)
    const address = { kind: "node", queue: replyTo, id, packed: false } as const
    this.#node.post.answer(address, { tag: "value", value }, undefined, () => {})
  }

  /** B1 */
  #remember(run: Run): void {
    const { deadlines, now } = this.#node
    const { bytes } = run
    this.#ended.set(run, { entry: deadlines.add(now() + remembered, () => this.#forget(run)), bytes })
    this.#bytes += bytes
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= mostRemembered && this.#bytes <= mostBytes) return
      if (oldest !== run) this.#forget(oldest)
    }
  }

  #forget(run: Run): void {
    this.#runs.delete(run.id)
    this.#bySent.delete(run.sent.key)
    const ended = this.#ended.get(run)
    if (ended === undefined) return
    ended.entry.cancel()
    this.#ended.delete(run)
    this.#bytes -= ended.bytes
  }
}
