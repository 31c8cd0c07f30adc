// What a contract test works with: links that it may close, queues that are deleted after it, deliveries that it can
// wait for.

import { Effect, Exit, type ManagedRuntime, Scope } from "effect"
import {
  Broker,
  type Consumer,
  type Delivery,
  type Link,
  type Outgoing,
  type QueueSpec,
  type StreamStart,
} from "../../src/broker/broker.ts"
import type { BrokerError, PublishFailure } from "../../src/broker/errors.ts"

/** ms within which everything that is waited for must have happened. */
export const patience = 5000

/** Durable exchanges cannot be deleted through the port: these few are shared, and told apart by routing keys. */
export const exchanges = {
  direct: { name: "warren-contract.direct", type: "direct" },
  topic: { name: "warren-contract.topic", type: "topic" },
  fanout: { name: "warren-contract.fanout", type: "fanout" },
} as const

export interface OpenLink {
  readonly link: Link
  readonly close: Effect.Effect<void>
}

/** Consumes, and remembers. */
export interface Inbox {
  readonly deliveries: ReadonlyArray<Delivery>
  readonly cancelled: ReadonlyArray<string>
  readonly consumer: Consumer
  /** The `n`th delivery (from 0), once it is there. */
  readonly nth: (n: number) => Effect.Effect<Delivery>
  readonly bodies: () => ReadonlyArray<string>
}

export class Bench {
  readonly inbox = listen
  readonly #runtime: ManagedRuntime.ManagedRuntime<Broker, never>
  readonly #queues = new Set<string>()
  readonly #open = new Set<Effect.Effect<void>>()

  constructor(runtime: ManagedRuntime.ManagedRuntime<Broker, never>) {
    this.#runtime = runtime
  }

  run<A>(work: Effect.Effect<A, unknown, Broker>): Promise<A> {
    return this.#runtime.runPromise(work as Effect.Effect<A, never, Broker>)
  }

  /** A name that no other test, run or process has used. */
  name(hint: string): string {
    return `warren-contract.${hint}.${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`
  }

  get openLink(): Effect.Effect<OpenLink, BrokerError, Broker> {
    return Effect.gen({ self: this }, function* () {
      const broker = yield* Broker
      const scope = yield* Scope.make()
      const link = yield* broker.connect.pipe(Effect.provideService(Scope.Scope, scope))
      const close = Scope.close(scope, Exit.void)
      this.#open.add(close)
      return { link, close }
    })
  }

  get link(): Effect.Effect<Link, BrokerError, Broker> {
    return Effect.map(this.openLink, ({ link }) => link)
  }

  /** Declares a queue of a new name, to be deleted after the test. */
  queue(link: Link, spec: Omit<QueueSpec, "name">): Effect.Effect<string, BrokerError> {
    const name = this.name(spec.type)
    this.#queues.add(name)
    return Effect.as(link.declareQueue({ name, ...spec }), name)
  }

  async cleanUp(): Promise<void> {
    for (const close of this.#open) await Effect.runPromise(close)
    this.#open.clear()
    if (this.#queues.size === 0) return
    await this.run(
      Effect.gen({ self: this }, function* () {
        const { link, close } = yield* this.openLink
        for (const queue of this.#queues) yield* link.deleteQueue(queue)
        yield* close
      }),
    )
    this.#queues.clear()
    this.#open.clear()
  }
}

/** Consumes, on a link or on a channel of one's own. */
export const listen = (
  at: Pick<Link, "consume">,
  queue: string,
  prefetch: number,
  from?: StreamStart,
): Effect.Effect<Inbox, BrokerError> => {
  const deliveries: Array<Delivery> = []
  const cancelled: Array<string> = []
  const listener = {
    delivery: (delivery: Delivery) => void deliveries.push(delivery),
    cancelled: (why: string) => void cancelled.push(why),
  }
  const options = from === undefined ? { prefetch } : { prefetch, from }
  return Effect.map(at.consume(queue, options, listener), (consumer) => ({
    deliveries,
    cancelled,
    consumer,
    nth: (n) => eventually(`delivery ${n} of ${queue}`, () => deliveries[n]),
    bodies: () => deliveries.map(bodyOf),
  }))
}

export const bodyOf = (delivery: Delivery): string => delivery.message.body.toString()

/** Publishes one message to a queue by its name, unless told otherwise. */
export const send = (link: Link, queue: string, body: string, more: Partial<Outgoing> = {}) =>
  publish(link, { exchange: "", routingKey: queue, body: Buffer.from(body), ...more })

export const publish = (link: Link, message: Outgoing): Effect.Effect<void, PublishFailure> =>
  Effect.callback((resume) =>
    link.publish(message, (failure) => resume(failure === undefined ? Effect.void : Effect.fail(failure))),
  )

/** Publishes without waiting in between; succeeds with how each one ended, in the order of publishing. */
export const sendAll = (link: Link, queue: string, bodies: ReadonlyArray<string>, more: Partial<Outgoing> = {}) =>
  Effect.forEach(bodies, (body) => Effect.exit(send(link, queue, body, more)), { concurrency: "unbounded" })

/** Polls until `look` sees something; dies with `what` when it takes too long. */
export const eventually = <A>(what: string, look: () => A | undefined | false): Effect.Effect<A> =>
  eventuallyEffect(what, Effect.sync(look))

export const eventuallyEffect = <A, E>(
  what: string,
  look: Effect.Effect<A | undefined | false, E>,
  pause = 5,
): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    const deadline = Date.now() + patience
    for (;;) {
      const seen = yield* look
      if (seen !== undefined && seen !== false) return seen
      if (Date.now() > deadline) return yield* Effect.die(new Error(`not within ${patience} ms: ${what}`))
      yield* Effect.sleep(pause)
    }
  })

/** Waits until the queue holds that many messages ready. */
export const ready = (link: Link, queue: string, messages: number) =>
  eventuallyEffect(
    `${messages} messages ready in ${queue}`,
    Effect.map(link.inspectQueue(queue), (state) => state.messages === messages),
  )
