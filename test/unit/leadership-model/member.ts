// One member as the rim drives it: it feeds the chart what the broker tells, and does what the chart says.

import { type Leadership, type LeadershipEvent, phaseOf } from "../../../src/charts/leadership.ts"
import type { Report, Session } from "./broker.ts"
import type { Said } from "./protocol.ts"
import type { World } from "./world.ts"

export class Member {
  readonly name: string
  /** How wrong its clock is, in ms. */
  readonly clock: number
  state: Leadership
  session: Session | undefined
  alive = true
  frozen = false
  /** Handles mail and writes, in its own view. */
  acts = false
  /** Has read the store since it began to lead. */
  loaded = false
  /** The highest epoch it was ever told of or led with, kept apart from what the chart remembers. */
  known = 0
  readonly #world: World

  constructor(world: World, name: string, clock: number) {
    this.#world = world
    this.name = name
    this.clock = clock
    const [state, commands] = world.protocol.enter()
    this.state = state
    for (const command of commands) this.#do(command, undefined)
  }

  get phase(): string {
    return phaseOf(this.state)
  }

  get now(): number {
    return this.#world.now + this.clock
  }

  /** Reads the next report of its session. */
  read(): void {
    const report = this.frozen ? undefined : this.session?.told.shift()
    if (report) this.#hear(report)
  }

  feed(event: LeadershipEvent, grant?: number): void {
    if (event.type === "seen") this.known = Math.max(this.known, event.epoch)
    const before = this.phase
    const [state, commands] = this.#world.protocol.step(this.state, event)
    this.state = state
    this.#world.note(() => {
      const said = commands.map((command) => JSON.stringify(command)).join(" ")
      return `${this.name} ${before} ${JSON.stringify(event)} -> ${this.phase} ${said}`
    })
    this.#world.count(`event ${event.type}`)
    this.#world.count(`phase ${this.phase}`)
    for (const command of commands) this.#do(command, grant)
    // Its process may live on, and with it a channel that nobody closed.
    if (state.status === "done") this.alive = false
  }

  /** The process dies: any part of what it had sent was on its way, the rest never left. */
  die(): void {
    this.alive = false
    if (!this.session) return
    this.session.sent.length = this.#world.chance.below(this.session.sent.length + 1)
    this.session.orphaned = true
  }

  #hear(report: Report): void {
    switch (report.type) {
      case "opened":
        return this.feed({ ...report, now: this.now })
      case "token": {
        const { tag, id, base, returns, grant } = report
        return this.feed({ type: "token", tag, id, value: this.#world.protocol.valueOf(base, returns) }, grant)
      }
      case "lost":
        return this.feed(report)
    }
  }

  #do(command: Said, grant: number | undefined): void {
    this.#world.count(`command ${command.do}`)
    switch (command.do) {
      case "open":
        this.session = this.#world.broker.connect(this.name)
        return
      case "seed":
        this.session?.sent.push({ do: "publish", base: command.base })
        return
      case "ack":
      case "nack":
      case "cancel":
        this.session?.sent.push(command)
        return
      case "close":
        this.session?.sent.push({ do: "close" })
        this.session = undefined
        return
      case "lead":
        this.acts = true
        this.loaded = false
        return this.#granted(command.epoch, grant)
      case "moved":
        return this.#granted(command.epoch, grant)
      case "halt":
        this.acts = false
        return
      case "drain":
        return
    }
  }

  #granted(epoch: number, grant: number | undefined): void {
    if (grant === undefined) throw new Error(`${this.name} leads without a token`)
    this.#world.grants.push({ grant, epoch, member: this.name })
    if (epoch <= this.known) {
      this.#world.violated("a member led on an epoch that it knew to be old", `${this.name} ${epoch} <= ${this.known}`)
    }
    this.known = Math.max(this.known, epoch)
  }
}
