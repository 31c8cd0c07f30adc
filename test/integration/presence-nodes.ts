// Nodes with presence and nothing else on the broker under test. Each has a link of its own that a test may cut.

import { Clock, Deferred, Effect, Exit, Fiber, type Layer, References, Scope } from "effect"
import { Broker, type Link } from "../../src/broker/broker.ts"
import { LinkLost } from "../../src/broker/errors.ts"
import { Node } from "../../src/messaging/node.ts"
import { defaultLimits } from "../../src/messaging/outbox.ts"
import { Presence } from "../../src/presence/presence.ts"
import { type Beat, beatPattern, decodeBeat, type MemberReport } from "../../src/wire/beat.ts"
import { isMalformed } from "../../src/wire/malformed.ts"
import type { Names } from "../../src/wire/names.ts"
import { aMember } from "../unit/presence-fixture.ts"
import type { Bench } from "./bench.ts"

/** ms. Long enough for two busy cores, short enough to wait for two of them. */
export const interval = 400

const quietly = <A, E>(effect: Effect.Effect<A, E>) => Effect.provideService(effect, References.MinimumLogLevel, "None")

export class PresentNode {
  readonly node: Node
  readonly presence: Presence
  readonly #scope = Scope.makeUnsafe()
  readonly #connecting: Fiber.Fiber<never>
  #cut = Deferred.makeUnsafe<never, LinkLost>()
  #away = false

  constructor(broker: Broker["Service"], clock: Clock.Clock, names: Names, every: number) {
    const connect = Effect.suspend(() =>
      this.#away
        ? Effect.fail(new LinkLost({ why: "cut off by the test" }))
        : Effect.map(broker.connect, this.#cuttable),
    )
    const run = (effect: Effect.Effect<void>) => void Effect.runFork(quietly(effect))
    this.node = new Node({ broker: { ...broker, connect }, names, clock, outbox: defaultLimits, run })
    this.presence = new Presence(this.node, { interval: every })
    const link = Effect.andThen(Effect.ignore(this.node.connection.run), Effect.sleep(20))
    this.#connecting = Effect.runFork(quietly(Effect.forever(link)))
  }

  get id(): string {
    return this.node.id
  }

  get registry() {
    return this.presence.registry
  }

  readonly #cuttable = (link: Link): Link => {
    this.#cut = Deferred.makeUnsafe()
    return { ...link, lost: Effect.raceFirst(link.lost, Deferred.await(this.#cut)) }
  }

  start(): Promise<void> {
    return Effect.runPromise(quietly(Effect.provideService(this.presence.run, Scope.Scope, this.#scope)))
  }

  /** It loses its link without a word, and gets no other. */
  cut(): void {
    this.#away = true
    Deferred.doneUnsafe(this.#cut, Effect.fail(new LinkLost({ why: "cut off by the test" })))
  }

  reconnect(): void {
    this.#away = false
  }

  /** With a goodbye, if it is not cut off. */
  async stop(): Promise<void> {
    await Effect.runPromise(quietly(Scope.close(this.#scope, Exit.void)))
    await Effect.runPromise(Effect.ignore(this.node.leaveInbox))
    await Effect.runPromise(Fiber.interrupt(this.#connecting))
  }
}

/** A node on this broker, not started yet. */
export const present = async (broker: Layer.Layer<Broker>, names: Names, every = interval): Promise<PresentNode> => {
  const needs = Effect.all([Effect.map(Broker, (service) => service), Clock.clockWith(Effect.succeed)])
  const [service, clock] = await Effect.runPromise(Effect.provide(needs, broker))
  return new PresentNode(service, clock, names, every)
}

/** Starts a node that says of itself what `members` are at that moment. It is stopped after the test. */
export const join = async (
  bench: Bench,
  members: () => ReadonlyArray<Partial<MemberReport>> = () => [],
  every = interval,
): Promise<PresentNode> => {
  const node = await present(bench.venue.layer, bench.names, every)
  for (const [index] of members().entries()) node.presence.add(() => aMember(members()[index] ?? {}))
  bench.after(() => node.stop())
  await node.start()
  return node
}

/** Every beat that is sent from now on, as somebody beside the nodes sees it. */
export const spy = async (bench: Bench): Promise<() => Promise<ReadonlyArray<Beat>>> => {
  const queue = `${bench.prefix}.spy.${bench.id()}`
  await bench.run(bench.link.declareExchange({ name: bench.names.presence, type: "topic" }))
  await bench.run(bench.link.declareQueue({ name: queue, type: "classic", expires: 60_000 }))
  await bench.run(bench.link.bind({ queue, exchange: bench.names.presence, routingKey: beatPattern }))
  bench.after(() => bench.run(bench.link.deleteQueue(queue)))
  const seen: Array<Beat> = []
  return async () => {
    for (const { message } of await bench.takeAll(queue)) {
      const beat = decodeBeat(message)
      if (isMalformed(beat)) throw new Error(beat.why)
      seen.push(beat)
    }
    return seen
  }
}
