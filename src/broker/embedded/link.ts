// A link to the embedded broker: turns plain calls into calls of the store, and what comes back into arrivals on its line.
//
// The numbers B1-B4 are those of the port (broker.ts). B2: a publish has its outcome on the line as soon as the store has
// looked at it; the others are in `#held` (blocked) or `#unconfirmed` (the confirm was lost), and `#end` empties both.

import { Deferred, Effect, Result } from "effect"
import type { Capabilities, Delivery, Link, Listener, Outgoing } from "../broker.ts"
import {
  type BrokerError,
  ConfirmTimedOut,
  LinkLost,
  Nacked,
  type PublishFailure,
  Refused,
  Unroutable,
} from "../errors.ts"
import { checkOutgoing, type Limits } from "../limits.ts"
import type { Alarm, Alarms } from "./alarms.ts"
import { Consumer, type Handler } from "./consumer.ts"
import type { Injector, Vulnerable } from "./faults.ts"
import { deliver, type Stored, store } from "./message.ts"
import type { Entry } from "./queue.ts"
import type { Outcome, Store } from "./store.ts"
import { Line, type Turns } from "./turns.ts"

type Settled = (failure: PublishFailure | undefined) => void
type Answer<A> = Result.Result<A, BrokerError>

/** What all links of one broker share. */
export interface Premises {
  readonly store: Store
  readonly alarms: Alarms
  readonly turns: Turns
  readonly faults: Injector
  readonly limits: Limits
  /** ms. */
  readonly confirmTimeout: number
}

/** The RabbitMQ whose behaviour this is a copy of, as far as callers can tell: 4.0 counts like 3.10. */
const capabilities: Capabilities = { product: "embedded", version: "4.0.0" }
const largestPrefetch = 65_535

export class EmbeddedLink implements Link, Vulnerable {
  readonly id: string
  readonly owner: string
  readonly capabilities = capabilities
  readonly lost: Effect.Effect<never, LinkLost>
  readonly #premises: Premises
  readonly #line: Line
  readonly #loss = Deferred.makeUnsafe<never, LinkLost>()
  /** Subscriptions, and whoever still has something in hand. */
  readonly #consumers = new Set<Consumer>()
  readonly #held: Array<{ readonly message: Stored; readonly mandatory: boolean; readonly settled: Settled }> = []
  readonly #unconfirmed = new Map<Settled, Alarm>()
  readonly #blockedListeners: Array<(why: string | undefined) => void> = []
  #blocked: string | undefined
  #over: LinkLost | undefined
  #closed = false

  constructor(id: string, owner: string, premises: Premises) {
    this.id = id
    this.owner = owner
    this.lost = Deferred.await(this.#loss)
    this.#premises = premises
    this.#blocked = premises.faults.blocked
    this.#line = new Line(premises.turns, premises.alarms, () => premises.faults.latency)
    premises.faults.links.add(this)
    premises.alarms.watch()
  }

  // --- its life

  readonly lose = (why: string): void => {
    if (this.#over !== undefined) return
    const loss = new LinkLost({ why })
    this.#end(loss)
    Deferred.doneUnsafe(this.#loss, Effect.fail(loss))
  }

  /** Orderly: publishes that the broker has taken are confirmed still. Done when the last of them has been told. */
  readonly close: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.#over === undefined) {
      this.#closed = true
      this.#end(new LinkLost({ why: "the link was closed" }))
    }
    this.#line.push(() => resume(Effect.void))
  })

  #end(why: LinkLost): void {
    const { faults, alarms, store } = this.#premises
    this.#over = why
    faults.links.delete(this)
    for (const [settled, alarm] of this.#unconfirmed) {
      alarm.cancelled = true
      this.#line.push(() => settled(why))
    }
    this.#unconfirmed.clear()
    for (const { settled } of this.#held.splice(0)) this.#line.push(() => settled(why))
    this.#line.hangUp(why)
    store.release(this.#consumers)
    this.#consumers.clear()
    alarms.unwatch()
  }

  // --- alarms of the broker

  readonly blocked = (): string | undefined => this.#blocked

  readonly onBlocked = (listener: (why: string | undefined) => void): void => {
    this.#blockedListeners.push(listener)
  }

  readonly alarm = (): void => {
    const why = this.#premises.faults.blocked
    this.#line.push((gone) => {
      if (gone !== undefined) return
      this.#blocked = why
      for (const listener of this.#blockedListeners) listener(why)
    })
    if (why !== undefined) return
    for (const { message, mandatory, settled } of this.#held.splice(0)) this.#submit(message, mandatory, settled)
  }

  // --- publishing

  readonly publish = (message: Outgoing, settled: Settled): void => {
    const problem = this.#over ?? checkOutgoing(message, this.#premises.limits)
    if (problem !== undefined) {
      this.#line.push(() => settled(problem))
      return
    }
    const stored = store(message)
    const mandatory = message.mandatory === true
    if (this.#premises.faults.blocked !== undefined) this.#held.push({ message: stored, mandatory, settled })
    else this.#submit(stored, mandatory, settled)
  }

  #submit(message: Stored, mandatory: boolean, settled: Settled): void {
    const { store, faults, confirmTimeout } = this.#premises
    const fate = faults.fate()
    const outcome = fate === "nacked" ? "refused" : store.publish(message)
    if (fate === "duplicated") store.publish(message)
    if (fate === "unconfirmed" || faults.latency >= confirmTimeout) {
      this.#timeOut(settled)
      return
    }
    const failure = this.#failure(outcome, message, mandatory)
    // Whoever closes in good order waits for what the broker has answered already.
    this.#line.push((gone) => settled(gone === undefined || this.#closed ? failure : gone))
  }

  #failure(outcome: Outcome, { exchange, routingKey }: Stored, mandatory: boolean): PublishFailure | undefined {
    switch (outcome) {
      case "taken":
        return undefined
      case "refused":
        return new Nacked({ exchange, routingKey })
      case "unroutable":
        // RabbitMQ closes the channel when the exchange is missing; the port knows only that nobody took it.
        return mandatory || !this.#premises.store.hasExchange(exchange)
          ? new Unroutable({ exchange, routingKey })
          : undefined
    }
  }

  #timeOut(settled: Settled): void {
    const { alarms, confirmTimeout } = this.#premises
    // A wrapper, as the same function may be given for many publishes.
    const once: Settled = (failure) => settled(failure)
    const alarm = alarms.at(alarms.now() + confirmTimeout, () => {
      this.#unconfirmed.delete(once)
      setImmediate(settled, new ConfirmTimedOut({ after: confirmTimeout }))
    })
    this.#unconfirmed.set(once, alarm)
  }

  // --- topology

  readonly declareExchange: Link["declareExchange"] = (spec) =>
    this.#request(() => this.#premises.store.declareExchange(spec))

  readonly declareQueue: Link["declareQueue"] = (spec) => this.#request(() => this.#premises.store.declareQueue(spec))

  readonly bind: Link["bind"] = (binding) => this.#request(() => this.#premises.store.bind(binding))

  readonly unbind: Link["unbind"] = (binding) => this.#request(() => this.#premises.store.unbind(binding))

  readonly inspectQueue: Link["inspectQueue"] = (name) => this.#request(() => this.#premises.store.inspect(name))

  readonly deleteQueue: Link["deleteQueue"] = (name) => this.#request(() => this.#premises.store.delete(name))

  readonly purgeQueue: Link["purgeQueue"] = (name) =>
    this.#request(() => Result.map(this.#premises.store.queue(name), (queue) => queue.purge()))

  // --- consuming

  readonly consume: Link["consume"] = (name, { prefetch }, listener) =>
    this.#request(
      () =>
        badPrefetch(name, prefetch) ??
        Result.map(this.#premises.store.queue(name), (queue) => {
          const consumer = queue.subscribe(prefetch, this.#handler(listener))
          this.#consumers.add(consumer)
          return { consumer, cancel: this.#request(() => Result.succeed(this.#cancel(consumer))) }
        }),
      ({ consumer }) => this.#drop(consumer),
    )

  readonly get: Link["get"] = (name) =>
    Effect.map(
      this.#request(
        () =>
          Result.flatMap(this.#premises.store.queue(name), (queue) => {
            if (!queue.fetchable) return Result.fail(lockedQueue(name))
            const hand = new Consumer(queue, 1)
            hand.left = true
            const entry = queue.fetch(hand)
            if (entry === undefined) return Result.succeed(undefined)
            this.#consumers.add(hand)
            return Result.succeed({ hand, entry })
          }),
        (taken) => taken !== undefined && this.#drop(taken.hand),
      ),
      (taken) => taken && this.#delivery(taken.hand, taken.entry, "fetched"),
    )

  #handler(listener: Listener): Handler {
    return {
      delivery: (consumer, entry) =>
        this.#line.push((gone) => {
          // It is no longer this consumer's when an interrupted `consume` has given it back.
          if (gone === undefined && consumer.unsettled.has(entry)) {
            listener.delivery(this.#delivery(consumer, entry, "pushed"))
          }
        }),
      cancelled: (why) => this.#line.push((gone) => gone ?? listener.cancelled(why)),
    }
  }

  #delivery(consumer: Consumer, entry: Entry, how: "pushed" | "fetched"): Delivery {
    const { queue } = consumer
    const returns = queue.spec.type === "quorum" ? entry.returns : undefined
    // RabbitMQ says 0 only to those who fetch by hand.
    const message = deliver(entry.message, returns === 0 && how === "pushed" ? undefined : returns)
    return {
      message,
      redelivered: entry.redelivered,
      returns,
      ack: () => {
        queue.ack(consumer, entry)
        this.#forget(consumer)
      },
      nack: ({ requeue }) => {
        queue.nack(consumer, entry, requeue)
        this.#forget(consumer)
      },
    }
  }

  #cancel(consumer: Consumer): void {
    consumer.queue.cancel(consumer)
    this.#forget(consumer)
  }

  #forget(consumer: Consumer): void {
    if (consumer.left && consumer.unsettled.size === 0) this.#consumers.delete(consumer)
  }

  /** Nobody waits for it any more. */
  #drop(consumer: Consumer): void {
    consumer.queue.release([consumer])
    this.#consumers.delete(consumer)
  }

  /** The store answers at once, the answer takes its way over the line. @param undo when nobody waits for it any more. */
  #request<A>(work: () => Answer<A>, undo?: (answer: A) => void): Effect.Effect<A, BrokerError> {
    return Effect.callback((resume) => {
      if (this.#over !== undefined) return resume(Effect.fail(this.#over))
      const answer = work()
      this.#line.push((gone) => resume(gone === undefined ? Effect.fromResult(answer) : Effect.fail(gone)))
      if (undo === undefined || Result.isFailure(answer)) return
      return Effect.sync(() => undo(answer.success))
    })
  }
}

const badPrefetch = (queue: string, prefetch: number): Result.Result<never, Refused> | undefined =>
  Number.isInteger(prefetch) && prefetch >= 1 && prefetch <= largestPrefetch
    ? undefined
    : Result.fail(
        new Refused({
          what: `consume from queue ${queue}`,
          why: `prefetch is ${prefetch}`,
          next: `Give a whole number from 1 to ${largestPrefetch}.`,
        }),
      )

const lockedQueue = (name: string): Refused =>
  new Refused({
    what: `get from queue ${name}`,
    why: "basic.get operations are not supported by quorum queues with single active consumer",
    next: "Subscribe to it instead.",
  })
