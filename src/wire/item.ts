// What one actor says to another: the items of which a batch is made. Payloads are JSON values here; schemas belong to
// the ends.
//
// W1. `node` + `id` name an item for ever: an item that is sent again (lost link, redelivery) keeps them.
// W2. Nothing in an item chooses code to run: `name` is looked up in the receiver's own protocol.

import type { AskReason } from "../protocol/errors.ts"

export type Scalar = string | number | boolean
export type Headers = Readonly<Record<string, Scalar>>

/** What a mailbox takes: an ask wants a reply, a tell does not. */
interface Mail {
  /** The node that sent it first: a UUID for nodes, whatever a foreign peer gave as message id otherwise. */
  readonly node: string
  /** Unique on that node. */
  readonly id: number
  /** The message's name in the receiver's protocol. */
  readonly name: string
  readonly payload: unknown
  /** The address of the actor that sent it; absent for a plain client. */
  readonly sender?: string
  /** The epoch of the leadership in which it was sent; absent when its sender leads no `single` clique. */
  readonly epoch?: number
  readonly headers?: Headers
  /** How often its handling was begun before, as far as is known. Absent = 0. */
  readonly attempts?: number
  /** The routing key of the actor it is for, in mail to a queue that several actors share; absent where the queue tells. */
  readonly to?: string
}

export interface AskItem extends Mail {
  readonly kind: "ask"
  /** ms since the epoch after which nobody waits. */
  readonly deadline: number
  /** The asks above this one, outermost first, each as `node:id`; a member that runs one of them must not wait for it. */
  readonly chain?: ReadonlyArray<string>
  /** The addresses of those who handle the asks of `chain`, for the message of a cycle. */
  readonly path?: ReadonlyArray<string>
  /** The queue that takes the reply. */
  readonly replyTo: string
}

export interface TellItem extends Mail {
  readonly kind: "tell"
}

/** A way to write batches that an actor asks its callers for, beside JSON, which everybody reads. */
export type CodecName = "msgpack"

/** What a node inbox takes. */
export interface ReplyItem {
  readonly kind: "reply"
  /** The `id` of the ask. */
  readonly id: number
  readonly outcome: Outcome
  /** How long one more message keeps the actor busy, ms: the asker sizes its next batches by it. */
  readonly service?: number | undefined
  /** The routing key of the queue that the actor shares with others: mail for all of them may travel there together. */
  readonly via?: string | undefined
  /** How the actor would like its mail to be written; said only in JSON. */
  readonly reads?: CodecName | undefined
}

/** The asker gave up: abort the handler's signal, or never start it. */
export interface CancelItem {
  readonly kind: "cancel"
  readonly node: string
  readonly id: number
}

export type Outcome =
  | { readonly tag: "value"; readonly value: unknown }
  /** An error that the protocol declares, encoded by its schema. */
  | { readonly tag: "declared"; readonly error: unknown }
  | { readonly tag: "failed"; readonly reason: AskReason }

export type MailItem = AskItem | TellItem
export type Item = MailItem | ReplyItem | CancelItem
