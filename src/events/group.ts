// The tap of one member of a group: the group's queue is a mailbox like that of an actor, and its events are jobs there. So
// they are acked, retried, split and buried as tells are (promises 2, 3 and 6).
//
// G1. All members of a group have the same filter. The broker holds them to it: the filter is part of the key by which the
//     group's dead letters are routed, and so of how its queue is declared.
// G2. What is beyond `capacity` goes to the dead letters, the oldest first: a group that is slow, or away, holds up nobody.

import { Effect, type Scope } from "effect"
import type { QueueSpec } from "../broker/broker.ts"
import { type BrokerError, Refused } from "../broker/errors.ts"
import type { Portions } from "../messaging/agenda.ts"
import type { Job } from "../messaging/job.ts"
import type { Lot } from "../messaging/lot.ts"
import type { Mailbox } from "../messaging/mailbox.ts"
import type { Node } from "../messaging/node.ts"
import type { Receiver } from "../messaging/receiver.ts"
import { type AskReason, Rejected } from "../protocol/errors.ts"
import { readEventKey, sourceKey } from "../wire/event-key.ts"
import type { EventItem, Headers, MailItem } from "../wire/item.ts"
import type { Names } from "../wire/names.ts"
import { Arrival } from "./arrival.ts"
import { openEvents } from "./opening.ts"
import type { Load, Taken, Tap } from "./tap.ts"
import { filterText, headerMatcher, type Wanted } from "./wanted.ts"

const defaults = { capacity: 100_000, maxDeliveries: 3 }
/** Only a backstop: what comes back often is dealt with by `maxDeliveries` long before (docs/semantics.md, 6). */
const deliveryLimit = 100
/** ms; nothing aborts an event. */
const stuckAfter = 60_000

/** Argument for argument part of the wire (docs/wire.md). */
export const groupQueue = (names: Names, group: string, wanted: Wanted): QueueSpec => {
  const filter = filterText(wanted.options)
  return {
    name: names.group(wanted.domain, group, sourceKey(wanted.source)),
    type: "quorum",
    deliveryLimit,
    maxLength: wanted.options.capacity ?? defaults.capacity,
    overflow: "oldest",
    deadLetter: { exchange: names.dead, routingKey: filter === "" ? names.deadLetters : filter }, // G1
  }
}

/** Until the Scope closes. What is not done then is given to others, or to whoever comes next. */
export const joinGroup = (
  node: Node,
  group: string,
  wanted: Wanted,
): Effect.Effect<GroupTap, BrokerError, Scope.Scope> => {
  const { names } = node
  const queue = groupQueue(names, group, wanted)
  const { name, deadLetter } = queue
  const { maxDeliveries = defaults.maxDeliveries } = wanted.options
  const { domain, type, id = "*", major } = wanted.source
  const joining = node.feeds.join({
    address: { domain, type, id, major },
    queue,
    sharedKey: undefined,
    concurrency: wanted.concurrency,
    maxDeliveries,
    stuckAfter,
    single: false,
    codec: undefined,
    supply: {
      open: openEvents,
      bind: (link) =>
        Effect.andThen(
          link.bind({ queue: name, exchange: names.events, routingKey: wanted.binding }),
          link.bind({ queue: names.deadLetters, exchange: names.dead, routingKey: deadLetter?.routingKey ?? "" }),
        ),
    },
  })
  const joined = joining.pipe(
    Effect.catchTag("QueueClash", (clash) => Effect.die(clash)), // its queue is its own
    Effect.catchTag("Refused", (refused) => Effect.fail(explained(refused, names, group, wanted))),
  )
  return Effect.gen(function* () {
    const mailbox = yield* joined
    const tap = new GroupTap(node, mailbox, wanted)
    const watching = Effect.catch(mailbox.refused, ({ message }) =>
      Effect.sync(() => tap.fail(new Rejected({ why: message }))),
    )
    yield* Effect.forkScoped(watching)
    return tap
  })
}

/** A clash of filters, in the words of whoever subscribes. */
const explained = (refused: Refused, { deadLetters }: Names, group: string, { source, options }: Wanted): Refused => {
  if (!refused.why.includes("x-dead-letter-routing-key")) return refused
  const [, there = ".."] = /the broker has (.*)$/s.exec(refused.why) ?? [] // RabbitMQ cuts long texts
  return new Refused({
    what: `subscribe to ${sourceKey(source)} as group ${group}`,
    why: `the group has another filter: here it is ${filterText(options) || "none"}, there ${there === deadLetters ? "none" : there}`,
    next: "Give all of a group the same topic and headers; for another filter choose another name, or delete the group's queue.",
  })
}

export class GroupTap implements Tap, Receiver {
  ready: () => void = () => {}
  readonly portions: Portions | undefined
  readonly #node: Node
  readonly #mailbox: Mailbox
  readonly #admits: ((headers: Headers) => boolean) | undefined
  /** Begun, and not taken yet. */
  #loads: Array<GroupLoad> = []
  readonly #out = new Set<GroupLoad>()
  #ended = false
  #failure: AskReason | undefined
  #idle: Array<() => void> = []

  constructor(node: Node, mailbox: Mailbox, { source, portion, options }: Wanted) {
    this.#node = node
    this.#mailbox = mailbox
    this.#admits = headerMatcher(options)
    this.portions = portion.max === 1 ? undefined : new Map([[source.event, portion]])
  }

  get ended(): boolean {
    return this.#ended
  }

  get failure(): AskReason | undefined {
    return this.#failure
  }

  attach(): void {
    if (!this.#ended) this.#mailbox.open(this)
  }

  take(): Load | undefined {
    const load = this.#loads.shift()
    if (load !== undefined) this.#out.add(load)
    return load
  }

  release(): void {
    this.#loads = []
    this.#out.clear()
    this.#mailbox.close(new Error("its subscriber has gone"))
    this.#checkIdle()
  }

  /** The broker will not give the queue back. */
  fail(failure: AskReason): void {
    this.#failure = failure
    this.#ended = true
    this.release()
    this.ready()
  }

  /** Gives nothing more. Done when all that was taken is done. */
  readonly finish: Effect.Effect<void> = Effect.suspend(() => {
    this.#ended = true
    if (this.#out.size === 0) this.release()
    this.ready()
    const idle = Effect.callback<void>((resume) => {
      this.#idle.push(() => resume(Effect.void))
      this.#checkIdle()
    })
    return Effect.andThen(idle, this.#mailbox.finish)
  })

  #checkIdle(): void {
    if (this.#out.size > 0) return
    for (const call of this.#idle.splice(0)) call()
  }

  // Jobs (called by the mailbox)

  start(job: Job): void {
    this.#begin(job, new SingleLoad(job, this, this.#node.now()))
  }

  startLot(lot: Lot): void {
    for (const job of lot.running) if (!this.#wants(job.item)) job.answer(undefined)
    const { lead } = lot
    if (lead !== undefined) this.#begin(lead, new LotLoad(lot, this, this.#node.now()))
  }

  crash(): void {} // nothing is ever aborted

  #begin(job: Job, load: GroupLoad): void {
    if (!this.#wants(job.item)) return job.answer(undefined)
    this.#loads.push(load)
    this.ready()
  }

  #wants({ headers = {} }: MailItem): boolean {
    return this.#admits?.(headers) !== false
  }

  /** One of those that were taken is over. */
  over(load: GroupLoad): void {
    this.#out.delete(load)
    this.#checkIdle()
  }
}

/** A group takes nothing but events (opening.ts). */
const takenOf = (job: Job, now: number): Taken & { readonly job: Job } => ({
  job,
  event: new Arrival(job.item as EventItem, readEventKey(job.to)!, 0, now),
  attempt: job.begun + 1,
  dropped: 0,
  gap: false,
})

abstract class GroupLoad implements Load {
  taken: ReadonlyArray<Taken & { readonly job: Job }>
  readonly #tap: GroupTap
  #open = true

  constructor(jobs: ReadonlyArray<Job>, tap: GroupTap, now: number) {
    this.taken = jobs.map((job) => takenOf(job, now))
    this.#tap = tap
  }

  /** The first that has not ended. */
  get job(): Job | undefined {
    return this.taken.find(({ job }) => job.running)?.job
  }

  refuse(taken: Taken, why: string): void {
    const refused = this.taken.find(({ event }) => event === taken.event)
    this.taken = this.taken.filter((each) => each !== refused)
    refused?.job.reject(new Rejected({ why }))
  }

  done(): void {
    this.#close(() => this.answer())
  }

  crash(error: Error): void {
    this.#close(() => this.fail(error))
  }

  protected abstract answer(): void
  protected abstract fail(error: Error): void

  /** First it is over: what the mailbox begins next is no part of it. */
  #close(how: () => void): void {
    if (!this.#open) return
    this.#open = false
    this.#tap.over(this)
    how()
  }
}

class SingleLoad extends GroupLoad {
  readonly #job: Job

  constructor(job: Job, tap: GroupTap, now: number) {
    super([job], tap, now)
    this.#job = job
  }

  protected answer(): void {
    this.#job.answer(undefined)
  }

  protected fail(error: Error): void {
    this.#job.crash(error)
  }
}

class LotLoad extends GroupLoad {
  readonly #lot: Lot

  constructor(lot: Lot, tap: GroupTap, now: number) {
    super(lot.running, tap, now)
    this.#lot = lot
  }

  protected answer(): void {
    this.#lot.answer()
  }

  protected fail(error: Error): void {
    this.#lot.crash(error)
  }
}
