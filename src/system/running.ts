// Starts a node with its tree: what both faces, promises and Effects, are built on.

import { Clock, type Context, Duration, Effect, Exit, Schema } from "effect"
import { Actions } from "../actions/actions.ts"
import type { Surroundings } from "../actor/surroundings.ts"
import { Broker } from "../broker/broker.ts"
import { Events } from "../events/events.ts"
import { Node } from "../messaging/node.ts"
import { defaultLimits, type Limits } from "../messaging/outbox.ts"
import { Presence } from "../presence/presence.ts"
import { Sessions } from "../streams/sessions.ts"
import { isToken } from "../wire/address.ts"
import { names } from "../wire/names.ts"
import { type Guardian, guard } from "./guardian.ts"
import type { Tree } from "./tree.ts"

export interface NodeOptions {
  /** The first part of the address of every actor that runs here, and of those that are called without another. */
  readonly domain: string
  /** The first token of every name on the broker, at most 32 characters. Default `warren`. */
  readonly prefix?: string
  /** How long an ask, or the sending of a tell, may take unless the call or the protocol says. Default 30 seconds. */
  readonly askTimeout?: Duration.Input
  /** How long the start may wait for the broker. Default 30 seconds. */
  readonly startTimeout?: Duration.Input
  readonly presence?: {
    /** Between two beats of this node, 10 ms to 10 minutes. Who is silent for two of them counts as dead. Default 5 seconds. */
    readonly interval?: Duration.Input
  }
  /** Bounds of what is sent and not confirmed yet; past them calls fail with `MailboxFull`. */
  readonly outbox?: Partial<Limits>
}

/** The broker was not reached while the system started. Nothing is left running. */
export class BrokerUnreachable extends Schema.TaggedError<BrokerUnreachable>()("BrokerUnreachable", {
  broker: Schema.String,
  /** ms */
  after: Schema.Number,
  why: Schema.String,
}) {
  override get message(): string {
    return `${this.broker} was not reached within ${this.after} ms: ${this.why}. Is it running? See "npm run broker", or use broker: "embedded"`
  }
}

/** Options that cannot mean anything. */
export class BadOptions extends Schema.TaggedError<BadOptions>()("BadOptions", { why: Schema.String }) {
  override get message(): string {
    return this.why
  }
}

export interface Running {
  readonly surroundings: Surroundings
  readonly guardian: Guardian
}

const problem = ({ domain, prefix = "warren" }: NodeOptions): string | undefined => {
  if (!isToken(domain)) return `domain ${JSON.stringify(domain)}: want 1 to 63 letters, digits, "_" or "-"`
  if (isToken(prefix) && prefix.length <= 32) return undefined
  return `prefix ${JSON.stringify(prefix)}: want 1 to 32 letters, digits, "_" or "-"`
}

/** Runs until the Scope closes. The services of the surrounding context are those that the tree's actors need. */
export const run = <R>(options: NodeOptions, tree: Tree<R> | undefined) =>
  Effect.gen(function* () {
    const wrong = problem(options)
    if (wrong !== undefined) return yield* new BadOptions({ why: wrong })
    const broker = yield* Broker
    const services = (yield* Effect.context<R>()) as Context.Context<never>
    const node = new Node({
      broker,
      names: names(options.prefix),
      clock: yield* Clock.Clock,
      outbox: { ...defaultLimits, ...options.outbox },
      run: (effect) => void Effect.runForkWith(services)(effect),
    })
    const askTimeout = Duration.toMillis(options.askTimeout ?? "30 seconds")
    const interval = Duration.toMillis(options.presence?.interval ?? "5 seconds")
    const presence = new Presence(node, { interval })
    const surroundings: Surroundings = {
      node,
      presence,
      actions: new Actions(node),
      sessions: new Sessions(node),
      events: new Events(node, options.domain),
      domain: options.domain,
      leaderships: new Map(),
      askTimeout,
      services,
    }
    const guardian = yield* Effect.raceFirst(
      start(surroundings, tree as Tree<unknown> | undefined),
      patience(node, Duration.toMillis(options.startTimeout ?? "30 seconds")),
    )
    node.starting = false
    return { surroundings, guardian } satisfies Running
  })

/** Started means: every child of the tree is ready, and the broker is there. */
const start = (surroundings: Surroundings, tree: Tree<unknown> | undefined) =>
  Effect.gen(function* () {
    const guardian = yield* guard(surroundings, tree)
    const ended = Effect.flatMap(guardian.supervisor.awaitExit, (exit) =>
      Exit.isFailure(exit) ? Effect.failCause(exit.cause) : Effect.never,
    )
    yield* Effect.raceFirst(surroundings.node.connection.life.until("up"), ended)
    return guardian
  })

const patience = (node: Node, after: number) =>
  Effect.gen(function* () {
    if (!Number.isFinite(after)) return yield* Effect.never
    yield* Effect.sleep(after)
    if (node.connection.life.context.links > 0) return yield* Effect.never
    const { name, trouble } = node.connection
    return yield* new BrokerUnreachable({ broker: name, after, why: trouble ?? "no answer" })
  })
