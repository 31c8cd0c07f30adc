// The tap of a subscriber whose events wait in this process.
//
// L1. What crashed its handler is handled again until that was begun `maxDeliveries` times; then it is left out, with one
//     line in the log.

import { Effect } from "effect"
import type { Entry } from "../messaging/deadlines.ts"
import { gather, type Portion } from "../messaging/gathering.ts"
import type { Node } from "../messaging/node.ts"
import type { AskReason } from "../protocol/errors.ts"
import { MailboxFull } from "../protocol/errors.ts"
import type { Arrival } from "./arrival.ts"
import { Backlog, type Bounds, isSuspect, type Waiting } from "./backlog.ts"
import type { Load, Taken, Tap } from "./tap.ts"

export interface LocalTapOptions {
  /** For people. */
  readonly name: string
  readonly bounds: Bounds
  /** It ends when it is full; else the oldest are left out. */
  readonly failWhenFull: boolean
  readonly portion: Portion
  readonly maxDeliveries: number
  /** Called when these have been handled, refused or left out. */
  readonly settled?: (events: ReadonlyArray<Arrival>) => void
}

export class LocalTap implements Tap {
  ready: () => void = () => {}
  readonly #node: Node
  readonly #options: LocalTapOptions
  readonly #backlog: Backlog
  /** One at a time, so that they are handled in order. */
  #out: LocalLoad | undefined
  #ended = false
  #failure: AskReason | undefined
  #lookAgain: Entry | undefined
  #idle: Array<() => void> = []

  constructor(node: Node, options: LocalTapOptions) {
    this.#node = node
    this.#options = options
    this.#backlog = new Backlog(options.bounds)
  }

  get ended(): boolean {
    return this.#ended
  }

  get failure(): AskReason | undefined {
    return this.#failure
  }

  // What comes

  offer(event: Arrival): void {
    if (this.#ended) return
    if (this.#options.failWhenFull && this.#backlog.isFull(event.bytes) && this.#backlog.length > 0) {
      return this.end(new MailboxFull({ what: `the buffer of ${this.#options.name}` }))
    }
    this.#backlog.push(event, this.#node.now())
    if (this.#out === undefined) this.ready()
  }

  /** The link was lost. */
  lose(): void {
    this.#backlog.lose()
  }

  /** Nothing more comes. What waits is given up. */
  end(failure?: AskReason): void {
    if (this.#ended) return
    this.#ended = true
    this.#failure = failure
    this.#backlog.clear()
    this.#lookAgain?.cancel()
    this.ready()
  }

  // What goes

  attach(): void {}

  take(): Load | undefined {
    if (this.#ended || this.#out !== undefined) return undefined
    const count = this.#gather()
    if (count === 0) return undefined
    this.#out = new LocalLoad(this.#backlog.take(count), this)
    return this.#out
  }

  #gather(): number {
    const { first } = this.#backlog
    if (first === undefined) return 0
    const { portion } = this.#options
    const length = this.#backlog.run(portion.max)
    const closed = length < this.#backlog.length || isSuspect(first)
    const gathered = gather(portion, { length, closed, since: first.since }, this.#node.now())
    this.#lookAgain?.cancel()
    if ("take" in gathered) return gathered.take
    this.#lookAgain = this.#node.deadlines.add(gathered.until, () => this.ready())
    return 0
  }

  release(): void {
    const out = this.#out
    if (out === undefined) return
    this.#out = undefined
    this.#backlog.putBack(out.waiting)
    this.#checkIdle()
  }

  /** Gives nothing more. Done when what was taken is done. */
  readonly finish: Effect.Effect<void> = Effect.callback((resume) => {
    this.end()
    this.#idle.push(() => resume(Effect.void))
    this.#checkIdle()
  })

  #checkIdle(): void {
    if (this.#out !== undefined) return
    for (const call of this.#idle.splice(0)) call()
  }

  // Settling (called by loads)

  refused(load: LocalLoad, { event }: Waiting, why: string): void {
    if (load !== this.#out) return
    this.#node.log("Warn", `${this.#options.name}: an event of ${event.source} was left out: ${why}`)
    this.#options.settled?.([event])
  }

  done(load: LocalLoad): void {
    if (load !== this.#out) return
    this.#out = undefined
    this.#options.settled?.(load.waiting.map(({ event }) => event))
    this.#goOn()
  }

  /** L1. */
  crashed(load: LocalLoad, error: Error): void {
    if (load !== this.#out) return
    this.#out = undefined
    const { maxDeliveries } = this.#options
    const several = load.waiting.length > 1
    for (const waiting of load.waiting) {
      // Nobody knows which of several it was: alone each may be begun at least once more.
      waiting.begun = several ? Math.min(waiting.begun + 1, maxDeliveries - 1) : waiting.begun + 1
      waiting.alone = several
    }
    const [over] = load.waiting.filter(({ begun }) => begun >= maxDeliveries)
    if (over === undefined) this.#backlog.putBack(load.waiting)
    else this.#giveUp(over, error)
    this.#goOn()
  }

  #giveUp({ event, begun }: Waiting, { message }: Error): void {
    const { source, messageId } = event
    const what = `event ${messageId} of ${source} was left out: it crashed its handler ${begun} times`
    this.#node.log("Error", `${this.#options.name}: ${what} (${message})`)
    this.#options.settled?.([event])
  }

  #goOn(): void {
    this.#checkIdle()
    if (!this.#ended && this.#backlog.length > 0) this.ready()
  }
}

class LocalLoad implements Load {
  waiting: ReadonlyArray<Waiting>
  readonly job = undefined
  readonly #tap: LocalTap

  constructor(waiting: ReadonlyArray<Waiting>, tap: LocalTap) {
    this.waiting = waiting
    this.#tap = tap
  }

  get taken(): ReadonlyArray<Taken> {
    return this.waiting.map(({ event, begun, dropped, gap }) => ({ event, attempt: begun + 1, dropped, gap }))
  }

  refuse({ event }: Taken, why: string): void {
    const refused = this.waiting.find((waiting) => waiting.event === event)
    if (refused === undefined) return
    this.waiting = this.waiting.filter((waiting) => waiting !== refused)
    this.#tap.refused(this, refused, why)
  }

  done(): void {
    this.#tap.done(this)
  }

  crash(error: Error): void {
    this.#tap.crashed(this, error)
  }
}
