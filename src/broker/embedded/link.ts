// A link to the embedded broker: turns plain calls into calls of the store, and what comes back into arrivals on its line.
//
// The numbers B1-B4 are those of the port (broker.ts). B2: a publish has its outcome on the line as soon as the store has
// looked at it; the others are in `#held` (blocked) or `#unconfirmed` (the confirm was lost), and `#end` empties both.

import { Deferred, Effect, Result } from "effect"
import type { Capabilities, Link, Outgoing } from "../broker.ts"
import { ConfirmTimedOut, LinkLost, Nacked, type PublishFailure, Unroutable } from "../errors.ts"
import { checkOutgoing, type Limits } from "../limits.ts"
import type { Alarm, Alarms } from "./alarms.ts"
import { EmbeddedChannel, type Request } from "./channel.ts"
import type { Injector, Vulnerable } from "./faults.ts"
import { type Stored, store } from "./message.ts"
import type { Outcome, Store } from "./store.ts"
import { Line, type Turns } from "./turns.ts"

type Settled = (failure: PublishFailure | undefined) => void

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

export class EmbeddedLink implements Link, Vulnerable {
  readonly id: string
  readonly owner: string
  readonly capabilities = capabilities
  readonly lost: Effect.Effect<never, LinkLost>
  readonly #premises: Premises
  readonly #line: Line
  readonly #loss = Deferred.makeUnsafe<never, LinkLost>()
  readonly #channels = new Set<EmbeddedChannel>()
  /** Of all who have none of their own. */
  readonly #shared: EmbeddedChannel
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
    this.#shared = this.#addChannel()
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
    store.release([...this.#channels].flatMap((channel) => channel.hangUp()))
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

  readonly purgeQueue: Link["purgeQueue"] = (name) => this.#request(() => this.#premises.store.purge(name))

  // --- consuming

  readonly consume: Link["consume"] = (name, options, listener) => this.#shared.consume(name, options, listener)

  readonly get: Link["get"] = (name) => this.#shared.get(name)

  readonly openChannel: Link["openChannel"] = Effect.suspend(() =>
    this.#request(
      () => Result.succeed(this.#addChannel()),
      (channel) => channel.end(),
    ),
  )

  #addChannel(): EmbeddedChannel {
    const channel: EmbeddedChannel = new EmbeddedChannel(this.#premises.store, this.#line, this.#request, () =>
      this.#channels.delete(channel),
    )
    this.#channels.add(channel)
    return channel
  }

  readonly #request: Request = (work, undo) =>
    Effect.callback((resume) => {
      if (this.#over !== undefined) return resume(Effect.fail(this.#over))
      const answer = work()
      this.#line.push((gone) => resume(gone === undefined ? Effect.fromResult(answer) : Effect.fail(gone)))
      if (undo === undefined || Result.isFailure(answer)) return
      return Effect.sync(() => undo(answer.success))
    })
}
