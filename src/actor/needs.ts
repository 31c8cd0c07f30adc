// The configuration that an actor needs: the newest of some retained events. It is known before the first cell is made, and
// new ones are given to the cell that runs (eventail's configuration bus; the broker keeps the newest, so nobody is asked).
//
// N1. No cell is made before all of them are known; then each is there at once, also after a crash.
// N2. While a cell takes mail, a new one comes in a turn among its messages (promise 1).

import { Deferred, Effect, type Scope } from "effect"
import type { BrokerError } from "../broker/errors.ts"
import type { Events } from "../events/events.ts"
import type { Load, Tap } from "../events/tap.ts"
import { wanted } from "../events/wanted.ts"
import type { Node } from "../messaging/node.ts"
import type { CompiledEvent } from "../protocol/codec.ts"
import type { Event } from "../protocol/message.ts"
import type { Selection, Source } from "../protocol/selection.ts"
import type { EventMessage } from "../protocol/subscription.ts"
import { sourceKey } from "../wire/event-key.ts"
import { codecOf } from "./event-client.ts"
import { readable } from "./subscriber.ts"

/** ms after which somebody is told what an actor waits for. */
const patience = 5_000

/** Told of new ones, while a cell takes mail. */
export interface Follower {
  /** Runs it in a turn; false when it never will. */
  readonly turn: (run: () => Promise<void>) => void
  /** Something that is needed has changed. */
  readonly changed: (key: string, event: EventMessage<unknown>) => Promise<void>
}

interface Need {
  readonly key: string
  readonly codec: CompiledEvent
  readonly tap: Tap
  newest: EventMessage<unknown> | undefined
}

/** What is wrong with something that is needed, or undefined. */
export const needProblem = ({ protocol, event, id, options }: Selection): string | undefined => {
  const name = `needs: ${protocol.name}.${event}`
  if ((protocol.messages[event] as Event<never>).options.retain !== "last") {
    return `${name} is not kept: give the event \`retain: "last"\``
  }
  if (id === undefined) return `${name}: say of which actor, \`id\``
  return Object.keys(options).length === 0 ? undefined : `${name}: nothing but the \`id\` can be chosen`
}

export class Needs {
  readonly #node: Node
  readonly #events: Events
  readonly #needs = new Map<string, Need>()
  readonly #known = Deferred.makeUnsafe<void>()
  #follower: Follower | undefined

  constructor(node: Node, events: Events) {
    this.#node = node
    this.#events = events
  }

  /** Until the Scope closes. Succeeds when all of them are asked for. */
  open(sources: ReadonlyArray<Source<unknown>>): Effect.Effect<void, BrokerError, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      for (const { selection } of sources) {
        const want = wanted({ ...selection, options: { from: "last" } }, this.#events.domain)
        const key = sourceKey(want.source)
        if (this.#needs.has(key)) continue
        const tap = yield* this.#events.tap(want)
        const need: Need = { key, codec: codecOf(selection.protocol, selection.event), tap, newest: undefined }
        this.#needs.set(key, need)
        tap.ready = () => this.#receive(need)
        this.#receive(need)
      }
      this.#check()
    })
  }

  /** N1. */
  readonly known: Effect.Effect<void> = Effect.suspend(() => {
    const told = Effect.sync(() =>
      this.#node.log("Warn", `still waiting for ${this.missing.join(", ")}: nobody has emitted it yet`),
    )
    const waiting = Effect.andThen(Effect.sleep(patience), Effect.andThen(told, Effect.never))
    return Effect.raceFirst(Deferred.await(this.#known), waiting)
  })

  /** For people. */
  get missing(): ReadonlyArray<string> {
    return [...this.#needs.values()].filter(({ newest }) => newest === undefined).map(({ key }) => key)
  }

  has(selection: Selection): boolean {
    return this.#needs.has(this.key(selection))
  }

  key(selection: Selection): string {
    return sourceKey(wanted(selection, this.#events.domain).source)
  }

  /** @throws TypeError when it is not among those that are needed. */
  latest(selection: Selection): EventMessage<unknown> {
    const newest = this.#needs.get(this.key(selection))?.newest
    if (newest !== undefined) return newest
    throw new TypeError(`${selection.protocol.name}.${selection.event} is not among the \`needs\` of this actor`)
  }

  /** A cell takes mail from now on. */
  follow(follower: Follower): void {
    this.#follower = follower
  }

  /** The cell has ended. What it was to be told is known to the next one. */
  unfollow(): void {
    this.#follower = undefined
    for (const need of this.#needs.values()) {
      need.tap.release()
      this.#receive(need)
    }
  }

  #receive(need: Need): void {
    for (let load = need.tap.take(); load !== undefined; load = need.tap.take()) {
      const follower = this.#follower
      if (follower === undefined) this.#learn(need, load)
      else {
        const given = load
        follower.turn(async () => {
          const event = this.#learn(need, given)
          if (event !== undefined) await follower.changed(need.key, event)
        })
      }
    }
  }

  #learn(need: Need, load: Load): EventMessage<unknown> | undefined {
    const event = readable(load, need.codec).at(-1)
    if (event === undefined) return undefined
    need.newest = event
    load.done()
    this.#check()
    return event
  }

  #check(): void {
    if (this.missing.length === 0) Deferred.doneUnsafe(this.#known, Effect.void)
  }
}
