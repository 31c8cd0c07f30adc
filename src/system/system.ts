// The promise face: one node's running tree, and the client side.

import { Cause, Deferred, Effect, Exit, Layer, type LogLevel, References, Scope } from "effect"
import { promiseClient } from "../actor/client.ts"
import type { ActorDef } from "../actor/definition.ts"
import { promiseEvents } from "../actor/event-client.ts"
import type { Broker } from "../broker/broker.ts"
import type { Registry } from "../presence/registry.ts"
import type { Ref } from "../protocol/client.ts"
import type { AnyProtocol } from "../protocol/protocol.ts"
import type { Subscriptions } from "../protocol/subscription.ts"
import type { Child } from "../supervision/child.ts"
import type { ChildSpec } from "../supervision/spec.ts"
import { render, type View } from "../supervision/tree.ts"
import { addressOf, routingKey } from "../wire/address.ts"
import { type BrokerChoice, brokerLayer } from "./brokers.ts"
import { type NodeOptions, run } from "./running.ts"
import { onSignals } from "./signals.ts"
import { standalone, type Tree } from "./tree.ts"

export type SystemOptions<R> = NodeOptions & {
  readonly broker: BrokerChoice
  /** What runs from the start. */
  readonly tree?: Tree<R>
  /** Stop on SIGTERM and SIGINT, and then end the process. Default true. */
  readonly signals?: boolean
  /** The least severe log lines that are written. Default "Info". */
  readonly logLevel?: LogLevel.LogLevel
} & ([Exclude<R, Broker>] extends [never]
    ? { readonly services?: Layer.Layer<never> }
    : {
        /** The Effect services that the tree's actors need. */
        readonly services: Layer.Layer<Exclude<R, Broker>, unknown>
      })

export interface ActorSystem {
  readonly domain: string
  /** The id of this node: a UUID. */
  readonly node: string
  /** A client of an actor, wherever it runs. @throws TypeError when the address is badly formed. */
  readonly ref: <P extends AnyProtocol>(protocol: P, id: string, options?: { readonly domain?: string }) => Ref<P>
  /** The events of all actors with a protocol, wherever they run: `for await (const sold of system.events(Till).sold())`. */
  readonly events: <P extends AnyProtocol>(
    protocol: P,
    options?: { readonly domain?: string },
  ) => Subscriptions<P["messages"]>
  /** Who is where, as the nodes on this broker say of themselves. Information, never authority. */
  readonly registry: Registry
  /**
   * Starts an actor beside the tree, with a supervisor of its own. Resolves once it takes mail. Of services it may need
   * the `Broker` alone; actors that need others go into the tree.
   */
  readonly spawn: <P extends AnyProtocol>(def: ActorDef<P, Broker>, policy: ChildSpec) => Promise<Ref<P>>
  /** Stops an actor that was spawned here; whether there was one. Its mailbox stays, if it is durable. */
  readonly stopActor: <P extends AnyProtocol>(def: ActorDef<P, Broker>, id: string) => Promise<boolean>
  /**
   * The member of a `single` clique that runs here finishes what it began, hands the leadership over and stands by again;
   * whether it was leading. Where nobody else stands by it leads again, in a new term.
   */
  readonly stepDown: <P extends AnyProtocol>(def: { readonly protocol: P }, id: string) => Promise<boolean>
  /** The running tree, the runtime's own part included: as data ... */
  readonly tree: () => View
  /** ... and as text. */
  readonly printTree: () => string
  /** Drains and stops everything (docs/semantics.md, 11). Never rejects. */
  readonly stop: () => Promise<void>
  /** Resolves when the system has stopped; rejects with the reason when it came down by itself. */
  readonly ended: Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/** A service that fails while it is released does not keep the system from stopping. */
const logFailure = (exit: Exit.Exit<void>): Effect.Effect<void> =>
  Exit.isFailure(exit) ? Effect.logError("a service failed while it was released", exit.cause) : Effect.void

const start = async <R = never>(options: SystemOptions<R>): Promise<ActorSystem> => {
  const scope = Scope.makeUnsafe()
  const logLevel = Layer.succeed(References.MinimumLogLevel, options.logLevel ?? "Info")
  const services = (options.services ?? Layer.empty) as Layer.Layer<R, unknown>
  const launch = Effect.gen(function* () {
    const context = yield* Layer.buildWithScope(Layer.mergeAll(brokerLayer(options.broker), services, logLevel), scope)
    return yield* Effect.provideContext(run<R>(options, options.tree), context)
  })
  const launched = await Effect.runPromiseExit(Effect.provideService(launch, Scope.Scope, scope))
  const closing = Effect.andThen(Effect.exit(Scope.close(scope, Exit.void)), logFailure)
  const close = () => Effect.runPromise(Effect.provide(closing, logLevel))
  if (Exit.isFailure(launched)) {
    await close()
    throw Cause.squash(launched.cause)
  }
  const { surroundings, guardian } = launched.value
  const { node, actions, sessions, events, domain, askTimeout } = surroundings
  const { registry } = surroundings.presence

  const ended = Deferred.makeUnsafe<void, unknown>()
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= close().then(() => {
      forgetSignals()
      Deferred.doneUnsafe(ended, Effect.void)
    })
    return stopped
  }
  const forgetSignals = options.signals === false ? () => {} : onSignals(stop)

  // It may come down by itself: a fatal failure, or one that no supervisor could bear.
  const watch = Effect.flatMap(guardian.supervisor.awaitExit, (exit) =>
    Effect.promise(async () => {
      if (stopped !== undefined || Exit.isSuccess(exit)) return
      const why = Cause.squash(exit.cause)
      node.log("Error", `the system came down: ${why instanceof Error ? why.message : String(why)}`)
      stopped = close()
      await stopped
      forgetSignals()
      Deferred.doneUnsafe(ended, Effect.fail(why))
    }),
  )
  Effect.runFork(watch)
  const promise = Effect.runPromise(Deferred.await(ended))
  promise.catch(() => {}) // it has been logged; whoever wants to know awaits `ended`

  const ref: ActorSystem["ref"] = (protocol, id, where) => {
    const to = addressOf(where?.domain ?? domain, protocol, id)
    return promiseClient({ node, actions, registry, sessions, events, to, sender: undefined, askTimeout }, protocol)
  }
  return {
    domain,
    node: node.id,
    ref,
    events: (protocol, where) => promiseEvents(surroundings, protocol, where?.domain ?? domain),
    registry,
    spawn: async (def, policy) => {
      const supervisor = guardian.spawned()
      if (supervisor === undefined) throw new Error("the system has stopped")
      await Effect.runPromise(supervisor.startChild(standalone(def, policy).toChild(surroundings) as Child))
      return ref(def.protocol, policy.id)
    },
    stopActor: async (def, id) => {
      const supervisor = guardian.spawned()
      if (supervisor === undefined) return false
      return Effect.runPromise(supervisor.stopChild(standalone(def, { id }).id))
    },
    stepDown: async ({ protocol }, id) => {
      const leadership = surroundings.leaderships.get(routingKey(addressOf(domain, protocol, id)))
      if (leadership?.leads !== true) return false
      await Effect.runPromise(leadership.stepDown)
      return true
    },
    tree: () => guardian.supervisor.view(),
    printTree: () => render(guardian.supervisor.view()),
    stop,
    ended: promise,
    [Symbol.asyncDispose]: stop,
  }
}

export const ActorSystem = { start }
