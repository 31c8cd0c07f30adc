// The contract of a broker: what every implementation of the port does, and RabbitMQ is the judge of it.

import { Effect, type Layer, ManagedRuntime } from "effect"
import { afterAll, afterEach, beforeAll, describe, it } from "vitest"
import { Broker } from "../../src/broker/broker.ts"
import { Bench, exchanges } from "./bench.ts"
import { channels } from "./channels.ts"
import { consuming } from "./consuming.ts"
import { loss } from "./loss.ts"
import { publishing } from "./publishing.ts"
import { queues } from "./queues.ts"
import { streams } from "./streams.ts"
import { token } from "./token.ts"
import { topics } from "./topics.ts"

/** A broker, and the power to hurt it. */
export interface Rig {
  /** Built once for the whole suite. */
  readonly broker: Layer.Layer<Broker>
  /** Cuts every link that is open now, as a failing network does. */
  readonly cut: () => void
  /** A resource alarm at the broker; undefined where this rig cannot raise one. */
  readonly alarm: { readonly raise: () => Promise<void>; readonly lift: () => Promise<void> } | undefined
  readonly close: () => Promise<void>
}

/** Registers one test; its links are closed and its queues deleted after it. */
export type Spec = (sentence: string, work: (bench: Bench) => Effect.Effect<void, unknown, Broker>) => void

export interface Suite {
  readonly spec: Spec
  readonly rig: () => Rig
}

export const contract = (name: string, makeRig: () => Promise<Rig>, can: { readonly alarm: boolean }): void => {
  describe(`the broker contract on ${name}`, () => {
    let rig: Rig
    let bench: Bench
    let runtime: ManagedRuntime.ManagedRuntime<Broker, never>
    beforeAll(async () => {
      rig = await makeRig()
      runtime = ManagedRuntime.make(rig.broker)
      bench = new Bench(runtime)
      await bench.run(
        Effect.gen(function* () {
          const broker = yield* Broker
          const link = yield* broker.connect
          yield* Effect.forEach(Object.values(exchanges), link.declareExchange)
        }).pipe(Effect.scoped),
      )
    })
    afterEach(() => bench.cleanUp())
    afterAll(async () => {
      await runtime?.dispose()
      await rig?.close()
    })
    const spec: Spec = (sentence, work) => it(sentence, () => bench.run(work(bench)), 20_000)
    const suite: Suite = { spec, rig: () => rig }
    publishing(suite)
    consuming(suite)
    channels(suite)
    token(suite)
    queues(suite)
    streams(suite)
    topics(suite)
    loss(suite, can)
  })
}
