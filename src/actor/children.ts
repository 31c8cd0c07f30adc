// The children that a cell has spawned: a supervisor of their own, one for one, that ends with the cell.

import { Cause, type Context, Effect, Exit, Scope } from "effect"
import type { AnyProtocol } from "../protocol/protocol.ts"
import type { Child } from "../supervision/child.ts"
import type { ChildSpec } from "../supervision/spec.ts"
import { type Supervisor, supervise } from "../supervision/supervisor.ts"
import type { View } from "../supervision/tree.ts"
import { localName } from "../wire/address.ts"
import type { ActorDef } from "./definition.ts"

type Definition = ActorDef<AnyProtocol, never>

export class Children {
  readonly #services: Context.Context<never>
  readonly #scope: Scope.Scope
  readonly #name: string
  readonly #make: (child: Definition, spec: ChildSpec) => Child
  readonly #crashed: (error: unknown) => void
  #supervisor: Promise<Supervisor> | undefined
  #view: (() => View) | undefined

  /**
   * @param scope ends with the cell.
   * @param make an actor as a child.
   * @param crashed called when the children crashed more often than a supervisor bears: the cell goes down with them.
   */
  constructor(
    services: Context.Context<never>,
    scope: Scope.Scope,
    name: string,
    make: (child: Definition, spec: ChildSpec) => Child,
    crashed: (error: unknown) => void,
  ) {
    this.#services = services
    this.#scope = scope
    this.#name = name
    this.#make = make
    this.#crashed = crashed
  }

  views(): ReadonlyArray<View> {
    return this.#view?.().children ?? []
  }

  async start(def: Definition, policy: ChildSpec): Promise<void> {
    const supervisor = await this.#open()
    const child = this.#make(def, policy)
    await this.#run(
      supervisor.startChild({ ...child, spec: { ...child.spec, id: localName(def.protocol, policy.id) } }),
    )
  }

  async stop(def: Definition, id: string): Promise<boolean> {
    if (this.#supervisor === undefined) return false
    const supervisor = await this.#supervisor
    return this.#run(supervisor.stopChild(localName(def.protocol, id)))
  }

  /** Most cells have no children: the supervisor is made for the first one. */
  #open(): Promise<Supervisor> {
    this.#supervisor ??= this.#run(
      Effect.provideService(supervise<never>(this.#name, {}, []), Scope.Scope, this.#scope).pipe(
        Effect.tap((supervisor) => {
          this.#view = supervisor.view
          const watch = Effect.map(supervisor.awaitExit, (exit) => {
            if (Exit.isFailure(exit)) this.#crashed(Cause.squash(exit.cause))
          })
          return Effect.forkIn(watch, this.#scope)
        }),
      ),
    )
    return this.#supervisor
  }

  #run<A, E>(effect: Effect.Effect<A, E>): Promise<A> {
    return Effect.runPromiseWith(this.#services)(effect)
  }
}
