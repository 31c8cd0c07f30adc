// What one actor says to another: the items of which a batch is made. Payloads are JSON values here; schemas belong to
// the ends.
//
// W1. `node` + `id` name an item for ever: an item that is sent again (lost link, redelivery) keeps them.
// W2. Nothing in an item chooses code to run: `name` is looked up in the receiver's own protocol.

import type { AskReason } from "../protocol/errors.ts"
import type { Reminded } from "../protocol/handlers.ts"
import type { Opening } from "./frame.ts"
import type { GoalItem } from "./goal-item.ts"

export type Scalar = string | number | boolean
export type Headers = Readonly<Record<string, Scalar>>

/** What a handler handles: an ask wants a reply, a tell and an event do not. */
interface Mail {
  /** The node that sent it first: a UUID for nodes, whatever a foreign peer gave as message id otherwise. */
  readonly node: string
  /** Unique on that node. */
  readonly id: number
  /** The message's name in the receiver's protocol; of an event, in that of its source. */
  readonly name: string
  readonly payload: unknown
  /** The address of the actor that sent it; absent for a plain client. */
  readonly sender?: string
  /** The epoch of the leadership in which it was sent; absent when its sender leads no `single` clique. */
  readonly epoch?: number
  readonly headers?: Headers
  /** How often its handling was begun before, as far as is known. Absent = 0. */
  readonly attempts?: number
  /**
   * The routing key of the actor it is for, in mail to a queue that several actors share; absent where the queue tells. Of
   * an event: the key that it was emitted with; absent where the message tells.
   */
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
  /** It opens a stream; absent when one payload wants one reply. */
  readonly opening?: Opening
  /** It sends a goal, which is to be canceled when the node that sent it is gone. */
  readonly abandon?: "cancel"
}

export interface TellItem extends Mail {
  readonly kind: "tell"
  /** It comes from a reminder that its actor has set. */
  readonly reminder?: Reminded
}

/** A broadcast. Where it comes from is said by the key that it was emitted with. */
export interface EventItem extends Mail {
  readonly kind: "event"
  /** When it was emitted, ms since the epoch, by the clock of its node; absent when a foreign peer does not say. */
  readonly at?: number
}

/** A way to write batches that an actor asks its callers for, beside JSON, which everybody reads. */
export type CodecName = "msgpack"

/** What a node inbox takes. */
export interface ReplyItem {
  readonly kind: "reply"
  /** The `id` of the ask. */
  readonly id: number
  readonly outcome: Outcome
  /** The epoch of the leadership in which it was given; absent when the actor that answers leads no `single` clique. */
  readonly epoch?: number | undefined
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

export type MailItem = AskItem | TellItem | EventItem
export type Item = MailItem | ReplyItem | CancelItem | GoalItem
