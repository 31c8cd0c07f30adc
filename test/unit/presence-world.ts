// Nodes with presence on one embedded broker, on a clock that only the test moves.

import { Clock, Context, Effect, Exit, Layer, References, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Broker, type Link } from "../../src/broker/broker.ts"
import { Embedded } from "../../src/broker/embedded/embedded.ts"
import { Node } from "../../src/messaging/node.ts"
import { defaultLimits } from "../../src/messaging/outbox.ts"
import type { Change } from "../../src/presence/listed.ts"
import { Presence } from "../../src/presence/presence.ts"
import { names } from "../../src/wire/names.ts"
import { settle, turn, until } from "./embedded-fixture.ts"
import { aMember } from "./presence-fixture.ts"

export const interval = 5_000

/** Lets time pass, and what follows from it happen. */
export const elapse = (ms: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    const step = 50
    for (let passed = 0; passed < ms; passed += step) {
      yield* TestClock.adjust(Math.min(step, ms - passed))
      yield* settle
    }
  })

/** @param dress what the links of the nodes are to be like. */
export const makeWorldOf = Effect.fnUntraced(function* (dress: (link: Link) => Link) {
  const broker = yield* Embedded.make()
  const clock = yield* Clock.clockWith(Effect.succeed)
  const context = Context.add(yield* Effect.context<never>(), References.MinimumLogLevel, "None")

  const join = (name: string, addresses: ReadonlyArray<string> = []) =>
    Effect.gen(function* () {
      const service = Context.get(yield* Layer.build(broker.as(name)), Broker)
      const node = new Node({
        broker: { ...service, connect: Effect.map(service.connect, dress) },
        names: names(),
        clock,
        outbox: defaultLimits,
        run: (effect) => void Effect.runForkWith(context)(effect),
      })
      const presence = new Presence(node, { interval, random: () => 0.5 })
      for (const address of addresses) presence.add(() => aMember({ address }))
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.ignore(node.connection.run), Effect.sleep(20))))
      const scope = Scope.makeUnsafe()
      const exit = yield* Effect.forkScoped(Effect.provideService(presence.run, Scope.Scope, scope))
      yield* until(`${name} is up`, () => exit.pollUnsafe() !== undefined)
      yield* turn
      return { node, presence, registry: presence.registry, leave: Scope.close(scope, Exit.void) }
    })

  /** Cut off until the test allows links again. */
  const cut = (name: string) =>
    Effect.sync(() => {
      broker.faults.refuse()
      broker.faults.cut({ name })
    })

  return { broker, join, cut }
})

export const makeWorld = makeWorldOf((link) => link)

type Present = Effect.Success<ReturnType<Effect.Success<typeof makeWorld>["join"]>>

/** The result of a promise that needs time to pass. */
export const passing = <A>(promise: Promise<A>): Effect.Effect<A> =>
  Effect.gen(function* () {
    let over = false
    const done = promise.finally(() => {
      over = true
    })
    done.catch(() => {})
    for (let waited = 0; !over && waited < 10_000; waited += 50) yield* elapse(50)
    return yield* Effect.promise(() => done)
  })

/** What it is told from now on, as text. */
export const watching = ({ registry }: Present) =>
  Effect.gen(function* () {
    const told: Array<string> = []
    const tell = (change: Change) =>
      void told.push(`${change.kind} ${change.member.address}${"why" in change ? ` (${change.why})` : ""}`)
    yield* passing(registry.watch({}, tell))
    return told
  })
