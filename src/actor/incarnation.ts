// One incarnation of an actor: its factory is run, its cell takes the mail, and what it holds goes when it ends.

import { Cause, Deferred, Duration, Effect, Schema, Scope } from "effect"
import type { Mailbox } from "../messaging/mailbox.ts"
import { asError } from "../messaging/thrown.ts"
import type { Ref } from "../protocol/client.ts"
import { compiled } from "../protocol/codec.ts"
import { NotYet } from "../protocol/errors.ts"
import { type AnyProtocol, majorVersion } from "../protocol/protocol.ts"
import type { Child } from "../supervision/child.ts"
import type { ChildSpec } from "../supervision/spec.ts"
import { type Address, format } from "../wire/address.ts"
import { type AnyHandlers, Cell } from "./cell.ts"
import { Children } from "./children.ts"
import { promiseClient } from "./client.ts"
import type { ActorDef, CellInfo } from "./definition.ts"
import type { Self } from "./self.ts"
import type { Surroundings } from "./surroundings.ts"
import { CellTimers } from "./timers.ts"

/** A handler failed with something that its protocol does not declare, and its cell with it. */
export class CellCrashed extends Schema.TaggedError<CellCrashed>()("CellCrashed", {
  address: Schema.String,
  cause: Schema.Defect(),
}) {
  override get message(): string {
    return `${this.address} crashed: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/** The member whose incarnation it is. */
export interface Home<P extends AnyProtocol, R> {
  readonly surroundings: Surroundings
  readonly def: ActorDef<P, R>
  readonly address: Address
  readonly mailbox: Mailbox
  readonly spec: ChildSpec
  /** An actor as a child, for those that this one spawns. */
  readonly member: (def: ActorDef<AnyProtocol, never>, spec: ChildSpec) => Child
}

/**
 * Starts one cell in the current Scope; gives the effect that fails when it crashes.
 *
 * @param adopt is given the children that the cell will have, for the tree.
 */
export const incarnate = <P extends AnyProtocol, R>(
  home: Home<P, R>,
  incarnation: number,
  adopt: (children: Children) => void,
) =>
  Effect.gen(function* () {
    const { def, mailbox } = home
    const { node, services } = home.surroundings
    const crash = yield* Deferred.make<never, CellCrashed>()
    const info: CellInfo = { address: format(home.address), incarnation }
    const hook = (run: (() => void) | undefined) =>
      Effect.ignore(
        Effect.try(() => run?.()),
        { log: "Warn" },
      )
    let over = false
    const crashed = (thrown: unknown) => {
      if (over) return
      over = true
      const error = asError(thrown)
      mailbox.close(error)
      node.run(hook(() => def.options.hooks?.onCrash?.(info, error)))
      Deferred.doneUnsafe(crash, Effect.fail(new CellCrashed({ address: info.address, cause: error })))
    }
    const end = new AbortController()
    yield* Effect.addFinalizer(() => Effect.sync(() => end.abort(new Error(`${info.address} has ended`))))
    // What the cell holds goes in one scope, so that it goes after the mail is finished, whenever it was acquired.
    const held = yield* Scope.fork(yield* Effect.scope)
    const children = new Children(services, held, info.address, home.member, crashed)
    adopt(children)
    const tick = async (run: () => void | Promise<void>) => {
      try {
        await run()
      } catch (error) {
        crashed(error)
      }
    }
    const timers = new CellTimers(mailbox, tick, (effect) => Effect.runForkWith(services)(effect))
    yield* Effect.addFinalizer(() => Effect.sync(() => timers.cancelAll()))
    const self = makeSelf(home, incarnation, end.signal, children, timers, held)
    const making = def.make(self as Self<P["messages"]>)
    const handlers = (yield* Effect.provideService(making, Scope.Scope, held)) as AnyHandlers
    if (over) return Deferred.await(crash) // its children gave up before it was made
    const context = yield* Effect.context<R>()
    const cell = new Cell({ messages: compiled(def.protocol), handlers, services: context as never, crashed })
    // Last in, first out: mail is finished while children, timers and clean-ups are still there (member.ts, E3).
    yield* Effect.addFinalizer(() =>
      over
        ? Effect.void
        : mailbox.finish.pipe(
            Effect.timeoutOption(finishWithin(home.spec)),
            Effect.andThen(Effect.sync(() => mailbox.close(new Error(`${info.address} was stopped`)))),
            Effect.andThen(hook(() => def.options.hooks?.onStop?.(info))),
          ),
    )
    mailbox.open(cell)
    yield* hook(() => def.options.hooks?.onStart?.(info))
    return Deferred.await(crash)
  })

/** Leaves the supervisor's bound some room for the clean-ups that follow. */
const finishWithin = ({ shutdown }: ChildSpec): Duration.Input =>
  shutdown === "brutal"
    ? 0
    : shutdown === "infinity"
      ? "1 day"
      : Math.floor(Duration.toMillis((shutdown ?? 5000) as Duration.Input) * 0.8)

const makeSelf = (
  { surroundings, address }: Pick<Home<AnyProtocol, unknown>, "surroundings" | "address">,
  incarnation: number,
  signal: AbortSignal,
  children: Children,
  timers: CellTimers,
  scope: Scope.Scope,
): Self<{}> => {
  const { node, domain, askTimeout, services } = surroundings
  const sender = format(address)
  const ref = <P extends AnyProtocol>(protocol: P, id: string, options?: { readonly domain?: string }): Ref<P> => {
    const to = { domain: options?.domain ?? domain, type: protocol.name, id, major: majorVersion(protocol) }
    return promiseClient({ node, to, sender, askTimeout }, protocol)
  }
  return {
    address: sender,
    node: node.id,
    incarnation,
    signal,
    ref,
    emit: (name) => Promise.reject(new NotYet({ what: `the event ${String(name)}` })),
    defer: (cleanup) => {
      const run = Effect.tryPromise({ try: async () => cleanup(), catch: (error) => error })
      const logged = Effect.catchCause(run, (cause) =>
        Effect.logWarning(`${sender}: a clean-up failed`, Cause.squash(cause)),
      )
      Effect.runSync(Scope.addFinalizer(scope, logged))
    },
    spawn: async (child, options) => {
      await children.start(child, options)
      return ref(child.protocol, options.id)
    },
    stopChild: (child, id) => children.stop(child, id),
    timers,
    log: (message, ...rest) => {
      Effect.runForkWith(services)(Effect.annotateLogs(Effect.logInfo(message, ...rest), "actor", sender))
    },
  }
}
