// The goals of one member: which of them run, which wait for their turn, and how they end with their cell.
//
// L1. Goals run beside the mailbox (promise 1), at most so many of each action as its options say (policy.ts).
// L2. A goal runs in one cell and ends with it. Those that wait outlive a crash: the next cell takes them up, in their order.
//     Not in a `single` clique, where the next cell may be elsewhere.
// L3. When the actor stops, or leads no longer, all of them end `aborted`, and those who watch are told (promise 11).

import { Effect } from "effect"
import type { Actions } from "../actions/actions.ts"
import { admit, type Policy } from "../actions/policy.ts"
import type { Sent } from "../actions/run.ts"
import type { Job } from "../messaging/job.ts"
import type { Node } from "../messaging/node.ts"
import { asError } from "../messaging/thrown.ts"
import type { CompiledAction } from "../protocol/codec.ts"
import { Rejected } from "../protocol/errors.ts"
import type { Handling } from "../wire/beat.ts"
import { type ActionOptions, policyOf } from "./action-options.ts"
import { acceptance, type GoalCell, Performance, type Terms, type Work } from "./performance.ts"

export interface GoalsOptions extends Terms {
  readonly node: Node
  readonly actions: Actions
  /** The routing key of the actor. */
  readonly to: string
  /** Of a `single` clique. */
  readonly single: boolean
  /** By the name of the action. */
  readonly options: Readonly<Record<string, ActionOptions>>
}

/** The goals of one action. */
interface Line {
  readonly policy: Policy
  /** The oldest first. */
  readonly running: Set<Performance>
  readonly waiting: Array<Work>
}

export class Goals {
  readonly #options: GoalsOptions
  readonly #lines = new Map<string, Line>()
  #cell: GoalCell | undefined
  #finishing = false
  #idle: () => void = () => {}

  constructor(options: GoalsOptions) {
    this.#options = options
  }

  /** What runs, for the beat. */
  get handling(): ReadonlyArray<Handling> {
    return [...this.#lines].flatMap(([message, { running }]) =>
      [...running].map(({ startedAt }) => ({ message, since: startedAt })),
    )
  }

  /** A cell runs them from now on. */
  open(cell: GoalCell): void {
    this.#cell = cell
    this.#finishing = false
    for (const line of this.#lines.values()) this.#next(line)
  }

  /** A message that sends a goal. */
  submit(job: Job, message: CompiledAction): void {
    const { item } = job
    const known = this.#options.actions.board.of(job.key)
    // It came twice: the first one is answered when it is decided on.
    if (known !== undefined) return job.answer(known.status === "pending" ? undefined : acceptance(known))
    let goal: unknown
    try {
      goal = message.goal.decode(item.payload)
    } catch (error) {
      return job.reject(new Rejected({ why: `${item.name}: ${asError(error).message}` }))
    }
    if (typeof this.#cell?.handlers[item.name] !== "function") {
      return job.reject(new Rejected({ why: `${item.name} has no handler` }))
    }
    this.#admit(job, message, goal)
  }

  #admit(job: Job, message: CompiledAction, goal: unknown): void {
    const line = this.#line(job.item.name)
    const running = [...line.running]
    const staying = running.filter(({ run }) => run.ending === undefined)
    const load = { running: running.length, staying: staying.length, waiting: line.waiting.length }
    const admission = admit(line.policy, load)
    if (admission.do === "reject") return job.reject(new Rejected({ why: `${job.item.name}: ${admission.why}` }))
    const run = this.#options.actions.board.add(this.#sent(job))
    const work: Work = { run, message, goal, job }
    if (admission.do === "run") return this.#begin(line, work)
    line.waiting.push(work)
    run.onOver(() => void remove(line.waiting, work))
    run.step({ type: "accept" })
    job.answer(acceptance(run))
    run.tell()
    if (admission.do === "wait") return
    if (admission.victim === "waiting") return line.waiting[0]?.run.preempt()
    staying[0]?.accept()
    staying[0]?.run.preempt()
  }

  #sent(job: Job): Sent {
    const { key, item, ask, hand } = job
    const { to } = this.#options
    const answers = ask !== undefined && hand.plain === undefined
    const sender = answers ? { node: item.node, id: ask.id, queue: ask.replyTo } : undefined
    return { key, to, name: item.name, sender, abandon: ask?.abandon === "cancel" }
  }

  #line(name: string): Line {
    const known = this.#lines.get(name)
    if (known !== undefined) return known
    const line: Line = { policy: policyOf(this.#options.options[name]), running: new Set(), waiting: [] }
    this.#lines.set(name, line)
    return line
  }

  #begin(line: Line, work: Work): void {
    const { node } = this.#options
    if (this.#cell === undefined) return
    const performance = new Performance(node, work, this.#cell, this.#options)
    line.running.add(performance)
    work.run.onOver(() => {
      line.running.delete(performance)
      this.#next(line)
      this.#checkIdle()
    })
    performance.begin()
  }

  #next(line: Line): void {
    const { node } = this.#options
    while (this.#cell !== undefined && !this.#finishing && !node.stopping && line.running.size < line.policy.atMost) {
      const work = line.waiting.shift()
      if (work === undefined) return
      this.#begin(line, work)
    }
  }

  /** The cell has crashed: what ran in it is over (L2). */
  crash(error: unknown): void {
    this.#cell = undefined
    for (const performance of this.#running()) performance.abandon(error)
    const { single, address } = this.#options
    if (single) this.#refuseWaiting(`${address} crashed`)
  }

  /** Asks all that runs to stop, and waits until it has. What waits is not begun any more. */
  readonly finish: Effect.Effect<void> = Effect.callback((resume) => {
    this.#finishing = true
    this.#idle = () => resume(Effect.void)
    for (const performance of this.#running()) {
      performance.accept()
      performance.run.step({ type: "stop" })
      performance.run.tell()
    }
    this.#checkIdle()
  })

  /** The actor has ended, or leads no longer: nothing of it is left (L3). */
  end(why: Error): void {
    this.crash(why)
    this.#refuseWaiting(why.message)
  }

  /** No handler has seen them. */
  #refuseWaiting(why: string): void {
    for (const { waiting } of this.#lines.values()) {
      for (const { run } of waiting.splice(0)) {
        run.end("abort", { tag: "failed", reason: new Rejected({ why: `${why} before the goal began` }) })
      }
    }
  }

  #running(): ReadonlyArray<Performance> {
    return [...this.#lines.values()].flatMap(({ running }) => [...running])
  }

  #checkIdle(): void {
    if (this.#running().length > 0) return
    const idle = this.#idle
    this.#idle = () => {}
    idle()
  }
}

const remove = (works: Array<Work>, work: Work): void => {
  const at = works.indexOf(work)
  if (at >= 0) works.splice(at, 1)
}
