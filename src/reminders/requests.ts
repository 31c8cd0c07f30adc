// What members ask of whoever keeps the reminders of their address: an ask that is sent to the queue of the reminders.
//
// Q1. A reminder is safe once the broker has confirmed the request: the request is what is kept. The answer says that it is
//     taken account of.
// Q2. Every request ends: with an answer, a refusal, or its deadline.

import { Schema } from "effect"
import { v7 as uuid } from "uuid"
import type { Job } from "../messaging/job.ts"
import type { Content, Parcel, Refusal } from "../messaging/lane.ts"
import type { Node } from "../messaging/node.ts"
import { OpenAsk } from "../messaging/pending.ts"
import { asError } from "../messaging/thrown.ts"
import { type AskReason, Disconnected, MailboxFull, Rejected, TimedOut } from "../protocol/errors.ts"
import { type Address, format } from "../wire/address.ts"
import type { Outcome } from "../wire/item.ts"
import { encodeReminder, maxReminder, type ReminderRequest, type SetReminder, type Waiter } from "../wire/reminder.ts"
import { ReminderRefused, ReminderUnanswered } from "./errors.ts"
import { recordsTo } from "./lanes.ts"

/** ms that whoever keeps the reminders may take to answer. */
const answerWithin = 10_000

/** A reminder as it is listed. */
export interface ListedReminder {
  readonly name: string
  /** The tell that it sends. */
  readonly message: string
  /** When it is due next, ms since the epoch. */
  readonly due: number
  /** ms between occurrences; undefined when it is due once. */
  readonly every: number | undefined
}

const Listed = Schema.Array(
  Schema.Struct({
    name: Schema.String,
    message: Schema.String,
    due: Schema.Number,
    every: Schema.optional(Schema.Number),
  }),
)
const decodeList = Schema.decodeUnknownSync(Listed)

export class Requests {
  readonly #node: Node
  readonly #address: Address

  constructor(node: Node, address: Address) {
    this.#node = node
    this.#address = address
  }

  /** @param parent the job on whose behalf it is set: its ack waits for it. */
  async set(
    reminder: Pick<SetReminder, "name" | "due" | "every" | "message" | "payload">,
    parent?: Job,
  ): Promise<void> {
    const what = `remind ${JSON.stringify(reminder.name)}`
    await this.#ask(what, (waiter) => ({ op: "set", set: uuid(), ...reminder, waiter }), parent)
  }

  /** Whether there was one. */
  async forget(name: string, parent?: Job): Promise<boolean> {
    const what = `forget ${JSON.stringify(name)}`
    return (await this.#ask(what, (waiter) => ({ op: "forget", name, set: uuid(), waiter }), parent)) === true
  }

  async list(): Promise<ReadonlyArray<ListedReminder>> {
    const list = decodeList(await this.#ask("reminders", (waiter) => ({ op: "list", waiter }), undefined))
    return list.map(({ name, message, due, every }) => ({ name, message, due, every }))
  }

  #ask(call: string, request: (waiter: Waiter) => ReminderRequest, parent: Job | undefined): Promise<unknown> {
    const address = format(this.#address)
    return new Promise((resolve, reject) => {
      new Request(this.#node, this.#address, request, parent, (outcome) => {
        if (outcome.tag === "value") return resolve(outcome.value)
        const reason = outcome.tag === "failed" ? outcome.reason : undefined
        const why = reason instanceof Rejected ? reason.why : (reason?.message ?? "an answer that makes no sense")
        const Failure = reason instanceof Rejected ? ReminderRefused : ReminderUnanswered
        reject(new Failure({ address, call, why }))
      }).send()
    })
  }
}

class Request extends OpenAsk implements Parcel {
  readonly id: number
  content: Content = ""
  readonly persistent = true
  readonly settle: (outcome: Outcome) => void
  readonly #node: Node
  readonly #address: Address
  readonly #request: (waiter: Waiter) => ReminderRequest
  readonly #confirmed: (() => void) | undefined

  constructor(
    node: Node,
    address: Address,
    request: (waiter: Waiter) => ReminderRequest,
    parent: Job | undefined,
    settle: (outcome: Outcome) => void,
  ) {
    super()
    this.id = node.nextId()
    this.settle = settle
    this.#node = node
    this.#address = address
    this.#request = request
    this.#confirmed = parent?.sending()
  }

  send(): void {
    const deadline = this.#node.now() + answerWithin
    this.#node.pending.add(this, deadline)
    const problem = this.#encode(deadline)
    if (problem !== undefined) return this.#end(new Rejected({ why: problem }))
    const taken = this.#node.outbox.push(recordsTo(this.#node, this.#address), this)
    if (!taken) this.#end(new MailboxFull({ what: "outbox" }))
  }

  #encode(deadline: number): string | undefined {
    try {
      const content = encodeReminder(this.#request({ queue: this.#node.inbox, id: this.id, deadline }))
      this.content = content
      const { byteLength } = content.body
      return byteLength > maxReminder
        ? `it has ${byteLength} bytes, the limit is ${maxReminder}: keep the rest in a store`
        : undefined
    } catch (error) {
      return `the payload is not JSON: ${asError(error).message}`
    }
  }

  /** Nobody waits any more for what was never sent. */
  wanted(): boolean {
    const open = this.#node.pending.has(this.id)
    if (!open) this.#confirmed?.()
    return open
  }

  settled(refusal: Refusal | undefined): void {
    if (refusal === undefined) return this.#confirmed?.()
    const gone = refusal._tag === "Unroutable" || refusal._tag === "Nacked" // the queue was deleted, and will be declared again
    this.#end(gone ? new Disconnected({ why: refusal.message, sent: false }) : new Rejected({ why: refusal.message }))
  }

  learn(): void {}

  expire(): void {
    this.#fail(new TimedOut({ after: answerWithin }))
  }

  #end(reason: AskReason): void {
    this.#confirmed?.()
    this.#fail(reason)
  }

  #fail(reason: AskReason): void {
    this.#node.pending.end(this.id, { tag: "failed", reason })
  }
}
