// Looks at a broker as a node of its own that runs no actor: it joins, asks who is there, and leaves.
//
// O1. It dials once. What the first attempt says is what the user has to know; a service would try again, a command is
//     called again.
// O2. Where no node has ever been it leaves nothing behind: it looks for a queue that each of them declares, before it joins
//     and declares it too. A mistyped prefix stays a question.
// O3. Ctrl-C is an orderly end as well: the broker hears the goodbye, and then the process ends by the signal.

import { Deferred, Effect, Layer, References } from "effect"
import { Broker } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import { RabbitMq } from "../broker/rabbitmq/rabbitmq.ts"
import { RegistryClosed } from "../presence/errors.ts"
import { Actors } from "../system/actors.ts"
import { onSignals } from "../system/signals.ts"
import { names } from "../wire/names.ts"
import type { Look } from "./arguments.ts"
import type { Snapshot } from "./snapshot.ts"

type Where = Pick<Look, "broker" | "prefix" | "wait">

/** Rejects with what kept it from seeing anybody. */
export const look = async (where: Where): Promise<Snapshot> => {
  const stopping = new AbortController()
  const looking = Effect.runPromise(visit(where), { signal: stopping.signal })
  const forget = onSignals(async () => {
    stopping.abort()
    await Promise.allSettled([looking])
  })
  try {
    return await looking
  } catch (error) {
    if (stopping.signal.aborted) return await new Promise<never>(() => {}) // O3: the signal is on its way
    throw error
  } finally {
    forget()
  }
}

const visit = ({ broker: url, prefix, wait }: Where) =>
  Effect.gen(function* () {
    const failed = yield* Deferred.make<never, BrokerError>()
    const given = RabbitMq.layer({ url, connectionName: "warren command line" })
    const { name } = yield* Effect.provide(Broker, given)
    const once = Effect.map(Broker, (broker) => ({
      ...broker,
      connect: broker.connect.pipe(
        Effect.tap((link) => link.inspectQueue(names(prefix).deadLetters)), // O2
        Effect.tapError((error) => Deferred.fail(failed, error)), // O1
      ),
    }))
    const broker = Layer.provide(Layer.effect(Broker, once), given)
    const node = Actors.layer({ domain: "warren", prefix, startTimeout: "10 seconds" })
    const nobody: Snapshot = { broker: name, prefix, at: Date.now(), nodes: [], members: [] }
    return yield* survey(prefix, wait).pipe(
      Effect.provide(Layer.provide(node, broker)),
      Effect.raceFirst(Deferred.await(failed)),
      Effect.catchTag("NotFound", () => Effect.succeed(nobody)),
    )
  }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

const survey = (prefix: string, wait: number) =>
  Effect.gen(function* () {
    const { node, presence } = (yield* Actors).running.surroundings
    const { registry } = presence
    presence.follow()
    yield* Effect.sleep(wait)
    const told = <A>(ask: () => Promise<A>) =>
      Effect.tryPromise({ try: ask, catch: (error) => error as BrokerError | RegistryClosed })
    const members = yield* told(() => registry.list())
    const nodes = yield* told(() => registry.nodes())
    const { name, trouble } = node.connection
    // A blocked broker takes no question, and so knows no answer.
    if (trouble !== undefined) return yield* new RegistryClosed({ why: trouble })
    const others = nodes.filter((each) => each.node !== node.id)
    return { broker: name, prefix, at: node.now(), nodes: others, members } satisfies Snapshot
  })
