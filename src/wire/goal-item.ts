// What two nodes say of a goal, each to the other's inbox: orders to the one that runs it, reports to those that watch it.
//
// G1. `goal` names a goal for ever, and says which node runs it.
// G2. A watcher gives a number of its own, and gets that with each report.
// G3. Reports of one goal are numbered: of two feedbacks, or two statuses, the one with the higher number counts.
// G4. Reading checks the type and the size of every field, builds a new object, and never throws.

import type { GoalStatus } from "../protocol/goal.ts"
import { decodeReason } from "./failure.ts"
import { isText, maxKey, maxName, number, quoted } from "./field.ts"
import type { Outcome } from "./item.ts"
import { writeJson } from "./json.ts"
import { type Malformed, malformed } from "./malformed.ts"
import { outcomeText } from "./outcome-text.ts"

/**
 * `watch`: tell me how it stands, now and from now on. `cancel`: the same, and stop it. `leave`: do not tell me any more;
 * from who sent the goal: I never heard that it was accepted, stop it. `list`: which goals of this action are there?
 */
export type Order = "watch" | "cancel" | "leave" | "list"

export interface GoalOrder {
  readonly kind: "goal-order"
  /** The watch's number on the node that gives the order; with `list` that of the reply. */
  readonly id: number
  readonly order: Order
  /** Absent with `list`. */
  readonly goal?: string
  /** The routing key of the actor, and the name of the action: a goal of another one is unknown. */
  readonly to: string
  readonly name: string
  /** The queue that takes the reports, as the batch says it. */
  readonly replyTo: string
}

interface Report {
  /** The watch's number. */
  readonly id: number
  readonly goal: string
  /** G3 */
  readonly number: number
}

export interface GoalStatusItem extends Report {
  readonly kind: "goal-status"
  readonly status: GoalStatus | "unknown"
  /** Of a goal that is over: its result, its error, or what was done by then. */
  readonly outcome?: Outcome
}

export interface GoalFeedbackItem extends Report {
  readonly kind: "goal-feedback"
  readonly feedback: unknown
}

export type GoalItem = GoalOrder | GoalStatusItem | GoalFeedbackItem

/** Characters in the id of a goal. */
export const maxGoal = 255

/** `NODE.NUMBER` */
export const goalId = (node: string, number: number): string => `${node}.${number}`

/** The node that runs the goal; undefined when `goal` is no id of one. */
export const executorOf = (goal: string): string | undefined => /^([\w-]{1,200})\.(?:0|[1-9]\d{0,15})$/.exec(goal)?.[1]

// Writing

const head = (kind: string, { id, goal, number: nth }: Report): string =>
  `{"k":"${kind}","i":${number(id)},"g":${quoted(goal)},"u":${number(nth)}`

/** @param ending of a goal that is over: the text of its outcome. */
export const encodeStatus = (report: Omit<GoalStatusItem, "kind" | "outcome">, ending = ""): string =>
  `${head("g", report)},"s":"${report.status}"${ending}}`

/** @param feedback its JSON text; undefined where JSON has none. */
export const encodeFeedback = (report: Report, feedback: string | undefined): string =>
  `${head("b", report)}${feedback === undefined ? "" : `,"p":${feedback}`}}`

const encodeOrder = ({ id, order, goal, to, name }: GoalOrder): string => {
  let text = `{"k":"o","i":${number(id)},"x":"${order}","a":${quoted(to)},"n":${quoted(name)}`
  if (goal !== undefined) text += `,"g":${quoted(goal)}`
  return `${text}}`
}

export const encodeGoalItem = (item: GoalItem): string => {
  switch (item.kind) {
    case "goal-order":
      return encodeOrder(item)
    case "goal-status":
      return encodeStatus(item, item.outcome === undefined ? "" : outcomeText(item.outcome))
    case "goal-feedback":
      return encodeFeedback(item, writeJson(item.feedback))
  }
}

// Reading

interface Raw {
  readonly x?: unknown
  readonly g?: unknown
  readonly a?: unknown
  readonly n?: unknown
  readonly u?: unknown
  readonly s?: unknown
  readonly o?: unknown
  readonly v?: unknown
  readonly p?: unknown
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const orders: ReadonlySet<unknown> = new Set<Order>(["watch", "cancel", "leave", "list"])
const statuses: ReadonlySet<unknown> = new Set<GoalStatus>([
  "accepted",
  "executing",
  "canceling",
  "succeeded",
  "aborted",
  "canceled",
  "preempted",
])

/** Of a goal that somebody has accepted. */
export const isToldStatus = (value: unknown): value is GoalStatus => statuses.has(value)

const isGoal = (value: unknown): value is string => isText(value, maxGoal) && executorOf(value) !== undefined
const isNumber = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** What is wrong with an order, or undefined. */
const wrongOrder = ({ x, g, a, n }: Raw): string | undefined => {
  if (!orders.has(x)) return 'the order "x" must be "watch", "cancel", "leave" or "list"'
  if (x !== "list" && !isGoal(g)) return 'the goal "g" must be NODE.NUMBER'
  if (!isText(a, maxKey)) return `the address "a" must be a string of 1 to ${maxKey} characters`
  if (!isText(n, maxName)) return `the name "n" must be a string of 1 to ${maxName} characters`
  return undefined
}

export const decodeOrder = (raw: Raw, id: number, replyTo: string | undefined): GoalOrder | Malformed => {
  if (replyTo === undefined) return malformed("an order on a goal in a batch whose replyTo is missing", raw)
  const wrong = wrongOrder(raw)
  if (wrong !== undefined) return malformed(wrong, raw)
  const item: Mutable<GoalOrder> = {
    kind: "goal-order",
    id,
    order: raw.x as Order,
    to: raw.a as string,
    name: raw.n as string,
    replyTo,
  }
  if (item.order !== "list") item.goal = raw.g as string
  return item
}

/** What is wrong with what all reports have, or undefined. */
const wrongReport = ({ g, u }: Raw): string | undefined => {
  if (!isGoal(g)) return 'the goal "g" must be NODE.NUMBER'
  return isNumber(u) ? undefined : 'the number "u" of a report must be a whole number, 0 or more'
}

const decodeEnding = (status: GoalStatusItem["status"], { o, v }: Raw): Outcome | undefined => {
  switch (status) {
    case "succeeded":
      return { tag: "value", value: v }
    case "canceled":
    case "preempted":
      return v === undefined ? undefined : { tag: "value", value: v }
    case "aborted":
      return o === "declared" ? { tag: "declared", error: v } : { tag: "failed", reason: decodeReason(v) }
    default:
      return undefined
  }
}

export const decodeStatus = (raw: Raw, id: number): GoalStatusItem | Malformed => {
  const wrong =
    wrongReport(raw) ??
    (isToldStatus(raw.s) || raw.s === "unknown"
      ? undefined
      : 'the status "s" is none that is known; docs/wire.md has them')
  if (wrong !== undefined) return malformed(wrong, raw)
  const status = raw.s as GoalStatusItem["status"]
  const report = { kind: "goal-status", id, goal: raw.g as string, number: raw.u as number, status } as const
  const outcome = decodeEnding(status, raw)
  return outcome === undefined ? report : { ...report, outcome }
}

export const decodeFeedback = (raw: Raw, id: number): GoalFeedbackItem | Malformed => {
  const wrong = wrongReport(raw)
  if (wrong !== undefined) return malformed(wrong, raw)
  return { kind: "goal-feedback", id, goal: raw.g as string, number: raw.u as number, feedback: raw.p }
}
