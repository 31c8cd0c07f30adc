// The channel on which a member of a `single` clique waits for the token, and holds it.
//
// R1. It is the member's own, and nothing that can fail is done on it. Closing it is the one way to let go of the token.
// R2. Opening is one loop, and goes on with the next link. `lost` is told only of a channel that was open, and once.
// R3. A token may come before the broker has confirmed the consumer: it waits until `opened` has been told.

import { Effect } from "effect"
import type { Channel, Delivery, Link, QueueSpec, QueueState } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import type { LinkUser } from "../messaging/connection.ts"
import type { Node } from "../messaging/node.ts"
import { readToken, token } from "./token.ts"

/** What it tells. */
export interface Watcher {
  /** The queue is consumed. @param before its state before the own consumer. */
  readonly opened: (before: QueueState) => void
  readonly token: (tag: number, id: string, value: number) => void
  /** The channel, its consumer or the link is gone, and with it what was held. */
  readonly lost: () => void
  /** The broker will never let us. */
  readonly refused: (error: BrokerError) => void
}

/** Tokens that may be in hand at once: one, but for the moments after a needless seed. */
const prefetch = 10
/** ms between two attempts to open it on a link that is up, give or take a half. */
const openAgain = 200

/** One opening of it. */
interface Session {
  channel: Channel | undefined
  opened: boolean
  /** The broker has ended the consumer before it was open. */
  broken: boolean
  over: boolean
  /** R3. */
  readonly early: Array<Delivery>
  readonly inHand: Map<number, Delivery>
}

export class TokenChannel implements LinkUser {
  readonly #node: Node
  readonly #queue: QueueSpec
  readonly #watcher: Watcher
  #link: Link | undefined
  #session: Session | undefined
  /** It is to be opened as soon as there is a link. */
  #wanted = false
  #tags = 0

  constructor(node: Node, queue: QueueSpec, watcher: Watcher) {
    this.#node = node
    this.#queue = queue
    this.#watcher = watcher
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

  ack(tag: number): void {
    this.#take(tag)?.ack()
  }

  /** Gives the token back, to have it again: what comes is the proof that nobody else has it. */
  nack(tag: number): void {
    this.#take(tag)?.nack({ requeue: true })
  }

  seed(base: number): void {
    this.#link?.publish(token(this.#queue.name, base), (failure) => {
      // The next look for a leader finds that there is none.
      if (failure !== undefined) this.#node.log("Warn", `${this.#queue.name}: no token was sent: ${failure.message}`)
    })
  }

  #take(tag: number): Delivery | undefined {
    const delivery = this.#session?.inHand.get(tag)
    this.#session?.inHand.delete(tag)
    return delivery
  }

  /** R2. */
  #lose(): void {
    const session = this.#session
    if (session === undefined || session.over) return
    session.over = true
    if (session.opened) this.#watcher.lost()
    else this.#wanted = true
  }

  #open(link: Link): Effect.Effect<void, BrokerError> {
    this.#wanted = false
    const session: Session = {
      channel: undefined,
      opened: false,
      broken: false,
      over: false,
      early: [],
      inHand: new Map(),
    }
    this.#session = session
    const listener = {
      delivery: (delivery: Delivery) => this.#receive(session, delivery),
      cancelled: () => this.#cancelled(session),
    }
    const opening = Effect.gen({ self: this }, function* () {
      const channel = yield* link.openChannel
      session.channel = channel
      const before = yield* link.declareQueue(this.#queue)
      yield* channel.consume(this.#queue.name, { prefetch }, listener)
      if (session.over) return yield* closed(session)
      session.opened = true
      this.#watcher.opened(before)
      for (const delivery of session.early.splice(0)) this.#receive(session, delivery)
      if (session.broken) this.#lose()
    })
    return Effect.catch(opening, (error) => this.#openLater(link, session, error))
  }

  #openLater(link: Link, session: Session, error: BrokerError): Effect.Effect<void, BrokerError> {
    const isCurrent = () => this.#session === session
    session.over = true
    if (error._tag === "Refused") {
      this.#watcher.refused(error)
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
    if (!session.opened) return void session.early.push(delivery)
    const read = readToken(delivery.message)
    if (read === undefined) {
      this.#node.log("Warn", `${this.#queue.name}: a message that is no token was thrown away`)
      return delivery.ack()
    }
    const tag = ++this.#tags
    session.inHand.set(tag, delivery)
    this.#watcher.token(tag, read.id, read.value)
  }
}

const closed = ({ channel }: Session): Effect.Effect<void> =>
  channel === undefined ? Effect.void : Effect.ignore(channel.close)
