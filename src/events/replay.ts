// Reads a stream of retained events for one subscriber: from where it says, or from where it stopped the last time.
//
// R1. It goes on where it was over the loss of a link: nothing is missing, and nothing comes twice, as long as this process
//     and the stream live. It begins with the last message that is known, which has to be there: otherwise somebody has
//     deleted the stream, and there is another one, which is read from its first.
// R2. What is not wanted, or older than retention says, is passed over.
// R3. What waits here is bounded by the prefetch: the rest waits in the stream.

import { Effect } from "effect"
import { type Consumer, type Delivery, type Link, offsetHeader, type StreamStart } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import type { LinkUser } from "../messaging/connection.ts"
import type { Entry } from "../messaging/deadlines.ts"
import type { Node } from "../messaging/node.ts"
import { untilUp } from "../messaging/until-up.ts"
import { readEventKey } from "../wire/event-key.ts"
import type { EventItem } from "../wire/item.ts"
import { Arrival } from "./arrival.ts"
import { orLater } from "./later.ts"
import { LocalTap } from "./local-tap.ts"
import { openEvents } from "./opening.ts"
import type { Place, Position } from "./position.ts"
import { declareStream, type Stream } from "./retention.ts"
import { headerMatcher, keyMatcher, type Wanted } from "./wanted.ts"

const prefetch = 256
/** ms by which the clocks of hosts may differ, when a time is looked for. */
const clockSlack = 60_000
/** Seconds. A stream has no older beginning. */
const longAgo = 10 * 365 * 86_400
/** ms before a stream that went away is looked for again. */
const again = 200
/** ms in which the last message that is known has to come. */
const proofWithin = 5_000

/** One message of the stream, and how many of its events are not done. */
interface Open {
  readonly delivery: Delivery
  left: number
}

export class Replay implements LinkUser {
  readonly tap: LocalTap
  readonly #node: Node
  readonly #name: string
  readonly #stream: Stream
  readonly #position: Position | undefined
  readonly #wants: (item: EventItem) => boolean
  /** Where to begin, until something has come. */
  #from: StreamStart
  #found = false
  /** The newest message that has come, or that is known to have. */
  #known: Place | undefined
  /** The last one that is known is to come again (R1). */
  #proof: Entry | undefined
  /** The ids of those that have come, from the oldest that is not done. */
  readonly #ids = new Map<number, string | undefined>()
  readonly #open = new Map<number, Open>()
  #link: Link | undefined
  /** Of the consumer that counts. */
  #session: object | undefined
  #consumer: Consumer | undefined
  #left = false

  /** @param name for people. */
  constructor(
    node: Node,
    name: string,
    wanted: Wanted,
    stream: Stream,
    position: Position | undefined,
    maxDeliveries: number,
  ) {
    const { from = position === undefined ? "next" : "first" } = wanted.options
    this.#node = node
    this.#name = name
    this.#stream = stream
    this.#position = position
    this.#from = from instanceof Date ? since(from, node.now()) : from
    this.#wants = filter(wanted, from instanceof Date ? from.getTime() : Number.NEGATIVE_INFINITY)
    this.tap = new LocalTap(node, {
      name,
      bounds: { items: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }, // R3
      failWhenFull: false,
      portion: wanted.portion,
      maxDeliveries,
      settled: (events) => this.#settled(events),
    })
  }

  up(link: Link): Effect.Effect<void, BrokerError> {
    return orLater(this.#node, link, this.#begin(link))
  }

  #begin(link: Link): Effect.Effect<void, BrokerError> {
    return Effect.gen({ self: this }, function* () {
      yield* declareStream(link, this.#node.names, this.#stream)
      if (!this.#found && this.#position !== undefined) this.#known = yield* this.#position.find(link)
      this.#found = true
      this.#link = link
      const from = this.#known?.offset ?? this.#from
      this.#proof?.cancel()
      this.#proof = this.#known && this.#node.deadlines.add(this.#node.now() + proofWithin, () => this.#restart())
      const session = {}
      this.#session = session
      const isOver = () => this.#session !== session
      const listener = {
        delivery: (delivery: Delivery) => (isOver() ? delivery.ack() : this.#receive(delivery)),
        cancelled: (why: string) => (isOver() ? undefined : this.#cancelled(link, why)),
      }
      const consumer = yield* link.consume(this.#stream.queue.name, { prefetch, from }, listener)
      if (isOver()) yield* Effect.ignore(consumer.cancel)
      else this.#consumer = consumer
    })
  }

  down(): void {
    if (this.#known === undefined && this.#from === "next") this.tap.lose() // nobody knows where it would have gone on
    this.#link = this.#end()
  }

  /** What comes of what was begun counts for nothing. */
  #end(): undefined {
    this.#session = this.#consumer = undefined
    this.#proof?.cancel()
  }

  /** Nothing more is read. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    const consumer = this.#consumer
    this.#left = true
    this.#end()
    this.tap.end()
    return consumer === undefined ? Effect.void : Effect.ignore(consumer.cancel)
  })

  #cancelled(link: Link, why: string): void {
    this.#end()
    this.#node.log("Warn", `${this.#name}: the broker ended the reading of ${this.#stream.queue.name} (${why})`)
    this.#node.run(this.#upAgain(link))
  }

  #upAgain(link: Link): Effect.Effect<void> {
    const begin = Effect.suspend(() => this.#begin(link))
    return untilUp(begin, () => !this.#left && this.#link === link, again)
  }

  /** R1: it is another stream. */
  #restart(): void {
    const link = this.#link
    const cancel = this.#consumer?.cancel ?? Effect.void
    this.#node.log(
      "Warn",
      `${this.#name}: ${this.#stream.queue.name} is another one than before, and is read from its first`,
    )
    this.#end()
    this.#known = undefined
    this.#from = "first"
    this.#ids.clear()
    this.#open.clear()
    this.tap.lose()
    if (link !== undefined) this.#node.run(Effect.andThen(Effect.ignore(cancel), this.#upAgain(link)))
  }

  /** Whether a message is news. The first may be the one that is known. */
  #proves({ offset, id }: Place): boolean {
    const known = this.#known
    const proof = this.#proof
    this.#proof = undefined
    if (known === undefined || proof === undefined) return known === undefined || offset > known.offset
    proof.cancel()
    if (offset > known.offset) return true // retention has taken the other
    if (offset < known.offset || id !== known.id) this.#restart()
    return false
  }

  // Events

  #receive(delivery: Delivery): void {
    const { message } = delivery
    const offset = message.headers[offsetHeader]
    const place = { offset: typeof offset === "number" ? offset : -1, id: message.messageId }
    if (!this.#proves(place)) return delivery.ack()
    this.#known = place
    this.#ids.set(place.offset, place.id)
    this.#take(delivery, place)
  }

  #take(delivery: Delivery, { offset }: Place): void {
    const { message } = delivery
    const { items, unreadable } = openEvents(message)
    for (const { why } of unreadable) this.#node.log("Warn", `${this.#name}: event ${offset} was left out: ${why}`)
    const now = this.#node.now()
    const wanted = items.filter((item) => this.#wants(item) && !this.#isOver(item, now))
    if (wanted.length === 0) {
      delivery.ack()
      return this.#advance()
    }
    this.#open.set(offset, { delivery, left: wanted.length })
    const bytes = Math.ceil(message.body.byteLength / items.length)
    for (const item of wanted) this.tap.offer(new Arrival(item, readEventKey(item.to ?? "")!, bytes, now, offset))
  }

  /** R2. */
  #isOver({ at }: EventItem, now: number): boolean {
    const { age } = this.#stream
    return age !== undefined && at !== undefined && now - at > age
  }

  #settled(events: ReadonlyArray<Arrival>): void {
    for (const { offset = -1 } of events) {
      const open = this.#open.get(offset)
      if (open === undefined || --open.left > 0) continue
      this.#open.delete(offset)
      open.delivery.ack()
    }
    this.#advance()
  }

  #advance(): void {
    const [oldest = Number.POSITIVE_INFINITY] = this.#open.keys()
    let done: Place | undefined
    for (const [offset, id] of this.#ids) {
      if (offset >= oldest) break
      this.#ids.delete(offset)
      done = { offset, id }
    }
    if (done !== undefined) this.#position?.reach(done)
  }
}

const since = (date: Date, now: number): StreamStart => {
  const seconds = Math.ceil((now - date.getTime() + clockSlack) / 1000)
  return seconds > longAgo ? "first" : { seconds: Math.max(1, seconds) }
}

const filter = (wanted: Wanted, from: number): ((item: EventItem) => boolean) => {
  const keyed = keyMatcher(wanted)
  const headed = headerMatcher(wanted.options)
  return ({ to = "", headers = {}, at = from }) => at >= from && keyed(to) && headed?.(headers) !== false
}
