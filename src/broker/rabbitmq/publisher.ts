// The publishing side of a link: confirmed publishes on one channel at a time.
//
// P1. Every publish settles exactly once: confirmed, returned, nacked, timed out, or failed with the link (port B2).
// P2. A mandatory message that was returned is confirmed too; the broker sends the return first, and it is heard first
//     (internals.ts, I3).
// P3. A nack changes the channel: on RabbitMQ 3.10 a channel that was opened during a fail-over may nack for ever. What is
//     in flight settles on the old channel, which is closed after that.
// P4. Order is kept over a change of channels: nothing is sent on the new one before the old one has settled, or
//     `longestHandover` has passed.
// P5. When the broker closes the channel because of one message, only its like fail as such. Those sent after it were
//     never looked at and are sent again; those before it may be stored or not: `ConfirmTimedOut` with a reason.
// P6. While the connection is blocked, publishes are taken and held, and the confirm clock stands still: a time-out would
//     make the caller repeat what still lies here. Bounding what it gives us is the caller's business (`blocked()`).
// P7. One coarse sweep looks for late confirms; there is no timer per message.

import type { Channel } from "rabbitmq-client"
import type { Outgoing } from "../broker.ts"
import { ConfirmTimedOut, type LinkLost, Nacked, type PublishFailure, Refused, Unroutable } from "../errors.ts"
import { checkOutgoing, type Limits } from "../limits.ts"
import type { Connection } from "./connection.ts"
import { finish, type Lane, openLane, type Pending, toPublish } from "./lane.ts"
import { blame, isBystander, isNack, said } from "./refusal.ts"

/** ms. A queue without a quorum may hold its confirms back for long; the others shall not wait for it. */
const longestHandover = 500
/** ms between two changes of channel while nacks go on: doubled each time, as a full queue nacks by right. */
const firstGap = 100
const longestGap = 10_000

/** What it needs of a connection. */
export type PublishingConnection = Pick<Connection, "channel" | "confirming">

export interface PublisherOptions {
  readonly linkId: string
  readonly limits: Limits
  /** ms. */
  readonly confirmTimeout: number
  /** The link is of no use any more. */
  readonly sick: (why: string) => void
}

export class Publisher {
  readonly #connection: PublishingConnection
  readonly #options: PublisherOptions
  readonly #sweep: NodeJS.Timeout
  #lane: Lane | undefined
  readonly #retired = new Set<Lane>()
  #held: Array<Pending> = []
  #opening = false
  #changeTimer: NodeJS.Timeout | undefined
  #gap = firstGap
  #changedAt = Number.NEGATIVE_INFINITY
  #nextId = 0
  #lost: LinkLost | undefined
  #blockedSince: number | undefined
  #blockedTotal = 0
  #whenIdle: (() => void) | undefined

  constructor(connection: PublishingConnection, options: PublisherOptions) {
    this.#connection = connection
    this.#options = options
    this.#sweep = setInterval(() => this.#expire(), Math.max(20, Math.min(1000, options.confirmTimeout / 5)))
  }

  /** Opens the first channel. */
  async start(): Promise<void> {
    this.#lane = await this.#open()
  }

  publish(message: Outgoing, settled: (failure: PublishFailure | undefined) => void): void {
    const problem = this.#lost ?? checkOutgoing(message, this.#options.limits)
    if (problem !== undefined) {
      setImmediate(settled, problem) // port B4: never from inside the call
      return
    }
    const messageId =
      message.messageId ?? (message.mandatory === true ? `${this.#options.linkId}-${this.#nextId++}` : undefined)
    const pending: Pending = { message, messageId, settled, at: this.#now(), returned: false, done: false }
    if (this.#lane === undefined) this.#held.push(pending)
    else this.#send(this.#lane, pending)
  }

  /** Called at `connection.blocked` and `connection.unblocked`. */
  blocked(now: boolean): void {
    if (now) this.#blockedSince ??= performance.now()
    else if (this.#blockedSince !== undefined) {
      this.#blockedTotal += performance.now() - this.#blockedSince
      this.#blockedSince = undefined
    }
  }

  /** Settles everything with `failure`, in the order of publishing, and takes no more. */
  lose(failure: LinkLost): void {
    if (this.#lost !== undefined) return
    this.#lost = failure
    clearInterval(this.#sweep)
    clearTimeout(this.#changeTimer)
    const held = this.#held
    this.#held = []
    for (const lane of this.#lanes()) for (const pending of lane.inFlight) this.#settle(lane, pending, failure)
    for (const pending of held) finish(pending, failure)
    this.#whenIdle?.()
  }

  /** Resolves when nothing is in flight. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenIdle = () => {
        if (this.#held.length === 0 && this.#lanes().every((lane) => lane.inFlight.size === 0)) resolve()
      }
      this.#whenIdle()
    })
  }

  /** What is to be closed with the connection. */
  get channels(): ReadonlyArray<Channel> {
    return this.#lanes().map((lane) => lane.channel)
  }

  #lanes(): ReadonlyArray<Lane> {
    return this.#lane === undefined ? [...this.#retired] : [...this.#retired, this.#lane]
  }

  async #open(): Promise<Lane> {
    let lane: Lane | undefined
    const channel = await this.#connection.channel((error) => {
      if (lane !== undefined) this.#laneDied(lane, error)
    })
    lane = openLane(channel, await this.#connection.confirming(channel))
    return lane
  }

  #send(lane: Lane, pending: Pending): void {
    lane.inFlight.add(pending)
    const { body } = pending.message
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    try {
      lane.publish(toPublish(pending), bytes, (error) => {
        if (error === undefined) this.#confirmed(lane, pending)
        else this.#failed(lane, pending, error)
      })
    } catch (error) {
      const next = "Nothing was sent: send less, or other headers."
      const failure = new Refused({ what: "encode a message", why: said(error), next })
      setImmediate(() => this.#settle(lane, pending, failure)) // port B4
    }
  }

  #confirmed(lane: Lane, pending: Pending): void {
    if (pending.done) return
    const { exchange, routingKey } = pending.message
    this.#settle(lane, pending, pending.returned ? new Unroutable({ exchange, routingKey }) : undefined) // P2
  }

  #failed(lane: Lane, pending: Pending, error: unknown): void {
    if (!isNack(error)) {
      // The channel is dead, or dying: `#laneDied` settles. The one that the library blames carries the reason.
      if (lane.error === undefined || !isBystander(error)) lane.error = error
      return
    }
    if (pending.done) return
    const { exchange, routingKey } = pending.message
    this.#settle(lane, pending, new Nacked({ exchange, routingKey }))
    if (lane === this.#lane) this.#change()
  }

  #settle(lane: Lane, pending: Pending, failure: PublishFailure | undefined): void {
    if (pending.done) return
    lane.inFlight.delete(pending)
    finish(pending, failure)
    if (lane.inFlight.size === 0) {
      lane.whenEmpty?.()
      this.#whenIdle?.()
    }
  }

  /** P3: soon, and not too often. */
  #change(): void {
    if (this.#opening || this.#changeTimer !== undefined || this.#lost !== undefined) return
    const since = performance.now() - this.#changedAt
    this.#gap = since > 2 * this.#gap + 1000 ? firstGap : Math.min(longestGap, this.#gap * 2)
    this.#changeTimer = setTimeout(
      () => {
        this.#changeTimer = undefined
        this.#reopen()
      },
      Math.max(0, this.#gap - since),
    )
  }

  #reopen(): void {
    if (this.#opening || this.#lost !== undefined) return
    this.#opening = true
    this.#open()
      .then((fresh) => this.#handOver(fresh))
      .catch((error: unknown) => this.#options.sick(`no new publishing channel: ${said(error)}`))
      .finally(() => {
        this.#opening = false
        if (this.#lane === undefined) this.#reopen() // it died in between
      })
  }

  /** P4. */
  async #handOver(fresh: Lane): Promise<void> {
    const old = this.#lane
    this.#lane = undefined
    if (old !== undefined) {
      this.#retired.add(old)
      await this.#emptied(old)
    }
    if (this.#lost !== undefined || !fresh.channel.active) return
    this.#changedAt = performance.now()
    this.#lane = fresh
    const held = this.#held
    this.#held = []
    for (const pending of held) if (!pending.done) this.#send(fresh, pending)
  }

  /** Resolves when the lane has settled or has taken too long; closes it when it has settled at last. */
  #emptied(lane: Lane): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, longestHandover)
      lane.whenEmpty = () => {
        clearTimeout(timer)
        this.#retired.delete(lane)
        if (this.#lost === undefined) void lane.channel.close()
        resolve()
      }
      if (lane.inFlight.size === 0) lane.whenEmpty()
    })
  }

  #laneDied(lane: Lane, error: unknown): void {
    const wasCurrent = this.#lane === lane
    if (wasCurrent) {
      this.#lane = undefined // what comes now is held
      this.#retired.add(lane)
    }
    // In this turn the library rejects what was in flight, and says whether the whole connection is lost.
    setImmediate(() => {
      this.#retired.delete(lane)
      if (this.#lost !== undefined) return
      this.#sortOut(lane, error ?? lane.error)
      if (wasCurrent) this.#reopen()
    })
  }

  /** P5. */
  #sortOut(lane: Lane, error: unknown): void {
    const verdict = blame(error)
    const inFlight = [...lane.inFlight]
    const isMeant = ({ message }: Pending): boolean =>
      verdict?.meant({ exchange: message.exchange, bytes: message.body.byteLength }) === true
    const culprit = inFlight.findIndex(isMeant)
    const again: Array<Pending> = []
    inFlight.forEach((pending, index) => {
      const { exchange, routingKey } = pending.message
      if (verdict !== undefined && isMeant(pending)) {
        const { failure } = verdict
        this.#settle(lane, pending, failure === "unroutable" ? new Unroutable({ exchange, routingKey }) : failure)
      } else if (culprit >= 0 && index > culprit) {
        lane.inFlight.delete(pending)
        again.push(pending)
      } else {
        const after = Math.round(this.#now() - pending.at)
        this.#settle(lane, pending, new ConfirmTimedOut({ after, why: said(error) }))
      }
    })
    this.#held.unshift(...again)
    lane.whenEmpty?.()
  }

  /** P7. */
  #expire(): void {
    const { confirmTimeout } = this.#options
    const latest = this.#now() - confirmTimeout
    const failure = () => new ConfirmTimedOut({ after: confirmTimeout })
    for (const lane of this.#lanes()) {
      for (const pending of lane.inFlight) {
        if (pending.at > latest) break
        this.#settle(lane, pending, failure())
      }
    }
    while (this.#held.length > 0 && this.#held[0]!.at <= latest) finish(this.#held.shift()!, failure())
  }

  /** ms, without the time spent blocked (P6). */
  #now(): number {
    const now = performance.now()
    return now - this.#blockedTotal - (this.#blockedSince === undefined ? 0 : now - this.#blockedSince)
  }
}
