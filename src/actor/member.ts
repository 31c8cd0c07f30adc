// A member: one process's part in a clique. It outlives the cells that it starts one after the other.
//
// E1. The mailbox is subscribed to before the first cell starts, and left after the last one has ended.
// E2. A crash ends the cell; the member, its mailbox and its mail stay (promise 6).
// E3. A stop takes no new mail and finishes what was begun, within the child's shutdown bound (promise 11).

import { Cause, type Context, Deferred, Duration, Effect, Schema, Scope } from "effect"
import type { QueueSpec } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import { Mailbox, type MailboxOptions } from "../messaging/mailbox.ts"
import type { Node } from "../messaging/node.ts"
import type { Ref } from "../protocol/client.ts"
import { compiled } from "../protocol/codec.ts"
import { NotYet } from "../protocol/errors.ts"
import { type AnyProtocol, majorVersion } from "../protocol/protocol.ts"
import type { Child } from "../supervision/child.ts"
import type { ChildSpec } from "../supervision/spec.ts"
import { type Address, format, invalid } from "../wire/address.ts"
import type { Names } from "../wire/names.ts"
import { type AnyHandlers, Cell } from "./cell.ts"
import { Children } from "./children.ts"
import { type ClientOptions, promiseClient } from "./client.ts"
import type { ActorDef, ActorOptions, CellInfo } from "./definition.ts"
import type { Self } from "./self.ts"
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

/** An actor that cannot be started as it is defined. */
export class BadActor extends Schema.TaggedError<BadActor>()("BadActor", { why: Schema.String }) {
  get fatal(): true {
    return true
  }
  override get message(): string {
    return this.why
  }
}

/** What members share: the node, and what the system was started with. */
export interface Surroundings {
  readonly node: Node
  readonly domain: string
  /** ms. */
  readonly askTimeout: number
  /** Services for factories and handlers, and the logger, the clock and so on. */
  readonly services: Context.Context<never>
}

const defaults = { capacity: 100_000, maxDeliveries: 3, stuckAfter: 60_000, expires: 60_000 }
/** Only a backstop: what comes back often is dealt with by `maxDeliveries` long before (docs/semantics.md, 6). */
const deliveryLimit = 100

const millis = (input: Duration.Input | undefined, otherwise: number): number =>
  input === undefined ? otherwise : Duration.toMillis(Duration.fromInputUnsafe(input))

/** The mailbox queue of an actor, as it is declared: these arguments are part of the wire (docs/wire.md). */
export const mailboxQueue = (names: Names, address: Address, options: ActorOptions): QueueSpec => {
  const shared = {
    name: names.mailbox(address),
    maxLength: options.capacity ?? defaults.capacity,
    deadLetter: { exchange: names.dead, routingKey: names.deadLetters },
  }
  return options.mailbox === "transient"
    ? { ...shared, type: "classic", expires: millis(options.expires, defaults.expires) }
    : { ...shared, type: "quorum", deliveryLimit }
}

const mailboxOptions = (names: Names, address: Address, options: ActorOptions): MailboxOptions => ({
  address,
  queue: mailboxQueue(names, address, options),
  concurrency: options.concurrency === "unbounded" ? Number.POSITIVE_INFINITY : (options.concurrency ?? 1),
  maxDeliveries: options.maxDeliveries ?? defaults.maxDeliveries,
  stuckAfter: millis(options.stuckAfter, defaults.stuckAfter),
})

const problem = (def: ActorDef<AnyProtocol, unknown>, address: Address): string | undefined => {
  const { concurrency, maxDeliveries, clique } = def.options
  if (clique === "single") return `${format(address)}: ${new NotYet({ what: "a `single` clique" }).message}`
  for (const [name, value] of Object.entries({ concurrency, maxDeliveries, capacity: def.options.capacity })) {
    if (typeof value === "number" && (!Number.isInteger(value) || value < 1)) {
      return `${format(address)}: ${name} must be a whole number of at least 1, not ${value}`
    }
  }
  return invalid(address)
}

/** An actor as a child of a supervisor. */
export const member = <P extends AnyProtocol, R>(
  surroundings: Surroundings,
  def: ActorDef<P, R>,
  spec: ChildSpec,
): Child<R> => {
  const { node } = surroundings
  const address: Address = {
    domain: surroundings.domain,
    type: def.protocol.name,
    id: spec.id,
    major: majorVersion(def.protocol),
  }
  let mailbox: Mailbox | undefined
  let children: Children | undefined
  const open = Effect.gen(function* () {
    const wrong = problem(def as ActorDef<AnyProtocol, unknown>, address)
    if (wrong !== undefined) return yield* new BadActor({ why: wrong })
    const refused = yield* Deferred.make<never, BrokerError>()
    const box = new Mailbox(node, mailboxOptions(node.names, address, def.options), (error) =>
      Deferred.doneUnsafe(refused, Effect.fail(error)),
    )
    mailbox = box
    yield* node.connection.join(box.subscription)
    yield* Effect.addFinalizer(() => box.leave) // E1
    node.mailboxes.add(box)
    yield* Effect.addFinalizer(() => Effect.sync(() => node.mailboxes.delete(box)))
    let incarnation = 0
    return Effect.fnUntraced(function* (ready: Effect.Effect<void>) {
      const cell = yield* startCell(surroundings, def, address, box, spec, ++incarnation, (own) => {
        children = own
      })
      yield* ready
      return yield* Effect.raceFirst(cell, Deferred.await(refused))
    })
  })
  return {
    spec: { ...spec, id: spec.id },
    open,
    detail: () => describe(address, mailbox),
    children: () => children?.views() ?? [],
  }
}

const describe = (address: Address, mailbox: Mailbox | undefined): string => {
  const load = mailbox?.load
  const busy =
    load === undefined || load.running + load.waiting === 0 ? "" : `, ${load.running} running, ${load.waiting} waiting`
  return `${format(address)}${busy}`
}

/** Starts one cell in the current Scope; gives the effect that fails when it crashes. */
const startCell = <P extends AnyProtocol, R>(
  surroundings: Surroundings,
  def: ActorDef<P, R>,
  address: Address,
  mailbox: Mailbox,
  spec: ChildSpec,
  incarnation: number,
  adopt: (children: Children) => void,
) =>
  Effect.gen(function* () {
    const { node, services } = surroundings
    const crash = yield* Deferred.make<never, CellCrashed>()
    const info: CellInfo = { address: format(address), incarnation }
    const hook = (run: (() => void) | undefined) =>
      Effect.ignore(
        Effect.try(() => run?.()),
        { log: "Warn" },
      )
    let over = false
    const crashed = (error: unknown) => {
      if (over) return
      over = true
      mailbox.close(error)
      node.run(hook(() => def.options.hooks?.onCrash?.(info, error)))
      Deferred.doneUnsafe(crash, Effect.fail(new CellCrashed({ address: info.address, cause: error })))
    }
    const end = new AbortController()
    yield* Effect.addFinalizer(() => Effect.sync(() => end.abort(new Error(`${info.address} has ended`))))
    // What the cell holds goes in one scope, so that it goes after the mail is finished, whenever it was acquired.
    const held = yield* Scope.fork(yield* Effect.scope)
    const make = (child: ActorDef<AnyProtocol, never>, options: ChildSpec) => member(surroundings, child, options)
    const children = new Children(surroundings.services, held, format(address), make, crashed)
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
    const self = makeSelf(surroundings, address, incarnation, end.signal, children, timers, held)
    const making = def.make(self as Self<P["messages"]>)
    const handlers = (yield* Effect.provideService(making, Scope.Scope, held)) as AnyHandlers
    const context = yield* Effect.context<R>()
    const cell = new Cell({ messages: compiled(def.protocol), handlers, services: context as never, crashed })
    // Last in, first out: mail is finished while children, timers and clean-ups are still there (E3).
    yield* Effect.addFinalizer(() =>
      over
        ? Effect.void
        : mailbox.finish.pipe(
            Effect.timeoutOption(finishWithin(spec)),
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
      : Math.floor(millis(shutdown as Duration.Input, 5000) * 0.8)

const makeSelf = (
  surroundings: Surroundings,
  address: Address,
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
    const client: ClientOptions = { node, to, sender, askTimeout }
    return promiseClient(client, protocol)
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
