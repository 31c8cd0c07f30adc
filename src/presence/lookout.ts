// Watches the beats of all nodes, from when somebody wants to know until nobody has for a while.
//
// W1. Only those who ask pay: the queue is declared when the first asks, and deleted `linger` after the last.
// W2. Whenever it begins to hear, it asks who is there (inquiry.ts), and knows all there is when that has been answered.
// W3. Silence counts only where something could have been heard. Nobody is judged before a probe has shown that what they
//     sent has been read (probe.ts); when the probe took long, everybody is excused for that time. On a new link the
//     silence of all is counted anew.
// W4. A message that cannot be read costs itself.

import { Deferred, Effect } from "effect"
import type { Incoming, Link } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import type { Node } from "../messaging/node.ts"
import { type Beat, decodeBeat } from "../wire/beat.ts"
import { isMalformed } from "../wire/malformed.ts"
import { Alarm, elapsed } from "./alarm.ts"
import { Coroner } from "./coroner.ts"
import { Ear } from "./ear.ts"
import { RegistryClosed } from "./errors.ts"
import { Inquiry } from "./inquiry.ts"
import type { Transition } from "./listed.ts"
import { eventExchange } from "./obituary.ts"
import { Probe } from "./probe.ts"
import { apply, due, dueOf, emptyView, excuse, judge, restart, type Step, type View } from "./view.ts"

/** ms for which it stays open after the last who wanted to know. */
const linger = 60_000
/** ms by which a probe may be late and still prove something, and between two when one was lost. */
const probeSlack = 100
const probeAgain = 500

/** Who wants to know. What they throw is logged. */
export interface Spectator {
  readonly transitions?: (transitions: ReadonlyArray<Transition>) => void
  /** Something was learned of a node, or concluded from its silence; what it runs need not have changed. */
  readonly learned?: () => void
  /** A beat that was news, the own node's included. */
  readonly beat?: (beat: Beat) => void
  /** The question who is there has been answered; or it never will be. */
  readonly settled?: (failure: BrokerError | RegistryClosed | undefined) => void
}

export class Lookout {
  readonly #node: Node
  readonly #own: () => Beat
  readonly #spectators = new Set<Spectator>()
  readonly #ear: Ear
  readonly #inquiry: Inquiry
  readonly #probe: Probe
  readonly #coroner: Coroner
  readonly #judgement: Alarm
  readonly #closing: Alarm
  #view: View
  /** Ends the life that runs; the next begins when the former is over. */
  #end: Deferred.Deferred<void> | undefined
  #over: Effect.Effect<void> = Effect.void
  #link: Link | undefined
  #lostAt = 0
  #everSettled = false
  #stopped = false
  #full = false

  /** @param own the beat of this moment. */
  constructor(node: Node, own: () => Beat) {
    this.#node = node
    this.#own = own
    this.#view = emptyView(node.id)
    this.#inquiry = new Inquiry(node, () => this.#settle())
    this.#probe = new Probe(node)
    const conclude = (step: Step) => {
      this.#take(step)
      this.#judgeBy(due(this.#view))
    }
    this.#coroner = new Coroner(node, () => this.#view, conclude)
    this.#ear = new Ear(node, {
      bind: (link, queue) => this.#coroner.listen(link, queue),
      began: (link, queue) => this.#begin(link, queue),
      heard: (message) => this.#receive(message),
      ended: () => this.#deafen(),
    })
    this.#judgement = new Alarm(node.clock, () => this.#consider())
    this.#closing = new Alarm(node.clock, () => this.#close())
  }

  get view(): View {
    return this.#view
  }

  /** Whether the question has been answered on the link that is up. */
  get settled(): boolean {
    return this.#link !== undefined && !this.#inquiry.isOpen
  }

  get stopped(): boolean {
    return this.#stopped
  }

  /** Some nodes are not listed, for want of room. */
  get full(): boolean {
    return this.#full
  }

  /** Why nothing is heard now, though it was once; undefined while all is well. */
  get blind(): string | undefined {
    if (this.#link !== undefined || !this.#everSettled) return undefined
    const seconds = ((elapsed(this.#node.clock) - this.#lostAt) / 1_000).toFixed(1)
    return `this node has heard nothing from the broker for ${seconds} s`
  }

  // Who wants to know

  /** Keeps it open; the result lets go (W1). Nobody is told anything from inside this call. */
  hold(spectator: Spectator = {}): () => void {
    const holder = { ...spectator }
    this.#closing.cancel()
    if (this.#end === undefined && !this.#stopped) this.#open()
    this.#spectators.add(holder)
    return () => {
      const held = this.#spectators.delete(holder)
      if (held && this.#spectators.size === 0 && !this.#stopped) this.#closing.set(linger)
    }
  }

  /** What this node says of itself. */
  hear(beat: Beat): void {
    if (this.#end !== undefined) this.#learn(beat)
  }

  /** Looks at the own node anew: of that it need not wait for a beat. */
  refresh(): void {
    if (this.#end !== undefined) this.#learn(this.#own())
  }

  #open(): void {
    const end = Deferred.makeUnsafe<void>()
    const over = Deferred.makeUnsafe<void>()
    const former = this.#over
    this.#end = end
    this.#over = Deferred.await(over)
    this.refresh()
    const life = Effect.gen({ self: this }, function* () {
      yield* former
      yield* this.#ear.hear
      return yield* Effect.never
    })
    this.#node.run(
      Effect.raceFirst(Effect.scoped(life), Deferred.await(end)).pipe(
        Effect.catch((error) => Effect.sync(() => this.#failed(end, error))),
        Effect.ensuring(Effect.sync(() => Deferred.doneUnsafe(over, Effect.void))),
      ),
    )
  }

  #close(): void {
    const end = this.#end
    if (end === undefined) return
    this.#end = undefined
    this.#deafen()
    this.#everSettled = false
    this.#view = emptyView(this.#node.id)
    Deferred.doneUnsafe(end, Effect.void)
  }

  /** The broker will not have it. Who asks next tries again. */
  #failed(end: Deferred.Deferred<void>, error: BrokerError): void {
    this.#node.log("Error", `the registry cannot be read: ${error.message}`)
    if (this.#end === end) this.#close()
    this.#tell((spectator) => spectator.settled?.(error))
  }

  /** Closes it for good, whoever still wants to know. */
  readonly shut: Effect.Effect<void> = Effect.suspend(() => {
    this.#stopped = true
    this.#closing.cancel()
    this.#close()
    const failure = new RegistryClosed({ why: "the system has stopped" })
    this.#tell((spectator) => spectator.settled?.(failure))
    return this.#over
  })

  // The link

  /** W2, W3 */
  #begin(link: Link, queue: string): void {
    if (this.#end === undefined) return
    this.#link = link
    this.#probe.use(queue)
    this.#view = restart(this.#view, elapsed(this.#node.clock))
    this.#judgeBy(due(this.#view))
    this.#inquiry.ask(link)
  }

  #deafen(): void {
    if (this.#link !== undefined) this.#lostAt = elapsed(this.#node.clock)
    this.#link = undefined
    this.#inquiry.forget()
    this.#probe.forget()
    this.#coroner.forget()
    this.#judgement.cancel()
  }

  #receive(message: Incoming): void {
    if (this.#end === undefined) return
    if (message.exchange === eventExchange) return this.#coroner.hear(message)
    if (message.exchange !== this.#node.names.presence) return this.#probed(message.messageId)
    const beat = decodeBeat(message)
    if (isMalformed(beat)) {
      return this.#node.log("Warn", `a beat that cannot be read (${message.routingKey}): ${beat.why}`) // W4
    }
    // What the own node is, is known better here: its beat tells only how long the way is.
    if (beat.node !== this.#node.id) this.#learn(beat)
    const way = this.#inquiry.answered(beat.node)
    if (way !== undefined) this.#probe.calibrate(way)
  }

  #settle(): void {
    this.#everSettled = true
    this.#tell((spectator) => spectator.settled?.(undefined))
  }

  // Learning and judging

  #learn(beat: Beat): void {
    const step = apply(this.#view, beat, elapsed(this.#node.clock))
    if (step.full === true) return this.#overflow()
    if (step.view === this.#view) return
    this.#take(step)
    this.#tell((spectator) => spectator.beat?.(beat))
    const sighting = this.#view.nodes.get(beat.node)
    if (sighting !== undefined && beat.node !== this.#node.id) this.#judgeBy(dueOf(sighting))
  }

  #take({ view, transitions }: Step): void {
    this.#view = view
    if (transitions.length > 0) this.#tell((spectator) => spectator.transitions?.(transitions))
    this.#tell((spectator) => spectator.learned?.())
  }

  #overflow(): void {
    if (this.#full) return
    this.#full = true
    this.#node.log("Warn", "the registry of this node is full: not all nodes and members are listed")
  }

  #judgeBy(at: number): void {
    if (this.#link !== undefined) this.#judgement.within(at - elapsed(this.#node.clock))
  }

  /** W3 */
  #consider(): void {
    const link = this.#link
    if (link === undefined || this.#probe.isOut) return
    const first = due(this.#view)
    if (first > elapsed(this.#node.clock)) this.#judgeBy(first)
    else this.#probe.send(link, () => this.#judgement.within(probeAgain))
  }

  #probed(id: string | undefined): void {
    const proof = this.#probe.returned(id)
    if (proof === undefined) return
    if (proof.excess > probeSlack) this.#view = excuse(this.#view, proof.excess)
    else this.#take(judge(this.#view, proof.sent))
    this.#judgeBy(due(this.#view))
  }

  #tell(call: (spectator: Spectator) => void): void {
    for (const spectator of [...this.#spectators]) {
      try {
        call(spectator)
      } catch (error) {
        this.#node.log("Error", `somebody who watches the registry failed: ${String(error)}`)
      }
    }
  }
}
