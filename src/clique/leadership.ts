// One member's part in who leads its `single` clique: it does what the chart decides (charts/leadership.ts), and tells the
// chart what the broker and the clock say.
//
// R1. The commands of the chart are done in its order, one after the other: what halts is over before the token is let go.
// R2. Everything that is waited for is bounded: by the port, or by the tenant.

import { Deferred, Effect } from "effect"
import type { Link } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import {
  type Command,
  enter,
  type LeadershipEvent,
  leads,
  phaseOf,
  type Leadership as State,
  step,
} from "../charts/leadership.ts"
import type { LinkUser } from "../messaging/connection.ts"
import type { Entry } from "../messaging/deadlines.ts"
import type { Node } from "../messaging/node.ts"
import { type Address, format } from "../wire/address.ts"
import { Term } from "./term.ts"
import { tokenQueue } from "./token.ts"
import { TokenChannel } from "./token-channel.ts"

/** ms between two proofs of the leader that it still has the token: each is one write to the log of the queue. */
const renewEvery = 10_000
/** ms after which the proof is late, and the leadership over. */
const late = 5_000
/** ms without a sign of a leader, after which a standby takes the token for lost. */
const quiet = 10_000

/** Who lives on the leadership: the member's cell and mailbox. */
export interface Tenant {
  /** Ends what the term began, unfinished and from this call on. The result gives its mail back to the broker. */
  readonly halt: (why: Error) => Effect.Effect<void>
  /** Finishes what the term began. */
  readonly drain: (term: Term) => Effect.Effect<void>
  /** It leads, or leads no longer. */
  readonly changed: () => void
  /** ms since the epoch at which a leader of the clique was last heard of; 0 for never. */
  readonly leaderHeard: () => number
}

/** ms between two looks for a sign of a leader. */
const lookEvery = 1_000

export class Leadership implements LinkUser {
  readonly #node: Node
  readonly #address: Address
  readonly #channel: TokenChannel
  readonly #tenant: Tenant
  #state: State
  readonly #todo: Array<Command> = []
  #busy = false
  #term: Term | undefined
  readonly #waiting: Array<() => void> = []
  readonly #refused = Deferred.makeUnsafe<never, BrokerError>()
  #renewal: Entry | undefined
  #lateness: Entry | undefined
  #watch: Entry | undefined
  #standingBySince = 0

  constructor(node: Node, address: Address, tenant: Tenant) {
    this.#node = node
    this.#address = address
    this.#channel = new TokenChannel(node, tokenQueue(node.names, address), {
      opened: ({ messages, consumers }) => this.#feed({ type: "opened", ready: messages, consumers, now: node.now() }),
      token: (tag, id, value) => this.#feed({ type: "token", tag, id, value }),
      lost: () => this.#feed({ type: "lost" }),
      refused: (error) => {
        this.#feed({ type: "refused", why: error.message })
        Deferred.doneUnsafe(this.#refused, Effect.fail(error))
      },
    })
    this.#tenant = tenant
    const [state, commands] = enter()
    this.#state = state
    this.#todo.push(...commands)
    this.#proceed()
  }

  /** For people: `standby`, `leading.running` ... */
  get phase(): string {
    return phaseOf(this.#state)
  }

  get leads(): boolean {
    return leads(this.#state)
  }

  /** 0 while it does not lead. */
  get epoch(): number {
    return this.#term !== undefined && !this.#term.over ? this.#term.epoch : 0
  }

  /** The term that runs, now or once there is one. */
  get term(): Effect.Effect<Term> {
    return this.#once(() => (this.#term?.open === true ? this.#term : undefined))
  }

  /** Fails when the broker will never let it take part. */
  get refused(): Effect.Effect<never, BrokerError> {
    return Deferred.await(this.#refused)
  }

  /** The cell of this term handles mail. */
  started(term: Term): void {
    if (term === this.#term) this.#feed({ type: "started" })
  }

  /** Somebody shows an epoch: a beat, or a store that has refused a smaller one. */
  seen(epoch: number): void {
    this.#feed({ type: "seen", epoch })
  }

  /** Drains, lets go of the token, and is no member any more. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    this.#feed({ type: "stop" })
    return Effect.asVoid(this.#once(() => this.#hasLeft || undefined))
  })

  /** Drains, lets go of the token, and stands by again. */
  readonly stepDown: Effect.Effect<void> = Effect.suspend(() => {
    const { seen } = this.#state.context
    return Effect.andThen(
      this.leave,
      Effect.sync(() => {
        if (this.phase !== "stopped") return
        const [fresh, commands] = enter()
        this.#state = step(fresh, { type: "seen", epoch: seen })[0]
        this.#todo.push(...commands)
        this.#proceed()
      }),
    )
  })

  // The link

  up(link: Link): Effect.Effect<void, BrokerError> {
    return this.#channel.up(link)
  }

  down(): void {
    this.#channel.down()
  }

  // The chart

  #feed(event: LeadershipEvent): void {
    const before = this.phase
    const [state, commands] = step(this.#state, event)
    this.#state = state
    this.#todo.push(...commands)
    this.#keepTime()
    if (before !== this.phase) {
      this.#node.log("Debug", `${format(this.#address)}: ${before} -> ${this.phase} (${event.type})`)
    }
    this.#proceed()
  }

  /** R1. */
  #proceed(): void {
    while (!this.#busy) {
      const command = this.#todo.shift()
      if (command === undefined) break
      const work = this.#do(command)
      if (work === undefined) continue
      this.#busy = true
      const done = Effect.sync(() => {
        this.#busy = false
        this.#proceed()
      })
      this.#node.run(Effect.ensuring(work, done))
    }
    for (const look of this.#waiting.splice(0)) look()
  }

  #do(command: Command): Effect.Effect<void> | undefined {
    switch (command.do) {
      case "open":
        this.#channel.open()
        return undefined
      case "seed":
        this.#channel.seed(command.base)
        return undefined
      case "ack":
        this.#channel.ack(command.tag)
        return undefined
      case "nack":
        this.#channel.nack(command.tag)
        return undefined
      case "lead":
        this.#term = new Term(command.epoch)
        this.#tenant.changed()
        return undefined
      case "moved":
        this.#term?.move(command.epoch)
        return undefined
      case "drain":
        return this.#drain()
      case "halt":
        return this.#halt()
      case "close":
        return this.#channel.close()
    }
  }

  /** Not waited for here: a halt must not stand behind it (R1). */
  #drain(): undefined {
    const term = this.#term
    const drained = Effect.sync(() => this.#feed({ type: "drained" }))
    if (term === undefined) this.#node.run(drained)
    else this.#node.run(Effect.andThen(this.#tenant.drain(term), drained))
    return undefined
  }

  #halt(): Effect.Effect<void> {
    // First the tenant: the end of the term ends the cell, which must find nothing to finish.
    const halted = this.#tenant.halt(new Error(`${format(this.#address)} does not lead any more`))
    this.#term?.halt()
    this.#tenant.changed()
    return halted
  }

  // The clock

  #keepTime(): void {
    const { deadlines } = this.#node
    const now = this.#node.now()
    if (!this.leads) {
      this.#renewal?.cancel()
      this.#renewal = undefined
    } else if (this.#renewal === undefined) {
      this.#renewal = deadlines.add(now + renewEvery, () => {
        this.#renewal = undefined
        this.#feed({ type: "renew" })
      })
    }
    if (!this.#state.context.renewing) {
      this.#lateness?.cancel()
      this.#lateness = undefined
    } else if (this.#lateness === undefined) {
      this.#lateness = deadlines.add(now + late, () => {
        this.#lateness = undefined
        this.#feed({ type: "renewLate" })
      })
    }
    if (this.phase !== "standby") {
      this.#watch?.cancel()
      this.#watch = undefined
    } else if (this.#watch === undefined) {
      this.#standingBySince = now
      this.#look()
    }
  }

  /** The token may be lost: no member can see that at the broker. */
  #look(): void {
    this.#watch = this.#node.deadlines.add(this.#node.now() + lookEvery, () => {
      const now = this.#node.now()
      if (now - Math.max(this.#standingBySince, this.#tenant.leaderHeard()) < quiet) return this.#look()
      this.#standingBySince = now
      this.#look()
      this.#feed({ type: "quiet", now })
    })
  }

  get #hasLeft(): boolean {
    return (this.phase === "stopped" || this.phase === "failed") && !this.#busy && this.#todo.length === 0
  }

  /** What `find` finds, now or once something has changed. */
  #once<A>(find: () => A | undefined): Effect.Effect<A> {
    return Effect.callback((resume) => {
      const look = () => {
        const found = find()
        if (found === undefined) this.#waiting.push(look)
        else resume(Effect.succeed(found))
      }
      look()
    })
  }
}
