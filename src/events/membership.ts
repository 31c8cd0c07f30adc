// A user of the connection that joins it with the first who needs it, and stays until the node stops.
//
// M1. It joins once, for all who wait for it, whoever of them gives up. When it is refused, those who wait are told; who
//     comes next tries again.

import { Deferred, Effect, Exit, Scope } from "effect"
import type { BrokerError } from "../broker/errors.ts"
import type { LinkUser } from "../messaging/connection.ts"
import type { Node } from "../messaging/node.ts"

interface Attempt {
  readonly scope: Scope.Closeable
  readonly joined: Deferred.Deferred<void, BrokerError>
}

export class Membership {
  readonly #node: Node
  readonly #user: LinkUser
  #attempt: Attempt | undefined

  constructor(node: Node, user: LinkUser) {
    this.#node = node
    this.#user = user
  }

  /** Somebody has joined it, or is about to. */
  get isOpen(): boolean {
    return this.#attempt !== undefined
  }

  /** Until it is up. */
  readonly join: Effect.Effect<void, BrokerError> = Effect.suspend(() => {
    this.#attempt ??= this.#start()
    return Deferred.await(this.#attempt.joined)
  })

  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    const attempt = this.#attempt
    this.#attempt = undefined
    return attempt === undefined ? Effect.void : Scope.close(attempt.scope, Exit.void)
  })

  #start(): Attempt {
    const attempt: Attempt = { scope: Scope.makeUnsafe(), joined: Deferred.makeUnsafe() }
    const joining = Scope.provide(this.#node.connection.join(this.#user), attempt.scope)
    const told = Effect.flatMap(Effect.exit(joining), (exit) =>
      Effect.suspend(() => {
        Deferred.doneUnsafe(attempt.joined, exit)
        if (Exit.isSuccess(exit) || this.#attempt !== attempt) return Effect.void
        this.#attempt = undefined
        return Scope.close(attempt.scope, Exit.void)
      }),
    )
    this.#node.run(told)
    return attempt
  }
}
