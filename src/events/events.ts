// Events of one node: what it emits, and what it listens to.

import { Effect, type Scope } from "effect"
import { type BrokerError, LinkLost } from "../broker/errors.ts"
import type { Node } from "../messaging/node.ts"
import type { AskReason } from "../protocol/errors.ts"
import type { EventOptions } from "../protocol/message.ts"
import { type EventSource, sourceKey } from "../wire/event-key.ts"
import { type Emission, emit } from "./emission.ts"
import { type GroupTap, joinGroup } from "./group.ts"
import { LocalTap } from "./local-tap.ts"
import { Position } from "./position.ts"
import { Replay } from "./replay.ts"
import { declareStream, Retention, streamOf } from "./retention.ts"
import { Switchboard } from "./switchboard.ts"
import type { Tap } from "./tap.ts"
import { headerMatcher, type Wanted } from "./wanted.ts"

/** What waits for one subscriber, unless it says otherwise. */
const defaultBuffer = 1_000
const bufferBytes = 16 * 1024 * 1024
/** ms that a subscriber that leaves waits until its position is noted. */
const noteWithin = 2_000
/** ms between two complaints of the same kind. */
const tellAgain = 60_000
/** How often an event that crashes its handler is begun, where no group says. */
const maxDeliveries = 3

export class Events {
  /** Of this node: where the names of groups and positions belong, and the sources that do not say another. */
  readonly domain: string
  readonly #node: Node
  readonly #switchboard: Switchboard
  readonly #retention: Retention
  /** When it may be said again that events were not taken for all. */
  #toldUntil = 0
  /** What each tap has to do before it is left. */
  readonly #finishers = new Set<Effect.Effect<void>>()

  constructor(node: Node, domain: string) {
    this.domain = domain
    this.#node = node
    this.#switchboard = new Switchboard(node)
    this.#retention = new Retention(node)
  }

  // Emitting

  /** Until what is retained of these events has a place; done at once where nothing is. */
  retain(source: EventSource, retain: EventOptions["retain"]): Effect.Effect<void, BrokerError> {
    return retain === undefined ? Effect.void : this.#retention.keep(streamOf(this.#node.names, source, retain))
  }

  /** The same, at once, for a stream that was there and is not any more. */
  restore(source: EventSource, retain: NonNullable<EventOptions["retain"]>): Effect.Effect<void, BrokerError> {
    return Effect.suspend(() => {
      const { connection, names } = this.#node
      const { link } = connection
      if (link === undefined) return Effect.fail(new LinkLost({ why: connection.trouble ?? "not connected" }))
      return declareStream(link, names, streamOf(names, source, retain))
    })
  }

  emit(emission: Emission, settle: (reason: AskReason | undefined) => void): void {
    emit(this.#node, emission, this.#incomplete, settle)
  }

  /** Of many that follow each other one is told. */
  readonly #incomplete = (): void => {
    const now = this.#node.now()
    if (now < this.#toldUntil) return
    this.#toldUntil = now + tellAgain
    const why = "a queue that is bound to them does not take them, perhaps because its broker node is down"
    this.#node.log("Warn", `events were not taken for all who listen: ${why}`)
  }

  // Listening

  /**
   * Subscribes until the Scope closes; what was taken and is not done is given back then. Succeeds once every event from
   * then on gets to the tap. Of a group nothing comes before `attach`.
   */
  tap(wanted: Wanted): Effect.Effect<Tap, BrokerError, Scope.Scope> {
    const { group, from, resume } = wanted.options
    if (group !== undefined) return this.#group(group, wanted)
    return from === undefined && resume === undefined ? this.#live(wanted) : this.#replay(wanted)
  }

  #group(group: string, wanted: Wanted): Effect.Effect<GroupTap, BrokerError, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const tap = yield* joinGroup(this.#node, group, wanted)
      yield* Effect.addFinalizer(() => Effect.sync(() => tap.release()))
      yield* this.#finishing(tap.finish)
      return tap
    })
  }

  #live(wanted: Wanted): Effect.Effect<Tap, BrokerError, Scope.Scope> {
    const { buffer = defaultBuffer, overflow } = wanted.options
    return Effect.gen({ self: this }, function* () {
      const tap = new LocalTap(this.#node, {
        name: `a subscription to ${wanted.binding}`,
        bounds: { items: buffer, bytes: bufferBytes },
        failWhenFull: overflow === "fail",
        portion: wanted.portion,
        maxDeliveries,
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => tap.end()))
      yield* this.#switchboard.connect({
        pattern: wanted.binding,
        admits: headerMatcher(wanted.options),
        deliver: (event) => tap.offer(event),
        lose: () => tap.lose(),
      })
      yield* this.#finishing(Effect.sync(() => tap.end()))
      return tap
    })
  }

  #replay(wanted: Wanted): Effect.Effect<Tap, BrokerError, Scope.Scope> {
    const { source, domain, retain } = wanted
    const { resume } = wanted.options
    return Effect.gen({ self: this }, function* () {
      if (retain === undefined) return yield* Effect.die(new Error(`${sourceKey(source)} is not retained`))
      const { names } = this.#node
      const stream = streamOf(names, source, retain)
      const position =
        resume === undefined ? undefined : new Position(this.#node, names.position(domain, resume, sourceKey(source)))
      const name = `the reading of ${wanted.binding}`
      const noted = position === undefined ? Effect.void : Effect.timeoutOption(position.flush, noteWithin)
      const replay = new Replay(this.#node, name, wanted, stream, position, maxDeliveries)
      yield* Effect.addFinalizer(() => Effect.andThen(replay.leave, noted))
      yield* this.#node.connection.join(replay)
      const { tap } = replay
      yield* this.#finishing(position === undefined ? Effect.sync(() => tap.end()) : Effect.andThen(tap.finish, noted))
      return replay.tap
    })
  }

  #finishing(finish: Effect.Effect<unknown>): Effect.Effect<void, never, Scope.Scope> {
    const finisher = Effect.asVoid(finish)
    return Effect.asVoid(
      Effect.acquireRelease(
        Effect.sync(() => this.#finishers.add(finisher)),
        () => Effect.sync(() => this.#finishers.delete(finisher)),
      ),
    )
  }

  // Stopping

  /** Gives nothing more to anybody, and waits until what was taken is done. */
  readonly finish: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach([...this.#finishers], (finish) => finish, { concurrency: "unbounded", discard: true }),
  )

  /** The queue of this node goes. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() =>
    Effect.andThen(this.#switchboard.leave, this.#retention.leave),
  )
}
