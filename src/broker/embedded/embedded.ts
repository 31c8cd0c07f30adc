// A broker inside the process: the same port, the same traces as RabbitMQ, no server. For a first try and for tests.
//
// E1. Nothing is kept: what it holds ends with the process, however durable it was declared.
// E2. Several systems of one process talk to each other when they share one `EmbeddedBroker`.
// E3. Time is the Effect Clock it was made under: under a `TestClock`, expiry and latency wait for `TestClock.adjust`.

import { Clock, Effect, Layer } from "effect"
import { Broker } from "../broker.ts"
import { defaultLimits } from "../limits.ts"
import { Alarms } from "./alarms.ts"
import { type Faults, Injector } from "./faults.ts"
import { EmbeddedLink, type Premises } from "./link.ts"
import { Store } from "./store.ts"
import { Turns } from "./turns.ts"

export type { Faults } from "./faults.ts"

export interface EmbeddedOptions {
  /** ms that a publish waits for a confirm that was lost. Default 10 000, as on RabbitMQ. */
  readonly confirmTimeout?: number
  /** Bytes of the largest body. Default 16 MiB. */
  readonly maxMessageSize?: number
}

/** A queue as it is at this moment. */
export interface QueueView {
  readonly name: string
  readonly type: "quorum" | "classic" | "stream"
  /** Messages that wait. */
  readonly ready: number
  /** Messages that somebody has in hand. */
  readonly unacked: number
  /** Subscriptions, those that stand by included. */
  readonly consumers: number
}

/** One broker; everything that is given this value, or one of its layers, talks to the same queues. */
export class EmbeddedBroker {
  /** For tests: breaks things. */
  readonly faults: Faults
  /** The broker for a system. */
  readonly layer: Layer.Layer<Broker>
  readonly #premises: Premises
  #links = 0

  constructor(premises: Premises) {
    this.#premises = premises
    this.faults = premises.faults
    this.layer = this.as("embedded")
  }

  /** The same broker for a system whose links are to be told apart: `faults.cut({ name })` then hits this one alone. */
  as(name: string): Layer.Layer<Broker> {
    return Layer.succeed(Broker)({
      name: name === "embedded" ? name : `embedded, as ${name}`,
      connect: this.#connect(name),
    })
  }

  /** The queues, in order of declaration. */
  queues(): ReadonlyArray<QueueView> {
    return Array.from(this.#premises.store.queues(), ({ spec, ready, unacked, subscriptions }) => ({
      name: spec.name,
      type: spec.type,
      ready,
      unacked,
      consumers: subscriptions,
    }))
  }

  /** Undefined when there is none of this name. */
  queue(name: string): QueueView | undefined {
    return this.queues().find((queue) => queue.name === name)
  }

  /** The ids of the links that are open. */
  links(): ReadonlyArray<string> {
    return Array.from(this.#premises.faults.links, (link) => link.id)
  }

  #connect(name: string): Broker["Service"]["connect"] {
    const { faults, alarms } = this.#premises
    const open = Effect.suspend(() => {
      const refusal = faults.refusal()
      if (refusal !== undefined) return Effect.fail(refusal)
      this.#links++
      return Effect.succeed(new EmbeddedLink(`${name}#${this.#links}`, name, this.#premises))
    })
    return Effect.andThen(
      Effect.suspend(() => (faults.latency > 0 ? alarms.sleep(faults.latency) : Effect.yieldNow)),
      Effect.acquireRelease(open, (link) => link.close),
    )
  }
}

/** Makes a broker of its own. */
const make = (options: EmbeddedOptions = {}): Effect.Effect<EmbeddedBroker> =>
  Effect.gen(function* () {
    const clock = yield* Clock.clockWith(Effect.succeed)
    const context = yield* Effect.context<never>()
    const alarms = new Alarms(clock, context)
    return new EmbeddedBroker({
      alarms,
      store: new Store(alarms),
      turns: new Turns(),
      faults: new Injector(() => alarms.now()),
      limits: { ...defaultLimits, maxMessageSize: options.maxMessageSize ?? defaultLimits.maxMessageSize },
      confirmTimeout: options.confirmTimeout ?? 10_000,
    })
  })

/** A fresh broker for one system. */
const layer: Layer.Layer<Broker> = Layer.unwrap(Effect.map(make(), (broker) => broker.layer))

export const Embedded = { make, layer }
