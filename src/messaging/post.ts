// Everything this node sends: mail, answers, cancels and dead letters, each as a parcel in the right lane of the outbox.
//
// T1. Each `done` is called once, when the broker has taken the parcel or will never take it.

import type { Incoming } from "../broker/broker.ts"
import { type Address, format, fromRoutingKey, routingKey } from "../wire/address.ts"
import { encodeBatch, encodeItem } from "../wire/batch.ts"
import { type DeadLetter, type DeadReason, encodeDeadLetter, type Remains } from "../wire/dead-letter.ts"
import type { MailItem, Outcome, ReplyItem } from "../wire/item.ts"
import { itemValue } from "../wire/item-value.ts"
import type { Names } from "../wire/names.ts"
import { encodePlainReply } from "../wire/plain.ts"
import type { Content, Destination, Lane, Parcel, Ready, Refusal, ReplyQueue } from "./lane.ts"
import { messageId } from "./message-ids.ts"
import type { ReplyAddress } from "./opening.ts"
import type { Outbox } from "./outbox.ts"
import type { Target } from "./supply.ts"
import { asError } from "./thrown.ts"

/** What died, and why. */
export interface Death {
  readonly reason: DeadReason
  readonly error: unknown
  /** How often its handling was begun. */
  readonly attempts: number
  /** The routing key of the actor it was for, as far as that is known. */
  readonly to: string
  readonly replays: number
  /** Of the leader that gave it up. */
  readonly epoch?: number | undefined
  readonly remains: Remains
  /** Where it has to be published to be handled again. Default: as the mail of `to`. */
  readonly home?: Target | undefined
}

/** What a reply tells of the actor that it comes from. */
export type Hints = Pick<ReplyItem, "service" | "via" | "reads" | "epoch">

/** Marks an item that was split off a batch which came back: one of them may kill processes. */
const splitHeader = "warren-split"

export const isSplit = ({ headers }: Pick<Incoming, "headers">): boolean => headers[splitHeader] === true

/** ms before a dead letter or an item sent again is offered anew, when the broker would not take it. */
const offerAgain = 1000

/** Who sends: a node, and its inbox. */
export interface Origin {
  readonly node: string
  readonly replyTo: ReplyQueue
}

export class Post {
  readonly #outbox: Outbox
  readonly #names: Names
  readonly #node: string
  readonly #inbox: ReplyQueue
  readonly #now: () => number
  readonly #log: (message: string) => void
  #lastCaller: Lane | undefined

  constructor(outbox: Outbox, names: Names, origin: Origin, now: () => number, log: (message: string) => void) {
    this.#outbox = outbox
    this.#names = names
    this.#node = origin.node
    this.#inbox = origin.replyTo
    this.#now = now
    this.#log = log
  }

  /** The lane for asks and tells to whoever has bound a mailbox with this key. */
  mailTo(routingKey: string): Lane {
    return this.#outbox.lane(this.#mail(routingKey, this.#node))
  }

  /** The lane to the inbox of another node. */
  inbox(queue: string): Lane {
    // An inbox that is gone has nobody who waits: not mandatory.
    // Nor is it insisted on: a reply queue that is full must not hold up the mailbox.
    return this.#outbox.lane({ ...this.#direct(queue), onNack: "fail" })
  }

  /** Whether there was room in the outbox. */
  mail(lane: Lane, parcel: Parcel): boolean {
    return this.#outbox.push(lane, parcel)
  }

  /** An ask that came in MessagePack is answered so. @throws TypeError when the outcome is not JSON. */
  answer(to: ReplyAddress, outcome: Outcome, hints: Hints | undefined, done: () => void): void {
    const settled = (refusal: Refusal | undefined) => {
      if (refusal !== undefined) this.#log(`an answer to ${to.queue} was lost: ${refusal.message}`)
      done()
    }
    const lane = this.#replyTo(to.queue)
    const content =
      to.kind === "plain" ? encodePlainReply(outcome, to.correlationId, hints?.epoch) : replyContent(to, outcome, hints)
    this.#outbox.push(lane, { content, persistent: false, owed: true, settled })
  }

  cancel(address: Address, id: number): void {
    const content = encodeItem({ kind: "cancel", node: this.#node, id })
    // Best effort: the deadline ends it too. One inbox of several may be on a node of the broker's cluster that is down,
    // and it is nacked for all then.
    const to = { ...this.#direct(routingKey(address)), exchange: this.#names.control, onNack: "fail" } as const
    this.#outbox.push(this.#outbox.lane(to), { content, persistent: false, settled: () => {} })
  }

  /**
   * Sends an item of a batch again on its own, with the identity it has.
   *
   * @param to what leads to its queue: a routing key of mail, or straight there.
   * @param done whether the broker has it; false when the mailbox is full, or it is too large on its own.
   */
  again(to: string | Target, item: MailItem, replays: number, done: (taken: boolean) => void): void {
    const mail = this.#mail(typeof to === "string" ? to : to.routingKey, item.node)
    const where = typeof to === "string" ? mail : { ...mail, ...to }
    this.#offer(where, replayable(item, replays), done, (refusal) => refusal._tag === "Nacked")
  }

  /** @param done whether the broker has it; false when it is too large for the broker. */
  bury(death: Death, done: (buried: boolean) => void): void {
    const to: Destination = {
      ...this.#direct(this.#names.deadLetters),
      exchange: this.#names.dead,
      mandatory: true,
    }
    this.#offer(to, { ...encodeDeadLetter(this.#letter(death)), persistent: true }, done)
  }

  #letter(death: Death): DeadLetter {
    const { to, remains, epoch, home = { exchange: this.#names.mail, routingKey: to } } = death
    const address = fromRoutingKey(to)
    const error = asError(death.error)
    const sender = remains.kind === "item" ? remains.item.sender : undefined
    return {
      reason: death.reason,
      error: { name: error.name, message: error.message, ...(error.stack === undefined ? {} : { stack: error.stack }) },
      attempts: death.attempts,
      address: address === undefined ? "" : format(address),
      origin: {
        exchange: home.exchange,
        routingKey: home.routingKey,
        node: remains.kind === "item" ? remains.item.node : "",
        ...(sender === undefined ? {} : { sender }),
      },
      at: this.#now(),
      replays: death.replays,
      ...(epoch === undefined ? {} : { epoch }),
      remains,
    }
  }

  /** Answers come in runs for one caller: its lane is kept at hand. */
  #replyTo(queue: string): Lane {
    if (this.#lastCaller?.destination.routingKey !== queue) {
      this.#lastCaller = this.inbox(queue)
    }
    return this.#lastCaller
  }

  #mail(routingKey: string, node: string): Destination {
    return {
      exchange: this.#names.mail,
      routingKey,
      mandatory: true,
      node,
      replyTo: this.#inbox,
      spread: true,
      onNack: "fail",
    }
  }

  /** Straight to a queue. */
  #direct(queue: string): Destination {
    return { exchange: "", routingKey: queue, mandatory: false, node: this.#node, spread: false, onNack: "retry" }
  }

  /** For what must not get lost: the delivery it comes from stays unacked until the broker has it, or never will. */
  #offer(
    to: Destination,
    content: Ready,
    done: (taken: boolean) => void,
    hopeless: (refusal: Refusal) => boolean = () => false,
  ): void {
    const settled: Parcel["settled"] = (refusal) => {
      if (refusal === undefined) return done(true)
      if (refusal._tag === "Oversized" || hopeless(refusal)) return done(false)
      this.#log(`${to.exchange} / ${to.routingKey} would not take a message: ${refusal.message}`)
      setTimeout(() => this.#offer(to, content, done, hopeless), offerAgain)
    }
    this.#outbox.push(this.#outbox.lane(to), { content, persistent: true, owed: true, settled })
  }
}

const replyContent = (
  { id, packed }: ReplyAddress & { readonly kind: "node" },
  outcome: Outcome,
  hints: Hints | undefined,
): Content => {
  const { service, via, epoch } = hints ?? {}
  // Who asks in MessagePack knows.
  const reads = packed ? undefined : hints?.reads
  const item: ReplyItem = { kind: "reply", id, outcome, service, via, reads, epoch }
  return (packed ? itemValue(item) : undefined) ?? encodeItem(item)
}

/** A batch of one, from whichever node it came first. */
const replayable = (item: MailItem, replays: number): Ready => ({
  ...encodeBatch(
    {
      node: item.node,
      messageId: messageId(),
      ...(item.kind === "ask" ? { replyTo: item.replyTo } : {}),
    },
    [encodeItem(item)],
  ),
  persistent: true,
  headers: { [splitHeader]: true, ...(replays === 0 ? {} : { "warren-replays": replays }) },
})
