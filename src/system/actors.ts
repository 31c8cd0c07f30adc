// The Effect face: the running node as a service, and its parts as Layers.

import { Context, Effect, Layer, type Scope } from "effect"
import { effectClient } from "../actor/client.ts"
import type { ActorDef } from "../actor/definition.ts"
import { effectEvents } from "../actor/event-client.ts"
import type { Broker } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import { RabbitMq, type RabbitMqOptions } from "../broker/rabbitmq/rabbitmq.ts"
import type { Registry } from "../presence/registry.ts"
import type { EffectClient } from "../protocol/client.ts"
import type { AnyProtocol } from "../protocol/protocol.ts"
import type { EffectSubscriptions } from "../protocol/subscription.ts"
import type { Child } from "../supervision/child.ts"
import type { Fatal, GaveUp, SpecError, StartFailed } from "../supervision/errors.ts"
import type { ChildSpec } from "../supervision/spec.ts"
import type { View } from "../supervision/tree.ts"
import { addressOf } from "../wire/address.ts"
import { type BadOptions, type BrokerUnreachable, type NodeOptions, type Running, run } from "./running.ts"
import { standalone, type Tree } from "./tree.ts"

/** Why a node or a part of its tree did not start. */
export type StartError = BadOptions | BrokerUnreachable | BrokerError | Fatal | GaveUp | SpecError | StartFailed

interface Shape {
  readonly running: Running
  /** The running tree, the runtime's own part included. */
  readonly tree: Effect.Effect<View>
}

/** A running node: it is stopped, drained first, when its layer is released. */
export class Actors extends Context.Service<Actors, Shape>()("warren/Actors") {
  static layer(options: NodeOptions): Layer.Layer<Actors, StartError, Broker> {
    return Layer.effect(
      Actors,
      Effect.map(run<never>(options, undefined), (running) => ({
        running,
        tree: Effect.sync(() => running.guardian.supervisor.view()),
      })),
    )
  }

  /** Runs a tree on the node for as long as the layer lives. */
  static tree<R>(tree: Tree<R>): Layer.Layer<never, StartError, Actors | R> {
    return Layer.effectDiscard(Effect.flatMap(Actors, ({ running }) => grow(running, tree)))
  }

  /** Starts an actor in the current Scope, with a supervisor of its own. Succeeds once it takes mail. */
  static spawn<P extends AnyProtocol, R>(
    def: ActorDef<P, R>,
    policy: ChildSpec,
  ): Effect.Effect<EffectClient<P["messages"]>, StartError, Actors | R | Scope.Scope> {
    return Effect.gen(function* () {
      const { running } = yield* Actors
      yield* grow(running, standalone(def, policy))
      return yield* Actors.ref(def.protocol, policy.id)
    })
  }

  /** Who is where, as the nodes on this broker say of themselves. */
  static readonly registry: Effect.Effect<Registry, never, Actors> = Effect.map(
    Effect.suspend(() => Actors),
    ({ running }) => running.surroundings.presence.registry,
  )

  /** A client of an actor, wherever it runs. A badly formed address is a defect. */
  static ref<P extends AnyProtocol>(
    protocol: P,
    id: string,
    options?: { readonly domain?: string },
  ): Effect.Effect<EffectClient<P["messages"]>, never, Actors> {
    return Effect.map(Actors, ({ running: { surroundings } }) => {
      const { node, actions, presence, sessions, events, domain, askTimeout } = surroundings
      const to = addressOf(options?.domain ?? domain, protocol, id)
      const { registry } = presence
      return effectClient({ node, actions, registry, sessions, events, to, sender: undefined, askTimeout }, protocol)
    })
  }

  /** The events of all actors with a protocol. */
  static events<P extends AnyProtocol>(
    protocol: P,
    options?: { readonly domain?: string },
  ): Effect.Effect<EffectSubscriptions<P["messages"]>, never, Actors> {
    return Effect.map(Actors, ({ running: { surroundings } }) =>
      effectEvents(surroundings, protocol, options?.domain ?? surroundings.domain),
    )
  }
}

/** Adds a part to the running tree, with the services of the current context, until the Scope closes. */
const grow = <R>(running: Running, tree: Tree<R>) =>
  Effect.gen(function* () {
    const supervisor = running.guardian.spawned()
    if (supervisor === undefined) return yield* Effect.die(new Error("the node has stopped"))
    const context = yield* Effect.context<R>()
    const grown = withContext(tree.toChild(running.surroundings), context)
    yield* Effect.acquireRelease(supervisor.startChild(grown), () => supervisor.stopChild(tree.id))
  })

/** Its incarnations run under a supervisor that was started elsewhere, with another context. */
const withContext = <R>(grown: Child<R>, context: Context.Context<R>): Child => ({
  ...grown,
  open: Effect.map(
    Effect.updateContext(grown.open, (outer: Context.Context<Scope.Scope>) => Context.merge(context, outer)),
    (incarnation) => (ready) =>
      Effect.updateContext(incarnation(ready), (outer: Context.Context<Scope.Scope>) => Context.merge(context, outer)),
  ),
})

/** RabbitMQ as the broker of a node. */
export const Amqp = {
  layer: (options: string | RabbitMqOptions): Layer.Layer<Broker> => RabbitMq.layer(options),
}
