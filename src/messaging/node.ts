// One process on the broker: what all its actors and callers share.

import { randomInt } from "node:crypto"
import { type Clock, Effect, type LogLevel } from "effect"
import { v7 as uuid } from "uuid"
import type { Broker } from "../broker/broker.ts"
import { Cancelled } from "../protocol/errors.ts"
import type { Frame } from "../wire/frame.ts"
import type { GoalItem } from "../wire/goal-item.ts"
import type { Names } from "../wire/names.ts"
import { Cancels } from "./cancels.ts"
import { Connection, type LinkUser } from "./connection.ts"
import { Deadlines } from "./deadlines.ts"
import { Feeds } from "./feeds.ts"
import { Inbox } from "./inbox.ts"
import { type Limits, Outbox } from "./outbox.ts"
import { PendingAsks } from "./pending.ts"
import { Post } from "./post.ts"
import { topology } from "./topology.ts"

export interface NodeOptions {
  readonly broker: Broker["Service"]
  readonly names: Names
  readonly clock: Clock.Clock
  readonly outbox: Limits
  /** Runs an effect in the background, with the node's logger. */
  readonly run: (effect: Effect.Effect<void>) => void
}

export class Node {
  /** A UUID v7. */
  readonly id = uuid()
  readonly names: Names
  readonly run: (effect: Effect.Effect<void>) => void
  readonly clock: Clock.Clock
  readonly now: () => number
  readonly deadlines: Deadlines
  readonly connection: Connection
  readonly outbox: Outbox
  readonly pending: PendingAsks
  readonly cancels: Cancels
  readonly post: Post
  /** The queues of the actors that run here. */
  readonly feeds = new Feeds(this)
  /** Until all that the system starts with is there. */
  starting = true
  /** Set while the system shuts down: no new calls from outside. */
  stopping = false
  readonly leaveInbox: Effect.Effect<void>
  /** Called with each frame of a stream. */
  onFrame: (frame: Frame) => void = () => {}
  /** Called when somebody asks who is there. */
  onWho: () => void = () => {}
  /** Called with what another node says of a goal, and the name of that node. */
  onGoal: (item: GoalItem, from: string) => void = () => {}
  /**
   * Calls `gone` once, with the reason, when another node has stopped or has not been heard of for two intervals of presence.
   * The result takes it back. The own node is never gone.
   */
  watchPeer: (node: string, gone: (why: string) => void) => () => void = () => () => {}
  /**
   * Begins anywhere: who can write to an inbox should not be able to guess which ask is open. Below 2^30, because larger
   * numbers are objects for V8, and there is one in every ask.
   */
  #lastId = randomInt(2 ** 30)
  readonly #inbox: Inbox

  constructor(options: NodeOptions) {
    const { clock, names } = options
    this.names = names
    this.#inbox = new Inbox(this)
    this.leaveInbox = this.#inbox.leave
    this.run = options.run
    this.clock = clock
    this.now = () => clock.currentTimeMillisUnsafe()
    this.deadlines = new Deadlines(clock)
    this.outbox = new Outbox(options.outbox)
    this.pending = new PendingAsks(this.deadlines)
    this.cancels = new Cancels(this.deadlines, this.now)
    const origin = { node: this.id, replyTo: this.#inbox }
    this.post = new Post(this.outbox, names, origin, this.now, (message) => this.log("Warn", message))
    this.connection = new Connection(options.broker, [topology(names), this.#inbox], [this.#sending()])
  }

  /** The name of the inbox queue: it may change. */
  get inbox(): string {
    return this.#inbox.name
  }

  /** Unique on this node: with its id it names a message for ever. */
  nextId(): number {
    return ++this.#lastId
  }

  log(level: LogLevel.Severity, message: string): void {
    this.run(Effect.logWithLevel(level)(message))
  }

  /** Waits until everything that was sent is settled. */
  readonly flush: Effect.Effect<void> = Effect.callback((resume) => {
    this.outbox.whenIdle(() => resume(Effect.void))
  })

  /** Ends the asks that are still open. */
  readonly endAsks: Effect.Effect<void> = Effect.sync(() =>
    this.pending.endAll({ tag: "failed", reason: new Cancelled({}) }),
  )

  /** The outbox sends on the link that is up. */
  #sending(): LinkUser {
    return {
      up: (link) => Effect.sync(() => this.outbox.use(link)),
      down: () => this.outbox.use(undefined),
    }
  }
}
