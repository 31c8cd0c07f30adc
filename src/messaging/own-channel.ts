// One queue, consumed on a channel of one's own that is opened again whenever it is lost.
//
// C1. Nothing else is done on it, so nothing on it can fail but the consumer. Closing it is the way to let go of all that
//     it holds, in one step.
// C2. Opening is one loop, and goes on with the next link. `lost` is told only of a channel that was open, and once.
// C3. A delivery may come before the broker has confirmed the consumer: it waits until `opened` has been told.

import { Effect } from "effect"
import type { Channel, Delivery, Link, QueueSpec, QueueState } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import type { LinkUser } from "./connection.ts"
import type { Node } from "./node.ts"

/** Who has it. */
export interface Holder {
  /** The queue is consumed. @param before its state before the own consumer. */
  readonly opened: (before: QueueState) => void
  readonly delivery: (delivery: Delivery) => void
  /** The channel, its consumer or the link is gone, and with it what was held. */
  readonly lost: () => void
  /** The broker will never let us. */
  readonly refused: (error: BrokerError) => void
}

/** ms between two attempts to open it on a link that is up, give or take a half. */
const openAgain = 200

/** One opening of it. */
interface Session {
  channel: Channel | undefined
  opened: boolean
  /** The broker has ended the consumer before it was open. */
  broken: boolean
  over: boolean
  /** C3. */
  readonly early: Array<Delivery>
}

export class OwnChannel implements LinkUser {
  readonly #node: Node
  readonly #queue: QueueSpec
  readonly #prefetch: number
  readonly #holder: Holder
  #link: Link | undefined
  #session: Session | undefined
  /** It is to be opened as soon as there is a link. */
  #wanted = false

  /** @param prefetch deliveries that may be held at once. */
  constructor(node: Node, queue: QueueSpec, prefetch: number, holder: Holder) {
    this.#node = node
    this.#queue = queue
    this.#prefetch = prefetch
    this.#holder = holder
  }

  get link(): Link | undefined {
    return this.#link
  }

  up(link: Link): Effect.Effect<void, BrokerError> {
    return Effect.suspend(() => {
      this.#link = link
      return this.#wanted ? this.#open(link) : Effect.void
    })
  }

  down(): void {
    this.#link = undefined
    this.#lose()
  }

  open(): void {
    this.#wanted = true
    if (this.#link !== undefined) this.#node.run(Effect.ignore(this.#open(this.#link)))
  }

  /** Lets go of everything that is held. */
  close(): Effect.Effect<void> {
    const session = this.#session
    this.#session = undefined
    this.#wanted = false
    if (session === undefined) return Effect.void
    session.over = true
    return closed(session)
  }

  /** C2. */
  #lose(): void {
    const session = this.#session
    if (session === undefined || session.over) return
    session.over = true
    if (session.opened) this.#holder.lost()
    else this.#wanted = true
  }

  #open(link: Link): Effect.Effect<void, BrokerError> {
    this.#wanted = false
    const session: Session = { channel: undefined, opened: false, broken: false, over: false, early: [] }
    this.#session = session
    const listener = {
      delivery: (delivery: Delivery) => this.#receive(session, delivery),
      cancelled: () => this.#cancelled(session),
    }
    const opening = Effect.gen({ self: this }, function* () {
      const channel = yield* link.openChannel
      session.channel = channel
      const before = yield* link.declareQueue(this.#queue)
      yield* channel.consume(this.#queue.name, { prefetch: this.#prefetch }, listener)
      if (session.over) return yield* closed(session)
      session.opened = true
      this.#holder.opened(before)
      for (const delivery of session.early.splice(0)) this.#receive(session, delivery)
      if (session.broken) this.#lose()
    })
    return Effect.catch(opening, (error) => this.#openLater(link, session, error))
  }

  #openLater(link: Link, session: Session, error: BrokerError): Effect.Effect<void, BrokerError> {
    const isCurrent = () => this.#session === session
    session.over = true
    if (error._tag === "Refused") {
      this.#holder.refused(error)
      return Effect.andThen(closed(session), Effect.fail(error))
    }
    if (!isCurrent()) return closed(session)
    if (this.#link !== link) {
      this.#wanted = true
      return Effect.void
    }
    const again = Effect.suspend(() => (isCurrent() && this.#link === link ? this.#open(link) : Effect.void))
    const pause = Effect.sleep(openAgain * (0.5 + Math.random()))
    return closed(session).pipe(Effect.andThen(pause), Effect.andThen(again))
  }

  /** The queue was deleted, or the channel is dead. */
  #cancelled(session: Session): void {
    if (!session.opened) session.broken = true
    else if (session === this.#session) this.#lose()
  }

  #receive(session: Session, delivery: Delivery): void {
    if (session.over) return
    if (session.opened) this.#holder.delivery(delivery)
    else session.early.push(delivery)
  }
}

const closed = ({ channel }: Session): Effect.Effect<void> =>
  channel === undefined ? Effect.void : Effect.ignore(channel.close)
