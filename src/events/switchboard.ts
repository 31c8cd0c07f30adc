// The events of this node: one queue for all who subscribe here, bound with what any of them wants, and each event handed to
// those who want it. So ten subscribers of a node cost one delivery.
//
// S1. A pattern is bound as long as somebody here wants it, once. Who subscribes is told when it is bound.
// S2. An event goes to each line whose pattern and headers it matches, looked at anew: the broker only knows that somebody
//     wants it. No line holds up another: who is slow has a backlog of its own.
// S3. What cannot be read costs itself, and one line in the log.
// S4. The queue lies on one node of the broker's cluster; when that is down there is another queue. Whoever listens over the
//     loss of a link, or of the queue, is told that something may be missing.

import { Deferred, Effect, type Scope, Semaphore } from "effect"
import type { Delivery, Link } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import type { LinkUser } from "../messaging/connection.ts"
import type { Node } from "../messaging/node.ts"
import { Soon } from "../messaging/soon.ts"
import { untilUp } from "../messaging/until-up.ts"
import { matches, wordsOf } from "../protocol/topic.ts"
import { readEventKey } from "../wire/event-key.ts"
import type { Headers } from "../wire/item.ts"
import { Arrival } from "./arrival.ts"
import { Membership } from "./membership.ts"
import { openEvents } from "./opening.ts"

/** ms without a consumer after which the broker deletes the queue of a node that is gone. */
const expires = 60_000
const prefetch = 1024
/** Deliveries, and ms, after which they are acked. */
const ackAfter = { count: 256, ms: 10 }
/** Patterns that are bound side by side. */
const sideBySide = 16
/** Keys whose lines are remembered. */
const rememberedKeys = 4096
/** ms before a queue that is being deleted is declared again, and that an orderly stop waits for the broker. */
const declareAgain = 200
const leaveWithin = 1_000

/** Somebody who wants events. */
export interface Line {
  /** The binding key of what it wants. */
  readonly pattern: string
  /** Undefined: whatever the headers are. */
  readonly admits: ((headers: Headers) => boolean) | undefined
  readonly deliver: (event: Arrival) => void
  /** Something may be missing before what comes next. */
  readonly lose: () => void
}

/** One pattern, and who wants it. */
class Binding {
  readonly pattern: string
  readonly words: ReadonlyArray<string>
  readonly lines = new Set<Line>()
  /** One change at the broker at a time. */
  readonly lock = Semaphore.makeUnsafe(1)
  /** The link on which it is bound. */
  bound: Link | undefined

  constructor(pattern: string) {
    this.pattern = pattern
    this.words = wordsOf(pattern)
  }
}

const noHeaders: Headers = Object.freeze({})

export class Switchboard implements LinkUser {
  readonly #node: Node
  readonly #bindings = new Map<string, Binding>()
  /** By key. */
  readonly #routes = new Map<string, ReadonlyArray<Line>>()
  readonly #membership: Membership
  #link: Link | undefined
  /** The name of the queue: it may change. */
  #queue: string
  #generation = 1
  /** Done when it is up the next time. */
  #nextUp = Deferred.makeUnsafe<void>()
  #left = false
  readonly #acks = new Soon<Delivery>(ackAfter.ms, (deliveries) => {
    for (const delivery of deliveries) delivery.ack()
  })

  constructor(node: Node) {
    this.#node = node
    this.#membership = new Membership(node, this)
    this.#queue = node.names.eventsOf(node.id, this.#generation)
  }

  /** Adds a line until the Scope closes. Succeeds once all that is emitted from then on gets to it. */
  connect(line: Line): Effect.Effect<void, BrokerError, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      yield* this.#membership.join
      const binding = yield* Effect.acquireRelease(
        Effect.sync(() => this.#add(line)),
        (added) => Effect.sync(() => this.#remove(added, line)),
      )
      yield* this.#reach(binding)
    })
  }

  #add(line: Line): Binding {
    const { pattern } = line
    const known = this.#bindings.get(pattern)
    const binding = known ?? new Binding(pattern)
    if (known === undefined) this.#bindings.set(pattern, binding)
    binding.lines.add(line)
    this.#routes.clear()
    return binding
  }

  #remove(binding: Binding, line: Line): void {
    binding.lines.delete(line)
    this.#routes.clear()
    if (binding.lines.size === 0) this.#node.run(Effect.ignore(this.#settle(binding)))
  }

  #reach(binding: Binding): Effect.Effect<void, BrokerError> {
    const later = Effect.suspend(() => Effect.andThen(Deferred.await(this.#nextUp), this.#reach(binding)))
    // Without the queue, or its node, there is no consumer any more, and so it is coming up again.
    const passing = ["LinkLost", "NotFound", "Inaccessible"] as const
    return Effect.suspend(() =>
      this.#link === undefined ? later : Effect.catchTag(this.#settle(binding), passing, () => later),
    )
  }

  /** S1. Binds it, or takes it back. */
  #settle(binding: Binding): Effect.Effect<void, BrokerError> {
    const change = Effect.gen({ self: this }, function* () {
      const link = this.#link
      if (link === undefined) return
      const wanted = binding.lines.size > 0
      const at = { queue: this.#queue, exchange: this.#node.names.events, routingKey: binding.pattern }
      if (wanted && binding.bound !== link) {
        yield* link.bind(at)
        binding.bound = link
      } else if (!wanted && binding.bound === link) {
        yield* link.unbind(at)
        binding.bound = undefined
      }
    })
    const forget = Effect.sync(() => {
      const { pattern, lines } = binding
      if (lines.size === 0 && this.#bindings.get(pattern) === binding) this.#bindings.delete(pattern)
    })
    return binding.lock.withPermits(1)(Effect.ensuring(change, forget))
  }

  // The link

  up(link: Link): Effect.Effect<void, BrokerError> {
    return Effect.gen({ self: this }, function* () {
      yield* this.#declare(link)
      this.#link = link
      for (let next = this.#unbound(link); next.length > 0; next = this.#unbound(link)) {
        yield* Effect.forEach(next, (binding) => this.#settle(binding), { concurrency: sideBySide, discard: true })
      }
      const listener = {
        delivery: (delivery: Delivery) => this.#receive(delivery),
        cancelled: (why: string) => this.#cancelled(link, why),
      }
      yield* link.consume(this.#queue, { prefetch }, listener)
      const up = this.#nextUp
      this.#nextUp = Deferred.makeUnsafe()
      Deferred.doneUnsafe(up, Effect.void)
    })
  }

  /** S4. */
  #declare(link: Link): Effect.Effect<void, BrokerError> {
    const declare = Effect.suspend(() => link.declareQueue({ name: this.#queue, type: "classic", expires }))
    return Effect.asVoid(
      Effect.catchTag(declare, "Inaccessible", () => {
        // While it is bound the broker refuses what is emitted, on behalf of nobody (emission.ts, M3).
        this.#node.run(Effect.ignore(link.deleteQueue(this.#queue)))
        this.#generation++
        this.#queue = this.#node.names.eventsOf(this.#node.id, this.#generation)
        return declare
      }),
    )
  }

  #unbound(link: Link): ReadonlyArray<Binding> {
    return [...this.#bindings.values()].filter(({ lines, bound }) => lines.size > 0 && bound !== link)
  }

  down(): void {
    this.#link = undefined
    this.#acks.forget()
    for (const { lines } of this.#bindings.values()) for (const line of lines) line.lose()
  }

  #cancelled(link: Link, why: string): void {
    if (this.#link !== link || this.#left) return
    this.#node.log("Warn", `${this.#queue}: the broker ended the consumer (${why}); subscribing again`)
    this.down()
    for (const binding of this.#bindings.values()) binding.bound = undefined
    this.#node.run(this.#upAgain(link))
  }

  #upAgain(link: Link): Effect.Effect<void> {
    const up = Effect.suspend(() => this.up(link))
    return untilUp(up, () => !this.#left && this.#node.connection.link === link, declareAgain)
  }

  /** The node stops: the queue goes. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    this.#left = true
    const { link } = this.#node.connection
    const gone =
      link === undefined || !this.#membership.isOpen // the broker deletes it after `expires`
        ? Effect.void
        : Effect.ignore(Effect.timeoutOption(link.deleteQueue(this.#queue), leaveWithin))
    return Effect.andThen(this.#membership.leave, gone)
  })

  // Events

  #receive(delivery: Delivery): void {
    this.#acks.add(delivery, ackAfter.count)
    const { message } = delivery
    const { items, unreadable } = openEvents(message)
    for (const { why } of unreadable) this.#node.log("Warn", `an event that cannot be read: ${why}`) // S3
    const now = this.#node.now()
    const bytes = Math.ceil(message.body.byteLength / Math.max(1, items.length))
    for (const item of items) {
      const { to = "" } = item
      const lines = this.#linesOf(to)
      if (lines.length === 0) continue // it was on its way when the last of them left
      const event = new Arrival(item, readEventKey(to)!, bytes, now)
      for (const line of lines) {
        if (line.admits?.(item.headers ?? noHeaders) !== false) line.deliver(event)
      }
    }
  }

  /** S2. */
  #linesOf(key: string): ReadonlyArray<Line> {
    const known = this.#routes.get(key)
    if (known !== undefined) return known
    const words = wordsOf(key)
    const lines: Array<Line> = []
    for (const binding of this.#bindings.values()) if (matches(binding.words, words)) lines.push(...binding.lines)
    if (this.#routes.size >= rememberedKeys) this.#routes.clear()
    this.#routes.set(key, lines)
    return lines
  }
}
