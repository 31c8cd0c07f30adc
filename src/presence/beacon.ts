// Says what this node is and whom it runs: one beat per interval, at once when somebody asks or something has changed, and a
// goodbye at the end.
//
// C1. A beat comes from a timer of the runtime: no handler that awaits can starve it. One that blocks the event loop does,
//     and the next beat tells for how long.
// C2. However many ask, and however much changes, within a moment: it is one beat. The next regular one is counted from it.
// C3. Without a link, or while the broker blocks publishers, nothing is sent and nothing is kept: an old beat is worth
//     nothing. There is one when the way is free again.
// C4. Beats are not persistent, not mandatory, and never sent twice.

import { hostname } from "node:os"
import { Effect } from "effect"
import type { Link } from "../broker/broker.ts"
import type { LinkUser } from "../messaging/connection.ts"
import type { Node } from "../messaging/node.ts"
import { type Beat, beatKey, encodeBeat, type MemberReport } from "../wire/beat.ts"
import { warrenVersion } from "../wire/version.ts"
import { Alarm } from "./alarm.ts"
import { LoopGauge } from "./loop-gauge.ts"

/** Part of an interval by which a beat may come sooner or later, so that nodes do not beat in step. */
const jitter = 0.1
/** ms within which a change is told, and a question answered; the answers of many nodes are spread over it. */
const changeWithin = 25
/** ms more for each member: while a thousand are started, the list of all of them shall not be sent forty times a second. */
const changePerMember = 0.25
export const answerWithin = 50
/** Beats that may wait for their confirm. */
const mostUnconfirmed = 4
/** ms that an orderly stop waits until the broker has the goodbye. */
const byeWithin = 1_000

export interface BeaconOptions {
  /** ms */
  readonly interval: number
  /** 0 to 1. */
  readonly random: () => number
  /** Called with each beat, sent or not. */
  readonly onBeat: (beat: Beat) => void
}

export class Beacon implements LinkUser {
  readonly #node: Node
  readonly #options: BeaconOptions
  readonly #startedAt: number
  readonly #reports = new Set<() => MemberReport>()
  readonly #alarm: Alarm
  readonly #gauge: LoopGauge
  #seq = 0
  #running = false
  #link: Link | undefined
  #unconfirmed = 0

  constructor(node: Node, options: BeaconOptions) {
    this.#node = node
    this.#options = options
    this.#startedAt = node.now()
    this.#alarm = new Alarm(node.clock, () => this.#beat())
    this.#gauge = new LoopGauge(options.interval)
  }

  add(report: () => MemberReport): () => void {
    this.#reports.add(report)
    this.changed()
    return () => {
      if (this.#reports.delete(report)) this.changed()
    }
  }

  /** C2 */
  changed(): void {
    if (this.#running) this.#alarm.within(changeWithin + this.#reports.size * changePerMember)
  }

  /** Somebody asks who is there. */
  asked(): void {
    if (this.#running && this.#link !== undefined) this.#alarm.within(answerWithin * this.#options.random())
  }

  /** The beat of this moment. */
  compose(): Beat {
    const members: Array<MemberReport> = []
    for (const report of this.#reports) {
      try {
        members.push(report())
      } catch (error) {
        this.#node.log(
          "Warn",
          `a member is missing in the beat of this node, it cannot say what it is: ${String(error)}`,
        )
      }
    }
    return {
      node: this.#node.id,
      seq: ++this.#seq,
      interval: this.#options.interval,
      at: this.#node.now(),
      host: hostname(),
      pid: process.pid,
      startedAt: this.#startedAt,
      warren: warrenVersion,
      ...(this.#link !== undefined && { link: this.#link.id, inbox: this.#node.inbox }),
      lag: this.#gauge.read,
      bye: false,
      members,
      omitted: 0,
    }
  }

  start(): void {
    this.#running = true
    this.#gauge.start()
    this.#beat()
  }

  up(link: Link): Effect.Effect<void> {
    return Effect.sync(() => {
      this.#link = link
      this.#unconfirmed = 0
      link.onBlocked((why) => {
        if (why === undefined && this.#link === link) this.asked() // C3
      })
      this.#beat()
    })
  }

  down(): void {
    this.#link = undefined
  }

  /** Stops, and tells everybody so, if there is a way. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    this.#running = false
    this.#alarm.cancel()
    const goodbye = { ...this.compose(), bye: true, members: [] }
    this.#gauge.stop()
    const told = Effect.callback<void>((resume) => {
      if (!this.#send(goodbye, () => resume(Effect.void))) resume(Effect.void)
    })
    return Effect.asVoid(Effect.timeoutOption(told, byeWithin))
  })

  #beat(): void {
    if (!this.#running) return
    const { interval, random, onBeat } = this.#options
    this.#alarm.set(interval * (1 + jitter * (2 * random() - 1)))
    const beat = this.compose()
    if (this.#send(beat)) this.#gauge.reset()
    onBeat(beat)
  }

  /** Whether there was a way (C3). */
  #send(beat: Beat, settled?: () => void): boolean {
    const link = this.#link
    if (link === undefined || link.blocked() !== undefined || this.#unconfirmed >= mostUnconfirmed) return false
    this.#unconfirmed++
    const to = { exchange: this.#node.names.presence, routingKey: beatKey(beat.node) }
    link.publish({ ...encodeBeat(beat), ...to }, (failure) => {
      if (this.#link === link) this.#unconfirmed--
      // Nacked it is when one of many queues is on a node of the broker's cluster that is down: the others have got it.
      if (failure !== undefined && failure._tag !== "LinkLost" && failure._tag !== "Nacked") {
        this.#node.log("Warn", `a beat of this node was lost: ${failure.message}`)
      }
      settled?.()
    })
    return true
  }
}
