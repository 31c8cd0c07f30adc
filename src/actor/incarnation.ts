// One incarnation of an actor: its factory is run, its cell takes the mail, and what it holds goes when it ends.

import { Cause, Deferred, Duration, Effect, Schema, Scope } from "effect"
import type { BrokerError } from "../broker/errors.ts"
import type { Term } from "../clique/term.ts"
import type { Sender } from "../messaging/calls.ts"
import type { Mailbox } from "../messaging/mailbox.ts"
import { asError } from "../messaging/thrown.ts"
import type { Ref } from "../protocol/client.ts"
import { compiled } from "../protocol/codec.ts"
import { Crashed, Disconnected } from "../protocol/errors.ts"
import type { AnyProtocol } from "../protocol/protocol.ts"
import type { Child } from "../supervision/child.ts"
import type { ChildSpec } from "../supervision/spec.ts"
import { type Address, addressOf, format } from "../wire/address.ts"
import { type AnyHandlers, Cell, type CellOptions } from "./cell.ts"
import { Children } from "./children.ts"
import { promiseClient } from "./client.ts"
import type { ActorDef, CellInfo } from "./definition.ts"
import { withEmit } from "./emitting.ts"
import type { Goals } from "./goals.ts"
import { type AnyEventHandler, Listeners } from "./listeners.ts"
import type { Needs } from "./needs.ts"
import type { Reminding } from "./reminding.ts"
import type { Self } from "./self.ts"
import { Streams } from "./streams.ts"
import type { Surroundings } from "./surroundings.ts"
import type { Taps } from "./taps.ts"
import { Tenure } from "./tenure.ts"
import { CellTimers } from "./timers.ts"
import { Watches } from "./watches.ts"

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
  readonly goals: Goals
  readonly reminding: Reminding
  readonly needs: Needs
  readonly taps: Taps
  readonly spec: ChildSpec
  /** A store shows an epoch (self.ts). */
  readonly yieldTo: (epoch: number) => void
  /** An actor as a child, for those that this one spawns. */
  readonly member: (def: ActorDef<AnyProtocol, never>, spec: ChildSpec) => Child
}

/** A cell that has been made. */
export interface Incarnation {
  /** Lets the mail in; in a `single` clique for one term, once what is to run before it is done. */
  readonly open: (term?: Term) => Effect.Effect<void, BrokerError | CellCrashed, Scope.Scope>
  readonly crashed: Effect.Effect<never, CellCrashed>
}

/**
 * Makes one cell in the current Scope.
 *
 * @param term the one in which it leads its `single` clique; undefined while it stands by, and in a `shared` one.
 * @param adopt is given the children that the cell will have, for the tree.
 */
export const incarnate = <P extends AnyProtocol, R>(
  home: Home<P, R>,
  { incarnation, term: current }: { readonly incarnation: number; readonly term?: Term | undefined },
  adopt: (children: Children) => void,
) =>
  Effect.gen(function* () {
    const { def, mailbox, goals, needs, taps } = home
    yield* needs.known
    const { node, services } = home.surroundings
    const crash = yield* Deferred.make<never, CellCrashed>()
    const info: CellInfo = { address: format(home.address), incarnation }
    const hook = (run: (() => void) | undefined) =>
      Effect.ignore(
        Effect.try(() => run?.()),
        { log: "Warn" },
      )
    let over = false
    let hasCrashed = false
    let streams: Streams | undefined
    const crashed = (thrown: unknown) => {
      if (over) return
      over = hasCrashed = true
      const error = asError(thrown)
      mailbox.close(error)
      goals.crash(error)
      streams?.end(new Crashed({ why: error.message }))
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
    const watches = new Watches(home.surroundings.presence, mailbox, tick)
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        timers.cancelAll()
        watches.endAll()
      }),
    )
    const listeners = new Listeners({ node, mailbox, taps, needs, crashed })
    yield* Effect.addFinalizer(() => Effect.suspend(() => listeners.end(hasCrashed)))
    const tenure = new Tenure(current, home.yieldTo)
    const self = makeSelf(home, incarnation, end.signal, { children, timers, watches, listeners, tenure }, held)
    const making = def.make(self as Self<P["messages"]>)
    const handlers = (yield* Effect.provideService(making, Scope.Scope, held)) as AnyHandlers
    const context = yield* Effect.context<R>()
    const goalCell = { handlers, services: context as never, crashed }
    const submit: CellOptions["submit"] = (job, message) => goals.submit(job, message)
    const { stuckAfter } = mailbox.options
    const { sessions } = home.surroundings
    const taken = new Streams({
      node,
      sessions,
      address: info.address,
      epoch: () => tenure.epoch || undefined,
      stuckAfter,
      ...goalCell,
    })
    streams = taken
    const openStream: CellOptions["openStream"] = (job, message) => taken.accept(job, message)
    const cell = new Cell({ protocol: def.protocol, messages: compiled(def.protocol), ...goalCell, submit, openStream })

    const open: Incarnation["open"] = (term) =>
      Effect.gen(function* () {
        if (over) return yield* Deferred.await(crash) // its children gave up before it was made
        if (term !== undefined) {
          yield* Effect.catch(tenure.begin(term), (error) => {
            crashed(error)
            return Deferred.await(crash)
          })
        }
        // Last in, first out: mail is finished while children, timers and clean-ups are still there (member.ts, E3).
        yield* Effect.addFinalizer(() => (over ? Effect.void : close(term?.over === true)))
        yield* listeners.open(context as never)
        goals.open(goalCell)
        mailbox.open(cell)
        yield* hook(() => def.options.hooks?.onStart?.(info))
      })
    const endStreams = (why: string) =>
      Effect.sync(() => taken.end(new Disconnected({ why: `${info.address} ${why}`, sent: true })))
    const finish = Effect.all([mailbox.finish, goals.finish, Effect.andThen(endStreams("was stopped"), taken.ended)], {
      concurrency: 3,
      discard: true,
    })
    /** @param halted another member leads: there is nothing to finish. */
    const close = (halted: boolean) => {
      listeners.stop()
      return closing(halted)
    }
    const closing = (halted: boolean) =>
      (halted
        ? endStreams("leads no longer")
        : Effect.asVoid(Effect.timeoutOption(finish, finishWithin(home.spec)))
      ).pipe(
        Effect.andThen(
          Effect.sync(() => {
            const why = new Error(`${info.address} ${halted ? "leads no longer" : "was stopped"}`)
            mailbox.close(why)
            goals.end(why)
            over = true // what is left of it shall not end the next one
          }),
        ),
        Effect.andThen(hook(() => def.options.hooks?.onStop?.(info))),
      )
    return { open, crashed: Deferred.await(crash) } satisfies Incarnation
  })

/** Leaves the supervisor's bound some room for the clean-ups that follow. */
const finishWithin = ({ shutdown }: ChildSpec): Duration.Input =>
  shutdown === "brutal"
    ? 0
    : shutdown === "infinity"
      ? "1 day"
      : Math.floor(Duration.toMillis((shutdown ?? 5000) as Duration.Input) * 0.8)

/** What one cell has for itself. */
interface Belongings {
  readonly children: Children
  readonly timers: CellTimers
  readonly watches: Watches
  readonly listeners: Listeners
  readonly tenure: Tenure
}

const makeSelf = (
  home: Pick<Home<AnyProtocol, unknown>, "surroundings" | "address" | "reminding" | "needs" | "def">,
  incarnation: number,
  signal: AbortSignal,
  { children, timers, watches, listeners, tenure }: Belongings,
  scope: Scope.Scope,
): Self<{}> => {
  const { surroundings, address, reminding, needs, def } = home
  const { node, actions, presence, sessions, events, domain, askTimeout, services } = surroundings
  const client = { node, actions, registry: presence.registry, sessions, events, askTimeout, ended: signal }
  const name = format(address)
  const sender: Sender = {
    address: name,
    get epoch() {
      return tenure.epoch || undefined
    },
  }
  const ref = <P extends AnyProtocol>(protocol: P, id: string, options?: { readonly domain?: string }): Ref<P> => {
    const to = addressOf(options?.domain ?? domain, protocol, id)
    return promiseClient({ ...client, to, sender }, protocol)
  }
  const self: Omit<Self<{}>, "emit"> = {
    address: name,
    node: node.id,
    incarnation,
    get epoch() {
      return tenure.epoch
    },
    onLead: tenure.onLead,
    yieldTo: tenure.yieldTo,
    watch: watches.watch,
    signal,
    ref,
    on: (source, handler) => listeners.on(source, handler as AnyEventHandler),
    latest: ({ selection }) => needs.latest(selection).body as never,
    defer: (cleanup) => {
      const run = Effect.tryPromise({ try: async () => cleanup(), catch: (error) => error })
      const logged = Effect.catchCause(run, (cause) =>
        Effect.logWarning(`${name}: a clean-up failed`, Cause.squash(cause)),
      )
      Effect.runSync(Scope.addFinalizer(scope, logged))
    },
    spawn: async (child, options) => {
      await children.start(child, options)
      return ref(child.protocol, options.id)
    },
    stopChild: (child, id) => children.stop(child, id),
    timers,
    remind: reminding.remind,
    forget: reminding.forget,
    reminders: reminding.reminders,
    log: (message, ...rest) => {
      Effect.runForkWith(services)(Effect.annotateLogs(Effect.logInfo(message, ...rest), "actor", name))
    },
  }
  return withEmit(self, { events, protocol: def.protocol, address, sender, timeout: askTimeout })
}
