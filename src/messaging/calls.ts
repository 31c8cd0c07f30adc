// The caller's side of asks and tells.
//
// A1. Every call ends: with its value, a declared error, or an `AskError`; never later than its deadline (promise 4).
// A2. An ask made while another one is handled waits no longer than that one, and carries the chain of asks above it.
// A3. An ask is sent at once or refused at once while the broker blocks publishers; while there is no link it waits for
//     the next, up to its deadline. A tell waits in the outbox either way, up to its timeout. A full outbox refuses both.

import {
  type AskReason,
  Cancelled,
  Disconnected,
  MailboxFull,
  NoSuchActor,
  Rejected,
  TimedOut,
} from "../protocol/errors.ts"
import { encodeItem } from "../wire/batch.ts"
import type { Opening } from "../wire/frame.ts"
import type { AskItem, Headers, MailItem, Outcome, ReplyItem, TellItem } from "../wire/item.ts"
import { itemValue } from "../wire/item-value.ts"
import { Entry } from "./deadlines.ts"
import type { Job } from "./job.ts"
import type { Content, Lane, Parcel, Refusal } from "./lane.ts"
import type { Node } from "./node.ts"
import { OpenAsk } from "./pending.ts"
import { Repeat } from "./repeat.ts"
import type { Route } from "./route.ts"
import { asError } from "./thrown.ts"

export interface Call {
  readonly to: Route
  readonly name: string
  /** JSON. */
  readonly payload: unknown
  /** ms. */
  readonly timeout: number
  readonly headers: Headers | undefined
  /** It opens a stream: a frame answers it, or a reply that says why not. */
  readonly opening?: Opening
  /** It sends a goal, which is to be canceled when this node is gone. */
  readonly abandon?: "cancel"
  /** The job that makes this call, if one does. */
  readonly parent: Job | undefined
  /** The actor that makes it. */
  readonly sender: Sender | undefined
  /** Of an ask: a number of this node to send it under. Default: a new one. */
  readonly id?: number
}

export interface Sender {
  readonly address: string
  /** Of its leadership, if it leads a `single` clique. */
  readonly epoch: number | undefined
}

/** A call that may still be open. */
export interface Ongoing {
  /** Ends it early; does nothing once it has ended. */
  giveUp(): void
}
const over: Ongoing = { giveUp: () => {} }

/** @param settle called once. */
export const ask = (node: Node, call: Call, settle: (outcome: Outcome) => void): Ongoing => {
  const now = node.now()
  const deadline = Math.min(now + call.timeout, call.parent?.ask?.deadline ?? Number.POSITIVE_INFINITY)
  const reason = whyNot(node, now, deadline)
  if (reason !== undefined) {
    settle({ tag: "failed", reason })
    return over
  }
  const open = new SentAsk(node, call, deadline, deadline - now, settle)
  open.send()
  return open
}

/** @param settle called once: undefined when the broker has stored it. */
export const tell = (node: Node, call: Call, settle: (reason: AskReason | undefined) => void): Ongoing => {
  if (node.stopping && call.parent === undefined) {
    settle(new Disconnected({ why: "the system is stopping", sent: false }))
    return over
  }
  const open = new SentTell(node, call, settle)
  open.send()
  return open
}

/** Why an ask is not even tried. */
const whyNot = (node: Node, now: number, deadline: number): AskReason | undefined => {
  if (deadline <= now) return new TimedOut({ after: 0 })
  if (node.stopping) return new Disconnected({ why: "the system is stopping", sent: false })
  const { trouble } = node.connection
  return trouble !== undefined && node.connection.life.has("up")
    ? new Disconnected({ why: trouble, sent: false })
    : undefined
}

/** An ask on its way: the parcel in the outbox, the entry among the deadlines, and what its reply is for, in one. */
class SentAsk extends OpenAsk implements Parcel, Ongoing {
  readonly id: number
  content: Content = ""
  readonly persistent = false
  order = 0
  bytes = 0
  readonly settle: (outcome: Outcome) => void
  readonly #node: Node
  readonly #call: Call
  readonly #deadline: number
  readonly #timeout: number
  readonly #confirmed: (() => void) | undefined
  #lane: Lane
  #sent = false

  /** @param deadline ms since the epoch. @param timeout ms until then. */
  constructor(node: Node, call: Call, deadline: number, timeout: number, settle: (outcome: Outcome) => void) {
    super()
    this.id = call.id ?? node.nextId()
    this.settle = settle
    this.#node = node
    this.#call = call
    this.#deadline = deadline
    this.#timeout = timeout
    this.#lane = call.to.lane()
    this.#confirmed = call.parent?.sending()
  }

  send(): void {
    this.#node.pending.add(this, this.#deadline)
    const reason = hindrance(() => {
      this.content = contentOf(this.#item(), this.#call.to)
      return this.#node.post.mail(this.#lane, this)
    })
    if (reason !== undefined) this.#end(reason)
  }

  /** A call that has ended is not sent any more: it may have waited for a link until its deadline. */
  wanted(): boolean {
    const open = this.#node.pending.has(this.id)
    if (open) this.#sent = true
    else this.#confirmed?.()
    return open
  }

  settled(refusal: Refusal | undefined): void {
    if (refusal === undefined) return this.#confirmed?.()
    const detour = refusal._tag === "Unroutable" ? this.#call.to.detour(this.#lane) : undefined
    if (detour === undefined) return this.#end(reasonOf(refusal, this.#call.to))
    this.#lane = detour
    if (!this.#node.post.mail(detour, this)) this.#end(new MailboxFull({ what: "outbox" }))
  }

  learn({ service, via, reads, outcome }: ReplyItem): void {
    if (service !== undefined) this.#lane.observe(service)
    if (via !== undefined) this.#call.to.learn(via)
    // It does not share that queue any more; its own key may lead to another one.
    if (outcome.tag === "failed" && outcome.reason._tag === "NoSuchActor") this.#call.to.detour(this.#lane)
    if (reads === "msgpack") this.#call.to.packs = true
  }

  override repeat(): void {
    this.#node.outbox.again(this.#lane, new Repeat(this, this.#node.pending))
  }

  expire(): void {
    this.#fail(this.#sent ? new TimedOut({ after: this.#timeout }) : neverSent(this.#node))
  }

  giveUp(): void {
    if (this.#fail(new Cancelled({}))) this.#node.post.cancel(this.#call.to.address, this.id)
  }

  #item(): AskItem {
    const { name, payload } = this.#call
    const item: Mutable<AskItem> = {
      kind: "ask",
      node: this.#node.id,
      id: this.id,
      name,
      payload,
      deadline: this.#deadline,
      replyTo: this.#node.inbox,
    }
    if (this.#call.opening !== undefined) item.opening = this.#call.opening
    if (this.#call.abandon !== undefined) item.abandon = this.#call.abandon
    addLineage(item, this.#call)
    addCommon(item, this.#call, this.#lane)
    return item
  }

  #end(reason: AskReason): void {
    this.#confirmed?.()
    this.#fail(reason)
  }

  #fail(reason: AskReason): boolean {
    return this.#node.pending.end(this.id, { tag: "failed", reason })
  }
}

class SentTell extends Entry implements Parcel, Ongoing {
  content: Content = ""
  readonly persistent = true
  order = 0
  bytes = 0
  readonly #node: Node
  readonly #call: Call
  readonly #settle: (reason: AskReason | undefined) => void
  readonly #confirmed: (() => void) | undefined
  #lane: Lane
  #open = true
  #sent = false

  constructor(node: Node, call: Call, settle: (reason: AskReason | undefined) => void) {
    super()
    this.#node = node
    this.#call = call
    this.#settle = settle
    this.#lane = call.to.lane()
    this.#confirmed = call.parent?.sending()
  }

  send(): void {
    this.#node.deadlines.schedule(this.#node.now() + this.#call.timeout, this)
    const reason = hindrance(() => {
      this.content = contentOf(this.#item(), this.#call.to)
      return this.#node.post.mail(this.#lane, this)
    })
    if (reason !== undefined) this.#end(reason)
  }

  wanted(): boolean {
    this.#sent = this.#open
    return this.#open
  }

  settled(refusal: Refusal | undefined): void {
    const detour = refusal?._tag === "Unroutable" && this.#open ? this.#call.to.detour(this.#lane) : undefined
    if (detour === undefined) return this.#end(refusal && reasonOf(refusal, this.#call.to))
    this.#lane = detour
    if (!this.#node.post.mail(detour, this)) this.#end(new MailboxFull({ what: "outbox" }))
  }

  expire(): void {
    this.#end(this.#sent ? new TimedOut({ after: this.#call.timeout }) : neverSent(this.#node))
  }

  giveUp(): void {
    this.#end(new Cancelled({}))
  }

  #item(): TellItem {
    const { name, payload } = this.#call
    const item: Mutable<TellItem> = { kind: "tell", node: this.#node.id, id: this.#node.nextId(), name, payload }
    addCommon(item, this.#call, this.#lane)
    return item
  }

  #end(reason: AskReason | undefined): void {
    if (!this.#open) return
    this.#open = false
    this.cancel()
    this.#confirmed?.()
    this.#settle(reason)
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const neverSent = (node: Node): Disconnected =>
  new Disconnected({ why: node.connection.trouble ?? "the broker was away", sent: false })

/** Why an item could not even be put into the outbox. */
const hindrance = (push: () => boolean): AskReason | undefined => {
  try {
    return push() ? undefined : new MailboxFull({ what: "outbox" })
  } catch (error) {
    return new Rejected({ why: `the payload is not JSON: ${asError(error).message}` })
  }
}

const contentOf = (item: MailItem, to: Route): Content => (to.packs ? itemValue(item) : undefined) ?? encodeItem(item)

/** The asks above a nested one: by it the callee recognises an ask that would wait for itself. */
const addLineage = (item: Mutable<AskItem>, { parent, sender }: Call): void => {
  const above = parent?.ask
  if (parent === undefined || above === undefined) return
  item.chain = [...(above.chain ?? []), parent.key]
  item.path = [...(above.path ?? []), sender?.address ?? "?"]
}

const addCommon = (item: Mutable<AskItem> | Mutable<TellItem>, { to, sender, headers }: Call, lane: Lane): void => {
  if (sender !== undefined) {
    item.sender = sender.address
    if (sender.epoch !== undefined) item.epoch = sender.epoch
  }
  if (headers !== undefined) item.headers = headers
  if (to.isShared(lane)) item.to = to.key
}

const reasonOf = (refusal: Refusal, to: Route): AskReason => {
  switch (refusal._tag) {
    case "Unroutable":
      return new NoSuchActor({ address: `${to}` })
    case "Nacked":
      return new MailboxFull({ what: `${to}` })
    case "Oversized":
    case "Refused":
      return new Rejected({ why: refusal.message })
  }
}
