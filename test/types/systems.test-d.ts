// What the compiler knows of trees and systems: which services they need, and what it refuses. Compiled, never run.

import { Effect, Layer } from "effect"
import { ActorSystem, actor, child, type Ref, supervisor, type Tree } from "warren"
import { Actors, Amqp, type AskError, type Broker, Embedded, type StartError } from "warren/effect"
import { deadLetters } from "../../actors/dead-letters.ts"
import { Db, Ping } from "./protocols.ts"
import { same } from "./same.ts"

declare const dbLayer: Layer.Layer<Db>

const plain = actor(Ping, { ping: () => "pong" })
const needing = actor(Ping, {
  ping: () =>
    Effect.as(
      Effect.flatMap(Db, (db) => db.save(1)),
      "pong",
    ),
})

// Needs add up.
const tree = supervisor(
  "app",
  {
    strategy: "rest-for-one",
    intensity: { maxRestarts: 5, within: "1 minute" },
    backoff: { initial: "100 millis", max: "10 seconds" },
  },
  [
    child(plain, { id: "plain", restart: "transient" }),
    supervisor("inner", { strategy: "one-for-all" }, [child(needing, { id: "needing", shutdown: "5 seconds" })]),
  ],
)
same<typeof tree, Tree<Db>>(true)
const free = supervisor("app", {}, [child(plain, { id: "plain" })])
same<typeof free, Tree<never>>(true)
same<ReturnType<typeof emptyTree>, Tree<never>>(true)
const emptyTree = () => supervisor("app", {}, [])
const both = supervisor("app", {}, [child(needing, { id: "a" }), child(deadLetters, { id: "main" })])
same<typeof both, Tree<Db | Broker>>(true)

export const systems = async (): Promise<void> => {
  await using system = await ActorSystem.start({ domain: "acme", broker: "amqp://localhost", tree, services: dbLayer })
  const ref = system.ref(Ping, "plain")
  same<typeof ref, Ref<typeof Ping>>(true)
  const spawned = await system.spawn(plain, { id: "x", restart: "temporary" })
  same<typeof spawned, Ref<typeof Ping>>(true)

  await ActorSystem.start({ domain: "acme", broker: "embedded" })
  await ActorSystem.start({ domain: "acme", broker: Embedded.layer, tree: free })
  // The broker is there anyway: an actor that works on it needs nothing else.
  await ActorSystem.start({
    domain: "acme",
    broker: "embedded",
    tree: supervisor("app", {}, [child(deadLetters, { id: "main" })]),
  })
  await ActorSystem.start({ domain: "acme", broker: "embedded", tree: both, services: dbLayer })

  // @ts-expect-error a tree that needs Db cannot start without `services`
  await ActorSystem.start({ domain: "acme", broker: "embedded", tree })
  // @ts-expect-error nor with the wrong ones
  await ActorSystem.start({ domain: "acme", broker: "embedded", tree, services: Layer.empty })
  // @ts-expect-error a system needs a domain
  await ActorSystem.start({ broker: "embedded" })
  // @ts-expect-error what needs services cannot be spawned: the system was started without them
  await system.spawn(needing, { id: "x" })
  // @ts-expect-error an unknown strategy
  supervisor("app", { strategy: "one-for-some" }, [])
  // @ts-expect-error an unknown restart
  child(plain, { id: "x", restart: "always" })
  // @ts-expect-error a child needs an id
  child(plain, {})
}

// The Effect face: the same, as Layers.
export const program = Effect.gen(function* () {
  const ping = yield* Actors.ref(Ping, "needing")
  return yield* ping.ping()
})
same<typeof program, Effect.Effect<string, AskError, Actors>>(true)
const node = Actors.tree(tree).pipe(Layer.provideMerge(Actors.layer({ domain: "acme" })))
same<typeof node, Layer.Layer<Actors, StartError, Broker | Db>>(true)
export const provided = program.pipe(
  Effect.provide(node.pipe(Layer.provide([dbLayer, Amqp.layer("amqp://localhost")]))),
)
same<typeof provided, Effect.Effect<string, AskError | StartError>>(true)
