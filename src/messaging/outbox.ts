// What leaves this node: one lane per destination, and one flush per event-loop turn for all of them.
//
// O1. The first push of a turn schedules one `setImmediate`; whatever else is pushed in that turn travels with it.
//     (A microtask or nextTick would cut the batches to pieces between two deliveries; a timer would add latency.)
// O2. A lane keeps the order of its parcels, also when a lost link makes it send them again on the next one.
// O3. Every parcel is settled exactly once: undefined when the broker has taken it, else why not.
// O4. What is unsettled is bounded in items and in bytes; a push past that is refused, not kept. What is owed (answers,
//     dead letters) is always taken: the mail in hand bounds it, and that is bounded by the prefetch.

import type { Link, Outgoing } from "../broker/broker.ts"
import type { PublishFailure } from "../broker/errors.ts"
import { type BatchHead, encodeBatch, encodePackedBatch } from "../wire/batch.ts"
import { PlainCopy } from "../wire/plain-copy.ts"
import { type Content, type Destination, keyOf, Lane, type Parcel } from "./lane.ts"
import { messageId } from "./message-ids.ts"

export interface Limits {
  /** Parcels that may be unsettled at once. Default 100,000. */
  readonly items: number
  /** Their size in bytes. Default 64 MiB. */
  readonly bytes: number
}
export const defaultLimits: Limits = { items: 100_000, bytes: 64 * 1024 * 1024 }

/** Bytes of one batch: well below the frame size of 128 KiB, so that nobody waits long behind it. */
const maxBytes = 96 * 1024
/** Destinations that are remembered while nothing is on its way to them. */
const maxLanes = 10_000
/** ms before a nacked parcel that must not get lost is offered again. */
const nackDelay = 100

export class Outbox {
  readonly #limits: Limits
  readonly #lanes = new Map<string, Lane>()
  #dirty: Array<Lane> = []
  #gathering: Array<() => void> = []
  #scheduled = false
  #link: Link | undefined
  #order = 0
  #items = 0
  #bytes = 0
  #idle: Array<() => void> = []

  constructor(limits: Limits = defaultLimits) {
    this.#limits = limits
  }

  /** Parcels that are not settled yet. */
  get size(): number {
    return this.#items
  }

  /** Nothing more is taken but what is owed. */
  get full(): boolean {
    return this.#items >= this.#limits.items || this.#bytes >= this.#limits.bytes
  }

  /** The link to send on from now on; undefined holds everything back. */
  use(link: Link | undefined): void {
    this.#link = link
    if (link === undefined) return
    for (const lane of this.#lanes.values()) if (lane.waiting.length > 0) this.#mark(lane)
  }

  /** The lane to a destination; to be held by whoever sends there often. */
  lane(to: Destination): Lane {
    const key = keyOf(to)
    return this.#lanes.get(key) ?? this.#register(new Lane(to, key))
  }

  /** The one that is in use: a lane that was forgotten is registered again, or gives way to its successor. */
  current(lane: Lane): Lane {
    return lane.forgotten ? (this.#lanes.get(lane.key) ?? this.#register(lane)) : lane
  }

  /** Whether there was room for it. */
  push(to: Lane, parcel: Parcel): boolean {
    const bytes = bytesOf(parcel.content)
    const full = this.#items >= this.#limits.items || this.#bytes + bytes > this.#limits.bytes
    if (full && parcel.owed !== true) return false
    this.#items++
    this.#bytes += bytes
    parcel.order = this.#order++
    parcel.bytes = bytes
    const lane = this.current(to)
    lane.waiting.push(parcel)
    if (this.#link !== undefined) this.#mark(lane)
    return true
  }

  /** A parcel for what was sent before: it is owed, and goes to the old place (O2). */
  again(to: Lane, parcel: Parcel & { readonly order: number }): void {
    parcel.bytes = bytesOf(parcel.content)
    this.#items++
    this.#bytes += parcel.bytes
    this.#putBack(to, [parcel])
  }

  /** What has not left, or has come back. */
  get waiting(): ReadonlyArray<Parcel> {
    return [...this.#lanes.values()].flatMap((lane) => lane.waiting)
  }

  /** Calls back at the end of this turn: what is pushed then still leaves with it (O1). */
  gather(collect: () => void): void {
    this.#gathering.push(collect)
    this.#schedule()
  }

  /** Calls back when nothing is unsettled. */
  whenIdle(idle: () => void): void {
    if (this.#items === 0) idle()
    else this.#idle.push(idle)
  }

  #register(lane: Lane): Lane {
    lane.forgotten = false
    this.#lanes.set(lane.key, lane)
    return lane
  }

  #mark(lane: Lane): void {
    if (!lane.dirty) {
      lane.dirty = true
      this.#dirty.push(lane)
    }
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    for (const collect of this.#gathering.splice(0)) collect()
    this.#scheduled = false
    const lanes = this.#dirty
    this.#dirty = []
    for (const lane of lanes) {
      lane.dirty = false
      const link = this.#link
      if (link !== undefined) this.#send(link, lane)
    }
  }

  #send(link: Link, lane: Lane): void {
    const all = lane.waiting
    lane.waiting = []
    if (lane.disordered) all.sort((a, b) => a.order! - b.order!) // O2
    lane.disordered = false
    const size = lane.batchSize
    let batch: Array<Parcel> = []
    let bytes = 0
    let kind: Kind | undefined
    const ship = () => {
      if (batch.length > 0) this.#publish(link, lane, batch)
      batch = []
      bytes = 0
    }
    for (const parcel of all) {
      if (parcel.wanted?.() === false) {
        this.#release(parcel)
        continue
      }
      const next = kindOf(parcel.content)
      if (batch.length >= size || bytes + parcel.bytes! > maxBytes || next !== kind || next === "alone") ship()
      kind = next
      batch.push(parcel)
      bytes += parcel.bytes!
    }
    ship()
    this.#prune(lane)
  }

  #publish(link: Link, lane: Lane, parcels: ReadonlyArray<Parcel>): void {
    lane.inFlight++
    let unsettled = parcels
    link.publish(outgoing(lane.destination, parcels), (failure) => {
      const settled = unsettled
      unsettled = [] // whoever keeps this function a little longer must not keep them (numbered.ts, N1)
      lane.inFlight--
      this.#settle(lane, settled, failure)
      this.#prune(lane)
    })
  }

  #settle(lane: Lane, parcels: ReadonlyArray<Parcel>, failure: PublishFailure | undefined): void {
    switch (failure?._tag) {
      case "LinkLost":
      case "ConfirmTimedOut":
        return this.#putBack(lane, parcels)
      case "Nacked":
        if (lane.destination.onNack === "fail") break
        setTimeout(() => this.#putBack(lane, parcels), nackDelay)
        return
    }
    for (const parcel of parcels) {
      this.#release(parcel)
      parcel.settled(failure)
    }
  }

  #putBack(from: Lane, parcels: ReadonlyArray<Parcel>): void {
    const lane = this.current(from)
    lane.waiting.push(...parcels)
    lane.disordered = true
    if (this.#link !== undefined) this.#mark(lane)
  }

  #release(parcel: Parcel): void {
    this.#items--
    this.#bytes -= parcel.bytes!
    if (this.#items > 0) return
    const idle = this.#idle
    this.#idle = []
    for (const call of idle) call()
  }

  /** Of the lanes that are idle, those used longest ago are forgotten. */
  #prune(lane: Lane): void {
    if (!lane.idle) return
    this.#lanes.delete(lane.key)
    this.#lanes.set(lane.key, lane) // now the youngest
    if (this.#lanes.size <= maxLanes) return
    for (const other of this.#lanes.values()) {
      if (!other.idle) continue
      other.forgotten = true
      this.#lanes.delete(other.key)
      return
    }
  }
}

/** How it is written: the same for all items of a batch. */
type Kind = "json" | "msgpack" | "alone"
const kindOf = (content: Content): Kind =>
  typeof content === "string" ? "json" : content instanceof PlainCopy ? "msgpack" : "alone"

const bytesOf = (content: Content): number => {
  if (typeof content === "string") return Buffer.byteLength(content)
  return content instanceof PlainCopy ? content.bytes : content.body.byteLength
}

const outgoing = (to: Destination, parcels: ReadonlyArray<Parcel>): Outgoing => {
  const { exchange, routingKey, mandatory } = to
  const contents = parcels.map(({ content }) => content)
  const [first] = contents
  const packed = first instanceof PlainCopy
  if (typeof first === "object" && !packed) return { ...first, exchange, routingKey, mandatory }
  const batch = packed
    ? encodePackedBatch(headOf(to), contents as ReadonlyArray<PlainCopy>)
    : encodeBatch(headOf(to), contents as ReadonlyArray<string>)
  // One spread, and that at the beginning: the engine then clones, which is several times as fast.
  return { ...batch, exchange, routingKey, mandatory, persistent: parcels.some(({ persistent }) => persistent) }
}

const headOf = ({ node, replyTo }: Destination): BatchHead =>
  replyTo === undefined ? { node, messageId: messageId() } : { node, messageId: messageId(), replyTo: replyTo.name }
