// Presence of one node: what it says of itself, and what it knows of the others. No process is special, and only those who
// ask pay: a node that nobody asks sends one message per interval and receives none.

import { Effect, type Scope } from "effect"
import type { BrokerError } from "../broker/errors.ts"
import type { Node } from "../messaging/node.ts"
import { type MemberReport, maxInterval, minInterval } from "../wire/beat.ts"
import { Beacon } from "./beacon.ts"
import { Leaders } from "./leaders.ts"
import { Lookout } from "./lookout.ts"
import { Peers } from "./peers.ts"
import { type Registry, registry } from "./registry.ts"

export interface PresenceOptions {
  /** ms from one beat to the next, give or take a tenth; at least 10 and at most 600,000. */
  readonly interval: number
  /** 0 to 1. Default `Math.random`. */
  readonly random?: () => number
}

export class Presence {
  readonly registry: Registry
  readonly #node: Node
  readonly #beacon: Beacon
  readonly #lookout: Lookout
  readonly #leaders: Leaders
  readonly #peers: Peers

  constructor(node: Node, options: PresenceOptions) {
    const interval = Math.round(Math.min(maxInterval, Math.max(minInterval, options.interval)))
    this.#node = node
    this.#beacon = new Beacon(node, {
      interval,
      random: options.random ?? Math.random,
      onBeat: (beat) => this.#lookout.hear(beat),
    })
    this.#lookout = new Lookout(node, () => this.#beacon.compose())
    this.#leaders = new Leaders(node, this.#lookout)
    this.#peers = new Peers(node, this.#lookout, interval)
    this.registry = registry(node, this.#lookout)
  }

  /** A member says what it is, asked at each beat. The result takes it off the list. Others hear of both soon (`changed`). */
  add(report: () => MemberReport): () => void {
    return this.#beacon.add(report)
  }

  /**
   * Something that others should hear of soon, such as a new role: however often it is called, there is one beat within
   * 25 ms, and a quarter of a ms more for each member here.
   */
  changed(): void {
    this.#beacon.changed()
  }

  /** Runs it in the current Scope, and is done once the node is heard. When the Scope closes it says goodbye. */
  readonly run: Effect.Effect<void, BrokerError, Scope.Scope> = Effect.suspend(() => {
    const stop = Effect.all([this.#beacon.leave, this.#lookout.shut], { concurrency: 2, discard: true })
    this.#node.onWho = () => this.#beacon.asked()
    this.#node.watchPeer = this.#peers.watch
    this.#beacon.start()
    return Effect.andThen(
      Effect.addFinalizer(() => stop),
      this.#node.connection.join(this.#beacon),
    )
  })

  /** Keeps watching the other nodes; the result lets go. */
  follow(): () => void {
    return this.#lookout.hold()
  }

  /** Calls whenever a beat shows a leader of the address. Watches the other nodes until the result is called. */
  onLeader(address: string, major: number, seen: (epoch: number, node: string) => void): () => void {
    return this.#leaders.onLeader(address, major, seen)
  }

  /**
   * Calls once when the last member of the address, of whichever version, is gone; soon, when there is none and the other
   * nodes have said who they are. The result takes it back.
   */
  onGone(address: string, gone: () => void): () => void {
    return this.#leaders.onGone(address, gone)
  }
}
