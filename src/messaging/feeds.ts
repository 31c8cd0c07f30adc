// The queues from which the actors of this node get their mail.
//
// Q1. Actors that share a queue get it from one feed, and so through one consumer.
// Q2. They agree on what belongs to the queue; who does not is refused before anything is asked of the broker.
// Q3. A queue that is being left is consumed again only when it is left, so that what comes back keeps its order.

import { Effect, Schema, type Scope } from "effect"
import type { BrokerError } from "../broker/errors.ts"
import { format, routingKey } from "../wire/address.ts"
import { Turns } from "./absence.ts"
import { Feed } from "./feed.ts"
import type { Mailbox, MailboxOptions } from "./mailbox.ts"
import type { Node } from "./node.ts"

/** An actor cannot share the queue that it names. */
export class QueueClash extends Schema.TaggedError<QueueClash>()("QueueClash", { why: Schema.String }) {
  override get message(): string {
    return this.why
  }
}

export class Feeds {
  /** Of the queues that are absent. */
  readonly turns = new Turns()
  readonly #node: Node
  readonly #feeds = new Set<Feed>()

  constructor(node: Node) {
    this.#node = node
  }

  /** Opens the mailbox of an actor until the Scope closes. Succeeds once mail gets there. */
  join(options: MailboxOptions): Effect.Effect<Mailbox, BrokerError | QueueClash, Scope.Scope> {
    const enter = Effect.suspend(() => this.#enter(options))
    const entered = Effect.acquireRelease(enter, ({ feed, mailbox }) => this.#leave(feed, mailbox))
    return Effect.flatMap(entered, ({ feed, mailbox }) => Effect.as(feed.reach(mailbox), mailbox))
  }

  /** Begins no new batch, and finishes what was begun. */
  readonly finish: Effect.Effect<void> = Effect.suspend(() => {
    const mailboxes = [...this.#feeds].flatMap((feed) => feed.mailboxes)
    return Effect.forEach(mailboxes, ({ finish }) => finish, { concurrency: "unbounded", discard: true })
  })

  #enter(options: MailboxOptions): Effect.Effect<{ readonly feed: Feed; readonly mailbox: Mailbox }, QueueClash> {
    const { name } = options.queue
    const before = this.#of(name)
    // A queue that is not shared: a second member of its actor in this process is a second consumer.
    const shared = options.sharedKey === undefined ? undefined : before.find(({ ended }) => !ended)
    if (shared !== undefined) {
      const why = clash(options, shared.mailboxes)
      if (why !== undefined) return Effect.fail(new QueueClash({ why }))
      return Effect.succeed({ feed: shared, mailbox: shared.add(options) })
    }
    const feed = new Feed(this.#node, options)
    this.#feeds.add(feed)
    const mailbox = feed.add(options)
    const ending = before.filter(({ ended }) => ended)
    const left = Effect.forEach(ending, ({ over }) => over, { discard: true }) // Q3
    return Effect.as(feed.start(left), { feed, mailbox })
  }

  #of(queue: string): ReadonlyArray<Feed> {
    return [...this.#feeds].filter((feed) => feed.queue === queue)
  }

  #leave(feed: Feed, mailbox: Mailbox): Effect.Effect<void> {
    return Effect.andThen(
      feed.remove(mailbox),
      Effect.sync(() => {
        if (feed.ended) this.#feeds.delete(feed)
      }),
    )
  }
}

/** Why an actor cannot share the queue of these, or undefined. */
const clash = (mine: MailboxOptions, mailboxes: ReadonlyArray<Mailbox>): string | undefined => {
  const { name } = mine.queue
  const key = routingKey(mine.address)
  if (mailboxes.some((mailbox) => mailbox.key === key)) {
    return `${format(mine.address)} runs in this process already, and the queue ${name} has room for it once`
  }
  const [theirs] = mailboxes
  if (theirs === undefined) return undefined
  const [here, there] = [agreed(mine), agreed(theirs.options)]
  for (const fact of Object.keys(here) as ReadonlyArray<keyof typeof here>) {
    if (here[fact] === there[fact]) continue
    return (
      `${format(mine.address)} shares the queue ${name} with ${format(theirs.options.address)}: they must agree on ` +
      `${fact}, which is ${here[fact]} here and ${there[fact]} there`
    )
  }
  return undefined
}

/** What the actors of one queue have to agree on, as their options name it. */
const agreed = ({ queue, maxDeliveries }: MailboxOptions) => ({
  mailbox: queue.type === "quorum" ? "durable" : "transient",
  capacity: queue.maxLength,
  expires: queue.expires,
  maxDeliveries,
})
