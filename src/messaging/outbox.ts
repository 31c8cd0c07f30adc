// What leaves this node: one lane per destination, and one flush per event-loop turn for all of them.
//
// O1. The first push of a turn schedules one `setImmediate`; whatever else is pushed in that turn travels with it.
//     (A microtask or nextTick would cut the batches to pieces between two deliveries; a timer would add latency.)
// O2. A lane keeps the order of its parcels, also when a lost link makes it send them again on the next one.
// O3. Every parcel is settled exactly once: undefined when the broker has taken it, else why not.
// O4. What is unsettled is bounded in items and in bytes; a push past that is refused, not kept. What is owed (answers,
//     dead letters) is always taken: the mail in hand bounds it, and that is bounded by the prefetch.

import { v7 as uuid } from "uuid"
import type { Link, Outgoing } from "../broker/broker.ts"
import type { Nacked, Oversized, PublishFailure, Refused, Unroutable } from "../broker/errors.ts"
import { encodeBatch } from "../wire/batch.ts"

export interface Limits {
  /** Parcels that may be unsettled at once. Default 100,000. */
  readonly items: number
  /** Their size in bytes. Default 64 MiB. */
  readonly bytes: number
}
export const defaultLimits: Limits = { items: 100_000, bytes: 64 * 1024 * 1024 }

/** Caps of one batch: items, and bytes well below the frame size of 128 KiB, so that nobody waits long behind it. */
const maxItems = 512
const maxBytes = 96 * 1024
/** ms of work that one batch should hold at most, and the items sent while the work of one is not known. */
const maxWork = 5
const unknownItems = 64
/** Destinations that are remembered while nothing is on its way to them. */
const maxLanes = 10_000
/** ms before a nacked parcel that must not get lost is offered again. */
const nackDelay = 100

export interface Destination {
  readonly exchange: string
  readonly routingKey: string
  readonly mandatory: boolean
  /** The node that the items of a batch name as their origin, and its inbox. */
  readonly node: string
  readonly replyTo?: string
  /** Whether several consumers may share it: then no batch holds more work than a moment's. */
  readonly spread: boolean
  /** What a nack means: the queue is full (`fail`), or wait for the broker to recover (`retry`). */
  readonly onNack: "fail" | "retry"
}

/** A whole AMQP message, for peers that do not speak batches and for dead letters. */
export type Ready = Omit<Outgoing, "exchange" | "routingKey" | "mandatory">

export type Refusal = Unroutable | Nacked | Oversized | Refused

export interface Parcel {
  /** The text of one item, or a message of its own. */
  readonly content: string | Ready
  readonly persistent: boolean
  /** Called once. A lost link is not an end: the parcel is sent again. */
  readonly settled: (failure: Refusal | undefined) => void
  /** Taken even when the outbox is full. Default false. */
  readonly owed?: boolean
  /** Asked before each attempt to send it; false drops it silently, without `settled`. Default: always wanted. */
  readonly wanted?: () => boolean
}

interface Waiting extends Parcel {
  readonly order: number
  readonly bytes: number
}

interface Lane {
  readonly destination: Destination
  waiting: Array<Waiting>
  /** Something was put back and has to go to its old place. */
  disordered: boolean
  dirty: boolean
  inFlight: number
  /** Average ms that one item takes at the far end; 0 = not known. */
  service: number
}

const isIdle = (lane: Lane): boolean => lane.waiting.length === 0 && lane.inFlight === 0

const keyOf = (to: Destination): string => `${to.exchange}\n${to.routingKey}\n${to.node}`

/** How many items one batch may carry, given how long the receiver takes for one. */
export const batchSize = (service: number): number =>
  service === 0 ? unknownItems : Math.max(1, Math.min(maxItems, Math.floor(maxWork / service)))

export class Outbox {
  readonly #limits: Limits
  readonly #lanes = new Map<string, Lane>()
  #dirty: Array<Lane> = []
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

  /** The link to send on from now on; undefined holds everything back. */
  use(link: Link | undefined): void {
    this.#link = link
    if (link === undefined) return
    for (const lane of this.#lanes.values()) if (lane.waiting.length > 0) this.#mark(lane)
  }

  /** Whether there was room for it. */
  push(to: Destination, parcel: Parcel): boolean {
    const { content } = parcel
    const bytes = typeof content === "string" ? Buffer.byteLength(content) : content.body.byteLength
    const full = this.#items >= this.#limits.items || this.#bytes + bytes > this.#limits.bytes
    if (full && parcel.owed !== true) return false
    this.#items++
    this.#bytes += bytes
    const lane = this.#lane(to)
    lane.waiting.push(Object.assign(parcel as Waiting, { order: this.#order++, bytes }))
    if (this.#link !== undefined) this.#mark(lane)
    return true
  }

  /** How long one item took at the far end, in ms: sizes the batches of this lane. */
  observe(to: Destination, service: number): void {
    const lane = this.#lane(to) // it may have been forgotten since the confirm
    const floor = Math.max(service, 0.001)
    lane.service = lane.service === 0 ? floor : lane.service * 0.9 + floor * 0.1
  }

  /** Calls back when nothing is unsettled. */
  whenIdle(idle: () => void): void {
    if (this.#items === 0) idle()
    else this.#idle.push(idle)
  }

  #lane(to: Destination): Lane {
    const key = keyOf(to)
    let lane = this.#lanes.get(key)
    if (lane === undefined) {
      lane = { destination: to, waiting: [], disordered: false, dirty: false, inFlight: 0, service: 0 }
      this.#lanes.set(key, lane)
    }
    return lane
  }

  #mark(lane: Lane): void {
    if (!lane.dirty) {
      lane.dirty = true
      this.#dirty.push(lane)
    }
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#flush())
  }

  #flush(): void {
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
    if (lane.disordered) all.sort((a, b) => a.order - b.order) // O2
    lane.disordered = false
    const size = lane.destination.spread ? batchSize(lane.service) : maxItems
    let batch: Array<Waiting> = []
    let bytes = 0
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
      if (typeof parcel.content !== "string") {
        ship()
        this.#publish(link, lane, [parcel])
        continue
      }
      if (batch.length >= size || (batch.length > 0 && bytes + parcel.bytes > maxBytes)) ship()
      batch.push(parcel)
      bytes += parcel.bytes
    }
    ship()
    this.#prune(lane)
  }

  #publish(link: Link, lane: Lane, parcels: ReadonlyArray<Waiting>): void {
    lane.inFlight++
    link.publish(outgoing(lane.destination, parcels), (failure) => {
      lane.inFlight--
      this.#settle(lane, parcels, failure)
      this.#prune(lane)
    })
  }

  #settle(lane: Lane, parcels: ReadonlyArray<Waiting>, failure: PublishFailure | undefined): void {
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

  #putBack(lane: Lane, parcels: ReadonlyArray<Waiting>): void {
    this.#lanes.set(keyOf(lane.destination), lane)
    lane.waiting.push(...parcels)
    lane.disordered = true
    if (this.#link !== undefined) this.#mark(lane)
  }

  #release(parcel: Waiting): void {
    this.#items--
    this.#bytes -= parcel.bytes
    if (this.#items > 0) return
    const idle = this.#idle
    this.#idle = []
    for (const call of idle) call()
  }

  /** Forgets a lane that is empty, unless something has been learnt of it; and of those the ones used longest ago. */
  #prune(lane: Lane): void {
    if (!isIdle(lane)) return
    const key = keyOf(lane.destination)
    this.#lanes.delete(key)
    if (lane.service === 0) return
    this.#lanes.set(key, lane)
    if (this.#lanes.size <= maxLanes) return
    for (const [oldest, other] of this.#lanes) {
      if (!isIdle(other)) continue
      this.#lanes.delete(oldest)
      return
    }
  }
}

const outgoing = (to: Destination, parcels: ReadonlyArray<Waiting>): Outgoing => {
  const address = { exchange: to.exchange, routingKey: to.routingKey, mandatory: to.mandatory }
  const [first] = parcels
  if (first !== undefined && typeof first.content !== "string") return { ...first.content, ...address }
  const head = { node: to.node, messageId: uuid(), ...(to.replyTo === undefined ? {} : { replyTo: to.replyTo }) }
  return {
    ...encodeBatch(
      head,
      parcels.map((parcel) => parcel.content as string),
    ),
    ...address,
    persistent: parcels.some((parcel) => parcel.persistent),
  }
}
