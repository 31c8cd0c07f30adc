// Asks one node which goals of an action it has. It ends with a list, with nothing when there is no such node, or at its
// deadline.

import type { Node } from "../messaging/node.ts"
import { OpenAsk } from "../messaging/pending.ts"
import { type AskReason, Rejected, TimedOut } from "../protocol/errors.ts"
import type { ListedGoal } from "../protocol/goal.ts"
import { executorOf, isToldStatus } from "../wire/goal-item.ts"
import type { Outcome } from "../wire/item.ts"
import type { Kind } from "./run.ts"
import { give } from "./watch.ts"

export type Answer =
  | { readonly ok: true; readonly value: ReadonlyArray<ListedGoal> }
  | { readonly ok: false; readonly error: AskReason }

class Question extends OpenAsk {
  readonly id: number
  readonly settle: (outcome: Outcome) => void
  readonly #expired: () => void

  constructor(id: number, settle: (outcome: Outcome) => void, expired: () => void) {
    super()
    this.id = id
    this.settle = settle
    this.#expired = expired
  }

  learn(): void {}

  expire(): void {
    this.#expired()
  }
}

/** @param timeout ms. */
export const goalsAt = (node: Node, executor: string, kind: Kind, timeout: number): Promise<Answer> =>
  new Promise((resolve) => {
    const id = node.nextId()
    const end = (outcome: Outcome) => void node.pending.end(id, outcome)
    const nothing = () => end({ tag: "value", value: [] })
    const release = node.watchPeer(executor, nothing)
    const settle = (outcome: Outcome) => {
      release()
      resolve(outcome.tag === "value" ? listOf(executor, outcome.value) : failed(reasonOf(outcome)))
    }
    const expired = () => end({ tag: "failed", reason: new TimedOut({ after: timeout }) })
    node.pending.add(new Question(id, settle, expired), node.now() + timeout)
    give(node, executor, { kind: "goal-order", id, order: "list", replyTo: node.inbox, ...kind }, (refusal) => {
      if (refusal?._tag === "Unroutable") nothing()
    })
  })

const reasonOf = (outcome: Exclude<Outcome, { readonly tag: "value" }>): AskReason =>
  outcome.tag === "failed" ? outcome.reason : new Rejected({ why: "the list of goals cannot be read" })

const failed = (error: AskReason): Answer => ({ ok: false, error })

const listOf = (node: string, value: unknown): Answer => {
  const lines = Array.isArray(value) ? value.map((line) => lineOf(node, line)) : [undefined]
  if (lines.includes(undefined))
    return failed(new Rejected({ why: `the list of goals of node ${node} cannot be read` }))
  return { ok: true, value: lines as ReadonlyArray<ListedGoal> }
}

const lineOf = (node: string, line: unknown): ListedGoal | undefined => {
  if (typeof line !== "object" || line === null) return undefined
  const { id, status, acceptedAt, since } = line as Readonly<Record<string, unknown>>
  return typeof id === "string" &&
    executorOf(id) === node &&
    isToldStatus(status) &&
    isTime(acceptedAt) &&
    isTime(since)
    ? { id, status, node, acceptedAt, since }
    : undefined
}

const isTime = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value)
