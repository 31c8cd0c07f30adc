// A link of the test's own beside the systems under test: looks into queues, and sends what no client of ours would.

import { Effect, Exit, Scope } from "effect"
import { Broker, type Delivery, type Outgoing, type QueueSpec } from "../../src/broker/broker.ts"
import type { BrokerError } from "../../src/broker/errors.ts"
import { RabbitMq } from "../../src/broker/rabbitmq/rabbitmq.ts"
import { type DeadLetter, decodeDeadLetter } from "../../src/wire/dead-letter.ts"
import { isMalformed } from "../../src/wire/malformed.ts"
import { names } from "../../src/wire/names.ts"

export interface SideLink extends AsyncDisposable {
  readonly declareQueue: (spec: QueueSpec) => Promise<void>
  readonly deleteQueue: (name: string) => Promise<void>
  readonly purge: (name: string) => Promise<void>
  /** Messages that are ready: what is in somebody's hand does not count. */
  readonly ready: (queue: string) => Promise<number>
  /** Whether the broker has it. */
  readonly publish: (message: Outgoing) => Promise<boolean>
  /** Takes everything that is ready out of the dead letters. */
  readonly takeDeadLetters: (prefix: string) => Promise<ReadonlyArray<DeadLetter>>
}

export const openSideLink = async (url: string): Promise<SideLink> => {
  const scope = Scope.makeUnsafe()
  const opening = Effect.flatMap(Broker, (broker) => broker.connect)
  const link = await Effect.runPromise(
    opening.pipe(Effect.provide(RabbitMq.layer(url)), Effect.provideService(Scope.Scope, scope)),
  )
  const run = <A>(effect: Effect.Effect<A, BrokerError>) => Effect.runPromise(effect)
  const takeAll = async (queue: string): Promise<ReadonlyArray<Delivery>> => {
    const taken: Array<Delivery> = []
    for (let next = await run(link.get(queue)); next !== undefined; next = await run(link.get(queue))) {
      next.ack()
      taken.push(next)
    }
    return taken
  }
  return {
    declareQueue: async (spec) => void (await run(link.declareQueue(spec))),
    deleteQueue: (name) => run(link.deleteQueue(name)),
    purge: (name) => run(link.purgeQueue(name)),
    ready: async (queue) => (await run(link.inspectQueue(queue))).messages,
    publish: (message) => new Promise((resolve) => link.publish(message, (failure) => resolve(failure === undefined))),
    takeDeadLetters: async (prefix) =>
      (await takeAll(names(prefix).deadLetters)).map(({ message }) => {
        const letter = decodeDeadLetter(message)
        if (isMalformed(letter)) throw new Error(`the dead letters hold something else: ${letter.why}`)
        return letter
      }),
    [Symbol.asyncDispose]: () => Effect.runPromise(Scope.close(scope, Exit.void)),
  }
}
