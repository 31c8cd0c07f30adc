// The node's connection: it keeps one link to the broker alive, and tells those who use it when it comes and goes.
//
// K1. First the foundations are brought up, in order; then the users, side by side; then whatever sends. So nothing is
//     sent to an actor of this node before its mailbox is there again.
// K2. Users are told of a loss before anybody tries to open the next link.
// K3. A user that was up once and that the broker then refuses (clashing arguments) is fatal: the failure goes up and stops
//     the tree. Refused while it joins, it is the joiner that fails.

import { Cause, Deferred, Effect, Exit, type Scope } from "effect"
import type { Broker, Link } from "../broker/broker.ts"
import { type BrokerError, Refused } from "../broker/errors.ts"
import { connectionChart } from "../charts/connection.ts"
import { Lifecycle } from "../charts/lifecycle.ts"

export interface LinkUser {
  /** Declares, binds, consumes on a new link. */
  readonly up: (link: Link) => Effect.Effect<void, BrokerError>
  /** The link is gone; nothing that was made on it exists any more. */
  readonly down: () => void
  /**
   * The node has another inbox on the same link, to which nothing is bound yet: what was sent to the last one may be lost.
   * With a new link there is but `up`.
   */
  readonly moved?: (link: Link) => Effect.Effect<void, BrokerError>
}

/** How many users are brought up side by side: each costs a few round trips. */
const sideBySide = 16

export class Connection {
  readonly life = new Lifecycle(connectionChart)
  readonly name: string
  readonly #connect: Broker["Service"]["connect"]
  readonly #foundations: ReadonlyArray<LinkUser>
  readonly #senders: ReadonlyArray<LinkUser>
  readonly #users = new Set<LinkUser>()
  /** Users that have not been up yet, and wait for it. */
  readonly #joining = new Map<LinkUser, Deferred.Deferred<never, BrokerError>>()
  #link: Link | undefined
  /** Users that have been brought up on this link. */
  #introduced = new Set<LinkUser>()

  constructor(broker: Broker["Service"], foundations: ReadonlyArray<LinkUser>, senders: ReadonlyArray<LinkUser>) {
    this.#foundations = foundations
    this.#senders = senders
    this.name = broker.name
    this.#connect = broker.connect
  }

  get link(): Link | undefined {
    return this.#link
  }

  /** Why nothing can be sent now, or undefined. */
  get trouble(): string | undefined {
    if (this.life.has("flowing")) return undefined
    const { why } = this.life.context
    return this.life.has("up") ? `the broker blocks publishers: ${why}` : (why ?? `not connected to ${this.name} yet`)
  }

  /**
   * Brings the user up on this link, now or once there is one, and on every later link, until the scope closes. If the
   * broker refuses it, that is the joiner's failure, and nobody else's.
   */
  join(user: LinkUser): Effect.Effect<void, BrokerError, Scope.Scope> {
    const forget = Effect.sync(() => {
      this.#users.delete(user)
      this.#introduced.delete(user)
    })
    const up = Effect.suspend((): Effect.Effect<void, BrokerError> => {
      this.#users.add(user)
      const link = this.#link
      if (link === undefined || !this.life.has("up")) return this.#wait(user)
      this.#introduced.add(user)
      return user.up(link).pipe(Effect.catchTag("LinkLost", () => this.#wait(user)))
    })
    return Effect.andThen(
      Effect.addFinalizer(() => forget),
      up,
    )
  }

  /** Tells the users that the node has another inbox. */
  moved(link: Link): Effect.Effect<void, BrokerError> {
    const tell = (user: LinkUser) => user.moved?.(link) ?? Effect.void
    return Effect.forEach([...this.#users], tell, { concurrency: sideBySide, discard: true })
  }

  /** Until `run` has brought it up with the others. */
  #wait(user: LinkUser): Effect.Effect<void, BrokerError> {
    const refused = Deferred.makeUnsafe<never, BrokerError>()
    this.#joining.set(user, refused)
    return Effect.ensuring(
      Effect.raceFirst(this.life.until("up"), Deferred.await(refused)),
      Effect.sync(() => this.#joining.delete(user)),
    )
  }

  /** One link, from opening to its end. Fails with why it ended; the supervisor above starts the next. */
  readonly run: Effect.Effect<never, BrokerError> = Effect.suspend(() => {
    this.life.send({ type: "open" })
    return Effect.scoped(
      Effect.gen({ self: this }, function* () {
        const link = yield* this.#connect
        yield* Effect.raceFirst(this.#arrive(link), link.lost)
        return yield* link.lost
      }),
    ).pipe(Effect.onExit((exit) => Effect.sync(() => this.#leave(exit))))
  })

  #arrive(link: Link): Effect.Effect<void, BrokerError> {
    return Effect.gen({ self: this }, function* () {
      this.#link = link
      for (const user of this.#foundations) yield* user.up(link)
      // Users may join while others come up: go on until nobody is left (K1).
      for (let next = this.#newcomers(); next.length > 0; next = this.#newcomers()) {
        yield* Effect.forEach(next, (user) => this.#introduce(user, link), { concurrency: sideBySide, discard: true })
      }
      for (const sender of this.#senders) yield* sender.up(link)
      link.onBlocked((why) => this.life.send(why === undefined ? { type: "unblocked" } : { type: "blocked", why }))
      this.life.send({ type: "opened" })
      const why = link.blocked()
      if (why !== undefined) this.life.send({ type: "blocked", why })
    })
  }

  #introduce(user: LinkUser, link: Link): Effect.Effect<void, BrokerError> {
    return Effect.catch(user.up(link), (error) => {
      const joiner = this.#joining.get(user)
      if (joiner === undefined || error._tag === "LinkLost") return Effect.fail(error)
      this.#users.delete(user)
      Deferred.doneUnsafe(joiner, Effect.fail(error))
      return Effect.void
    })
  }

  #newcomers(): ReadonlyArray<LinkUser> {
    const newcomers = [...this.#users].filter((user) => !this.#introduced.has(user))
    for (const user of newcomers) this.#introduced.add(user)
    return newcomers
  }

  #leave(exit: Exit.Exit<never, BrokerError>): void {
    this.#link = undefined
    this.#introduced = new Set()
    for (const user of [...this.#senders, ...this.#users, ...this.#foundations]) user.down()
    const failure = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    const why = failure instanceof Error ? failure.message : String(failure)
    if (Exit.hasInterrupts(exit)) this.life.send({ type: "close" })
    else this.life.send(failure instanceof Refused ? { type: "refused", why } : { type: "lost", why })
  }
}
