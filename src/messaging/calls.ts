// The caller's side of asks and tells.
//
// A1. Every call ends: with its value, a declared error, or an `AskError`; never later than its deadline (promise 4).
// A2. An ask made while another one is handled waits no longer than that one, and carries the chain of asks above it.
// A3. An ask is sent at once or refused at once while the broker blocks publishers; while there is no link it waits for
//     the next, up to its deadline. A tell waits in the outbox either way, up to its timeout. A full outbox refuses both.

import {
  AskError,
  type AskReason,
  Cancelled,
  Disconnected,
  MailboxFull,
  NoSuchActor,
  Rejected,
  TimedOut,
} from "../protocol/errors.ts"
import { type Address, format } from "../wire/address.ts"
import type { AskItem, Headers, Outcome, TellItem } from "../wire/item.ts"
import type { Job } from "./job.ts"
import type { Node } from "./node.ts"
import type { Refusal } from "./outbox.ts"
import { asError } from "./thrown.ts"

export interface Call {
  readonly to: Address
  readonly name: string
  /** JSON. */
  readonly payload: unknown
  /** ms. */
  readonly timeout: number
  readonly headers: Headers | undefined
  /** The job that makes this call, if one does. */
  readonly parent: Job | undefined
  /** The address of the actor that makes it. */
  readonly sender: string | undefined
}

/** Ends the call early; does nothing once it has ended. */
export type Cancel = () => void

/** @param settle called once. */
export const ask = (node: Node, call: Call, settle: (outcome: Outcome) => void): Cancel => {
  const now = node.now()
  const deadline = Math.min(now + call.timeout, call.parent?.ask?.deadline ?? Number.POSITIVE_INFINITY)
  const fail = (reason: AskReason): Cancel => {
    settle({ tag: "failed", reason })
    return () => {}
  }
  if (deadline <= now) return fail(new TimedOut({ after: 0 }))
  if (node.stopping) return fail(new Disconnected({ why: "the system is stopping", sent: false }))
  const { trouble } = node.connection
  if (trouble !== undefined && node.connection.life.has("up"))
    return fail(new Disconnected({ why: trouble, sent: false }))

  const id = node.nextId()
  const { pending, post } = node
  const to = post.mailTo(call.to)
  const confirmed = call.parent?.sending()
  let sent = false
  const late = () => (sent ? new TimedOut({ after: deadline - now }) : neverSent(node))
  pending.add(id, deadline, late, settle, (service) => node.outbox.observe(to, service))
  const refused = (refusal: Refusal | undefined) => {
    confirmed?.()
    if (refusal !== undefined) pending.end(id, { tag: "failed", reason: reasonOf(refusal, call.to) })
  }
  // A call that has ended is not sent any more: it may have waited for a link until its deadline.
  const wanted = () => {
    if (pending.has(id)) {
      sent = true
      return true
    }
    confirmed?.()
    return false
  }
  const item: AskItem = {
    kind: "ask",
    node: node.id,
    id,
    name: call.name,
    payload: call.payload,
    deadline,
    replyTo: node.inbox,
    ...lineage(call),
    ...common(call),
  }
  const reason = hindrance(() => post.mail(to, item, refused, wanted))
  if (reason !== undefined) {
    confirmed?.()
    pending.end(id, { tag: "failed", reason })
  }
  return () => {
    if (pending.end(id, { tag: "failed", reason: new Cancelled({}) })) post.cancel(call.to, id)
  }
}

/** @param settle called once: undefined when the broker has stored it. */
export const tell = (node: Node, call: Call, settle: (reason: AskReason | undefined) => void): Cancel => {
  if (node.stopping && call.parent === undefined) {
    settle(new Disconnected({ why: "the system is stopping", sent: false }))
    return () => {}
  }
  const to = node.post.mailTo(call.to)
  const confirmed = call.parent?.sending()
  let open = true
  const end = (reason: AskReason | undefined) => {
    if (!open) return
    open = false
    timer.cancel()
    confirmed?.()
    settle(reason)
  }
  let sent = false
  const timer = node.deadlines.add(node.now() + call.timeout, () => {
    end(sent ? new TimedOut({ after: call.timeout }) : neverSent(node))
  })
  const wanted = () => {
    sent = open
    return open
  }
  const item: TellItem = {
    kind: "tell",
    node: node.id,
    id: node.nextId(),
    name: call.name,
    payload: call.payload,
    ...common(call),
  }
  const settled = (refusal: Refusal | undefined) => end(refusal && reasonOf(refusal, call.to))
  const reason = hindrance(() => node.post.mail(to, item, settled, wanted))
  if (reason !== undefined) end(reason)
  return () => end(new Cancelled({}))
}

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

/** The asks above a nested one: by it the callee recognises an ask that would wait for itself. */
const lineage = ({ parent, sender }: Call): Partial<Pick<AskItem, "chain" | "path">> => {
  const above = parent?.ask
  if (parent === undefined || above === undefined) return {}
  return { chain: [...(above.chain ?? []), parent.key], path: [...(above.path ?? []), sender ?? "?"] }
}

const common = ({ sender, headers }: Call): Partial<Pick<AskItem, "sender" | "headers">> => ({
  ...(sender === undefined ? {} : { sender }),
  ...(headers === undefined ? {} : { headers }),
})

const reasonOf = (refusal: Refusal, to: Address): AskReason => {
  switch (refusal._tag) {
    case "Unroutable":
      return new NoSuchActor({ address: format(to) })
    case "Nacked":
      return new MailboxFull({ what: format(to) })
    case "Oversized":
    case "Refused":
      return new Rejected({ why: refusal.message })
  }
}

export const askError = (call: Pick<Call, "to" | "name">, reason: AskReason): AskError =>
  new AskError({ address: format(call.to), call: call.name, reason })
