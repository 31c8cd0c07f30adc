// A session: one end of a running stream on this node. It carries the frames of a conversation, and ends it when it cannot
// go on.
//
// S1. It is known from before its ask is sent, or from when it is taken on, until it is over; then every frame for it is
//     answered with the news that it is gone (sessions.ts).
// S2. It has one far end for life: who answers first. It follows that end to another inbox; and not back, when an older
//     frame comes late.
// S3. It never waits for ever for what is lost: a gap that is not filled, a node that is gone, a far end that does not answer
//     and a broker that stays away each end it.

import type { Entry } from "../messaging/deadlines.ts"
import type { Lane, Parcel, Refusal } from "../messaging/lane.ts"
import type { Node } from "../messaging/node.ts"
import { type AskReason, Disconnected, Rejected } from "../protocol/errors.ts"
import { encodeFrame, type Frame, frameHead, type Said } from "../wire/frame.ts"
import type { Outcome } from "../wire/item.ts"
import { Conversation, type Holder, type Part } from "./conversation.ts"

/** ms that a gap may take to be filled: a broker that has to notice a dead connection first hands its messages out late. */
const patience = 10_000
/** ms in silence after which the far end is asked whether it is still there, and in which it is to answer. */
const quiet = 20_000
/** ms after which it is looked again whether there is room in the outbox. */
const roomAgain = 20

/** The other node's end. */
export interface Peer {
  readonly node: string
  /** Its number of the session. */
  readonly id: number
  readonly inbox: string
}

/** Of a stream that has ended well. */
export interface Remains {
  readonly peer: Peer
  /** The number of its last frame. */
  readonly sent: number
}

/** What a session tells those who use it. */
export type User = Pick<Holder, "items" | "complete" | "room" | "unwanted" | "over">

/** How the table of sessions is told. */
export interface Registrar {
  /** A callee has taken it on. */
  readonly opened: () => void
  /** It is over; its user does not know yet. */
  readonly closed: () => void
}

export class Session {
  /** Its number on this node. */
  readonly id: number
  readonly #node: Node
  readonly #registrar: Registrar
  readonly #user: User
  readonly #conversation: Conversation
  #peer: Peer | undefined
  #lane: Lane | undefined
  /** The place of the latest frame that has come. */
  #latest = 0
  #unwatch: (() => void) | undefined
  #gap: Entry | undefined
  #crowded: Entry | undefined
  #silence: Entry | undefined
  /** Looks at which nothing had been heard since the last one. */
  #silent = 0
  #gathering = false
  #turnEnds: Array<() => void> = []
  /** Waits for the first frame to be confirmed. */
  #confirmed: (() => void) | undefined

  constructor(node: Node, id: number, part: Part, user: (session: Session) => User, registrar: Registrar) {
    this.#node = node
    this.id = id
    this.#registrar = registrar
    this.#user = user(this)
    const { items, complete, unwanted } = this.#user
    this.#conversation = new Conversation(part, {
      say: (said) => this.#say(said),
      opened: registrar.opened,
      items,
      complete,
      room: () => this.#room(),
      unwanted,
      over: (outcome) => this.#over(outcome),
    })
  }

  get isOver(): boolean {
    return this.#conversation.isOver
  }

  get isOpening(): boolean {
    return this.#conversation.isOpening
  }

  /** What is to be remembered of it: the callee was done, and its far end may still be at what was sent before. */
  get remains(): Remains | undefined {
    const { isFinished, sent } = this.#conversation
    return isFinished && this.#peer !== undefined ? { peer: this.#peer, sent } : undefined
  }

  // The far end

  /** S2 */
  meet(peer: Peer): void {
    this.#peer = peer
    this.#lane = this.#node.post.inbox(peer.inbox)
    // It is told all the same: it may have been cut off for a while.
    const gone = (why: string) => this.abort(disconnected(`the node at the far end of the stream is gone: ${why}`))
    this.#unwatch = this.#node.watchPeer(peer.node, gone)
    this.#listen()
  }

  /** S3 */
  #listen(): void {
    this.#silence = this.#node.deadlines.add(this.#node.now() + quiet, () => {
      this.#silent = this.#node.connection.trouble === undefined ? this.#silent + 1 : 0
      if (this.#silent === 2) this.compare()
      if (this.#silent > 2) return this.abort(disconnected("the far end of the stream does not answer"))
      this.#listen()
    })
  }

  /** Whether this frame is from its far end. */
  isFrom({ node, from }: Frame): boolean {
    const peer = this.#peer
    return peer === undefined ? this.isOpening : peer.node === node && peer.id === from
  }

  /** @param frame from its far end. */
  receive({ node, from, inbox, said }: Frame): void {
    if (this.#peer === undefined) this.meet({ node, id: from, inbox })
    const place = placeOf(said)
    if (place >= this.#latest) this.#follow(inbox)
    this.#latest = Math.max(this.#latest, place)
    this.#silent = 0
    this.#conversation.hear(said)
    this.#mindTheGap()
  }

  /** S2 */
  #follow(inbox: string): void {
    if (this.#peer === undefined || this.#peer.inbox === inbox) return
    this.#peer = { ...this.#peer, inbox }
    this.#lane = this.#node.post.inbox(inbox)
  }

  /** S3 */
  #mindTheGap(): void {
    if (this.#conversation.isMissing === (this.#gap !== undefined)) return
    if (this.#gap !== undefined) {
      this.#gap.cancel()
      this.#gap = undefined
      return
    }
    this.#gap = this.#node.deadlines.add(this.#node.now() + patience, () =>
      this.abort(disconnected("part of the stream was lost on the way")),
    )
  }

  /** The inbox, or what is in it, may have been lost. */
  compare(): void {
    this.#conversation.compare()
  }

  // Sending

  /**
   * The callee takes it on.
   *
   * @param epoch in which it leads a `single` clique.
   * @param confirmed called when the broker has that, or never will.
   */
  open(epoch: number | undefined, confirmed: () => void): void {
    this.#confirmed = confirmed
    this.#conversation.open(epoch)
  }

  /** Whether an item may be made for it now. */
  get hasRoom(): boolean {
    return this.#conversation.hasRoom && !this.#node.outbox.full
  }

  /** Whether items may still be offered, now or later. */
  get isSending(): boolean {
    return this.#conversation.isSending
  }

  /** @param text JSON; there is room for it. */
  offer(text: string): void {
    this.#conversation.offer(text)
    this.#gather()
  }

  /** The end of this turn of the event loop, when what was offered leaves. */
  get turnEnd(): Promise<void> {
    return new Promise((resolve) => {
      this.#turnEnds.push(resolve)
      this.#gather()
    })
  }

  #gather(): void {
    if (this.#gathering) return
    this.#gathering = true
    this.#node.outbox.gather(() => {
      this.#gathering = false
      this.#conversation.ship()
      for (const ended of this.#turnEnds.splice(0)) ended()
    })
  }

  /** There is credit; there must be room in the outbox, too. */
  #room(): void {
    if (this.hasRoom) return this.#user.room()
    this.waitForRoom()
  }

  /** Its user hears of room: of credit when the far end gives it, of the outbox soon after there is some. */
  waitForRoom(): void {
    if (this.#crowded !== undefined || !this.#conversation.hasRoom) return
    this.#crowded = this.#node.deadlines.add(this.#node.now() + roomAgain, () => {
      this.#crowded = undefined
      if (this.#conversation.hasRoom) this.#room()
    })
  }

  /** The caller has offered all its items. */
  complete(): void {
    this.#conversation.complete()
  }

  /** The callee is done. @throws TypeError when the outcome is not JSON; then it is not over. */
  finish(outcome: Outcome): void {
    this.#conversation.finish(outcome)
  }

  /** Items that came have been taken. */
  used(items: number, bytes: number): void {
    this.#conversation.used(items, bytes)
  }

  /** The callee wants no more items. */
  stop(): void {
    this.#conversation.stop()
  }

  /** Ends it; the far end is told. */
  abort(reason: AskReason): void {
    this.#conversation.abort(reason)
  }

  /** Its ask was answered, and no stream opened. */
  refuse(outcome: Outcome): void {
    this.#conversation.refuse(outcome)
  }

  #say(said: Said<ReadonlyArray<string>>): void {
    const [peer, lane] = [this.#peer, this.#lane]
    if (peer === undefined || lane === undefined) return
    const content = encodeFrame(frameHead(peer.id, this.id, this.#node.inbox), said)
    const confirmed = this.#confirmed
    this.#confirmed = undefined
    const settled = confirmed === undefined ? this.#settled : this.#settledAnd(confirmed)
    // What has been made has to leave; there is little of it, because of the credit and `hasRoom`.
    this.#node.post.mail(lane, { content, persistent: false, owed: true, settled })
  }

  readonly #settled: Parcel["settled"] = (refusal) => {
    if (refusal === undefined) return
    const reason = reasonOf(refusal)
    // What was lost may be the end itself: its far end would wait for that.
    if (this.#conversation.isFinished) this.#say({ says: "abort", reason })
    else this.abort(reason)
  }

  #settledAnd(confirmed: () => void): Parcel["settled"] {
    return (refusal) => {
      confirmed()
      this.#settled(refusal)
    }
  }

  #over(outcome: Outcome): void {
    this.#unwatch?.()
    for (const entry of [this.#gap, this.#crowded, this.#silence]) entry?.cancel()
    this.#registrar.closed()
    this.#user.over(outcome)
  }
}

/** Of all that one end says, in the order in which it does; what has no place comes first. */
const placeOf = (said: Frame["said"]): number =>
  said.says === "sent" ? said.number + 0.5 : "number" in said ? said.number : -1

/** Of a stream that has begun: nobody knows how much of it was handled. */
export const disconnected = (why: string): Disconnected => new Disconnected({ why, sent: true })

const reasonOf = (refusal: Refusal): AskReason =>
  refusal._tag === "Oversized" ? new Rejected({ why: refusal.message }) : disconnected(refusal.message)
