// A link to the embedded broker and a few verbs for it, for the tests of this folder.

import { Context, Effect, Layer, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Broker, type Delivery, type Link, type Outgoing } from "../../src/broker/broker.ts"
import type { EmbeddedBroker } from "../../src/broker/embedded/embedded.ts"
import type { PublishFailure } from "../../src/broker/errors.ts"

/** One turn of the real event loop, whatever the clock. */
export const turn: Effect.Effect<void> = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

/** Waits for real, at most a second. */
export const until = (what: string, holds: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    const deadline = performance.now() + 1000
    while (!holds()) {
      if (performance.now() > deadline) return yield* Effect.die(new Error(`never came: ${what}`))
      yield* turn
    }
  })

/** Long enough for what would come wrongly to have come. */
export const settle: Effect.Effect<void> = Effect.repeat(turn, { times: 5 }).pipe(Effect.asVoid)

export const connect = (broker: EmbeddedBroker, name = "embedded"): Effect.Effect<Link, unknown, Scope.Scope> =>
  Effect.flatMap(Layer.build(broker.as(name)), (context) => Context.get(context, Broker).connect)

export const send = (link: Link, queue: string, text: string, more: Partial<Outgoing> = {}) =>
  Effect.callback<void, PublishFailure>((resume) =>
    link.publish({ exchange: "", routingKey: queue, body: Buffer.from(text), ...more }, (failure) =>
      resume(failure === undefined ? Effect.void : Effect.fail(failure)),
    ),
  )

export const bodyOf = (delivery: Delivery | undefined): string | undefined => delivery?.message.body.toString()

/** Consumes, and keeps what comes. */
export const listen = (link: Link, queue: string, prefetch: number) =>
  Effect.gen(function* () {
    const deliveries: Array<Delivery> = []
    const cancelled: Array<string> = []
    const consumer = yield* link.consume(
      queue,
      { prefetch },
      { delivery: (delivery) => void deliveries.push(delivery), cancelled: (why) => void cancelled.push(why) },
    )
    return { deliveries, cancelled, consumer, bodies: () => deliveries.map(bodyOf) }
  })

/** Runs under a clock that only the test moves. */
export const frozen = <A>(work: Effect.Effect<A, unknown, Scope.Scope>): Promise<A> =>
  Effect.runPromise(work.pipe(Effect.scoped, Effect.provide(TestClock.layer())) as Effect.Effect<A>)

/** Moves that clock, and lets what follows from it happen. */
export const pass = (ms: number): Effect.Effect<void> => Effect.andThen(TestClock.adjust(ms), settle)
