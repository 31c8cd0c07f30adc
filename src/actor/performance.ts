// The handler of one goal at work: how it is run, and what its end means for the goal and for the cell.
//
// P1. What a handler gives back decides how it goes on (result.ts). It runs on nobody's behalf: the message that brought the
//     goal is answered and acked long before its handler is done.
// P2. A goal is accepted at the end of the event loop's turn in which its handler was called, or with its first feedback.
//     What is refused before is rejected; what is refused later is aborted.
// P3. Asked to stop, a handler sees its signal abort; an Effect is interrupted. What it gives then is a partial result; that
//     it gave up is what was asked of it. Not done `stuckAfter` later, its cell is crashed (promise 1).
// P4. A declared error aborts the goal; anything else also crashes the cell, and all goals that run in it (promise 6).

import { Cause, type Context, Effect, Exit } from "effect"
import type { Run } from "../actions/run.ts"
import type { Ending } from "../charts/goal.ts"
import type { Entry } from "../messaging/deadlines.ts"
import type { Job } from "../messaging/job.ts"
import type { Node } from "../messaging/node.ts"
import { asError } from "../messaging/thrown.ts"
import { type CompiledAction, Mismatch } from "../protocol/codec.ts"
import { Crashed, type Rejected } from "../protocol/errors.ts"
import type { Outcome } from "../wire/item.ts"
import { type AnyHandlers, failureSort } from "./cell.ts"
import { runApart } from "./current.ts"
import { GoalContext } from "./goal-context.ts"
import { type ResultSort, resultSort } from "./result.ts"

/** The cell whose handlers it runs. */
export interface GoalCell {
  readonly handlers: AnyHandlers
  /** The services that Effect handlers need. */
  readonly services: Context.Context<never>
  readonly crashed: (error: unknown) => void
}

/** A goal that is to be done. */
export interface Work {
  readonly run: Run
  readonly message: CompiledAction
  /** A value of the program. */
  readonly goal: unknown
  /** What brought it. */
  readonly job: Job
}

/** ms, and the address of the actor. */
export interface Terms {
  readonly stuckAfter: number
  readonly address: string
}

export class Performance {
  readonly run: Run
  /** ms since the epoch. */
  readonly startedAt: number
  readonly #node: Node
  readonly #work: Work
  readonly #cell: GoalCell
  readonly #terms: Terms
  readonly #control = new AbortController()
  #interrupt: () => void = () => {}
  #stuck: Entry | undefined
  /** Its handler is done, or does not matter any more. */
  #done = false

  constructor(node: Node, work: Work, cell: GoalCell, terms: Terms) {
    this.#node = node
    this.#work = work
    this.#cell = cell
    this.#terms = terms
    this.run = work.run
    this.startedAt = node.now()
  }

  begin(): void {
    const { run } = this
    run.signal = (why) => this.#stop(why)
    if (run.status === "pending") {
      this.#work.job.onAbort(() => this.#cancelled())
      setImmediate(() => this.accept())
    } else {
      run.step({ type: "start" })
      run.tell()
    }
    let result: unknown
    let sort: ResultSort
    try {
      result = runApart(() => this.#call())
      sort = resultSort(result)
    } catch (error) {
      return this.#failed(error)
    }
    if (sort === "effect") return runApart(() => this.#fork(result as Effect.Effect<unknown, unknown>))
    if (sort === "value") return this.#succeeded(result)
    Promise.resolve(result).then(
      (value) => this.#succeeded(value),
      (error) => this.#failed(error),
    )
  }

  /** P2 */
  accept(): void {
    if (this.run.status !== "pending") return
    this.run.step({ type: "accept" })
    this.run.step({ type: "start" })
    this.#work.job.answer(acceptance(this.run))
    this.run.tell()
  }

  /** Its cell is gone. */
  abandon(why: unknown): void {
    this.#finish()
    this.accept()
    this.#end("abort", { tag: "failed", reason: new Crashed({ why: asError(why).message }) })
    this.#control.abort(why)
    this.#interrupt()
  }

  #call(): unknown {
    const { goal, job, message, run } = this.#work
    const { item } = job
    const feedback = (value: unknown) => {
      if (this.#done) return
      const json = message.feedback.encode(value)
      this.accept()
      run.feedback(json)
    }
    const partial = (value: unknown) => {
      if (!this.#done) run.keep({ tag: "value", value: message.result.encode(value) })
    }
    const context = new GoalContext({
      id: run.id,
      goal,
      item,
      attempt: job.begun + 1,
      signal: this.#control.signal,
      feedback,
      partial,
    })
    // A method is called on its behaviour.
    return (this.#cell.handlers as Readonly<Record<string, (goal: GoalContext) => unknown>>)[item.name]?.(context)
  }

  #fork(effect: Effect.Effect<unknown, unknown>): void {
    const fiber = Effect.runForkWith(this.#cell.services)(effect)
    this.#interrupt = () => fiber.interruptUnsafe()
    fiber.addObserver((exit) => {
      if (Exit.isSuccess(exit)) this.#succeeded(exit.value)
      else this.#failed(Cause.squash(exit.cause))
    })
  }

  /** Who sent it gave up before it heard that it is accepted. */
  #cancelled(): void {
    this.accept()
    this.run.cancel()
  }

  #stop(why: Ending): void {
    this.#control.abort(new DOMException(reasons[why], "AbortError"))
    this.#interrupt()
    if (this.#done) return
    const { stuckAfter } = this.#terms
    this.#stuck = this.#node.deadlines.add(this.#node.now() + stuckAfter, () =>
      this.#cell.crashed(
        new Error(`stuck: goal ${this.run.id} still runs ${stuckAfter} ms after its signal was aborted`),
      ),
    )
  }

  /** Whether it matters. */
  #finish(): boolean {
    this.#stuck?.cancel()
    const done = this.#done
    this.#done = true
    return !done
  }

  #succeeded(value: unknown): void {
    if (!this.#finish()) return
    this.accept()
    const { ending } = this.run
    if (ending === "aborted") return this.#end("abort", this.#stopped())
    if (ending !== undefined && value === undefined) return this.#end("finish", undefined)
    try {
      this.run.end("finish", { tag: "value", value: this.#work.message.result.encode(value) })
    } catch (error) {
      const { name } = this.#work.job.item
      this.#cell.crashed(new Mismatch(`the result of ${name} is not what its protocol says: ${asError(error).message}`))
    }
  }

  #failed(error: unknown): void {
    if (!this.#finish()) return
    const { message, job } = this.#work
    const sort = failureSort(message, error)
    if (sort === "rejected" && this.run.status === "pending") {
      this.run.step({ type: "reject" })
      return job.reject(error as Rejected)
    }
    this.accept()
    const { ending } = this.run
    if (sort === "declared") {
      try {
        this.run.end("abort", { tag: "declared", error: message.error.encode(error) })
        return
      } catch (mismatch) {
        return this.#cell.crashed(mismatch)
      }
    }
    if (ending === "aborted") return this.#end("abort", this.#stopped())
    if (ending !== undefined) return this.#end("finish", undefined)
    if (sort === "rejected") return this.#end("abort", { tag: "failed", reason: error as Rejected })
    this.#cell.crashed(error)
  }

  #stopped(): Outcome {
    return { tag: "failed", reason: new Crashed({ why: `${this.#terms.address} was stopped` }) }
  }

  /** What is JSON for sure. */
  #end(type: "finish" | "abort", outcome: Outcome | undefined): void {
    this.run.end(type, outcome)
  }
}

/** What the message that brought a goal is answered. */
export const acceptance = ({ id, status }: Run): Outcome => ({ tag: "value", value: { goal: id, status } })

const reasons: Readonly<Record<Ending, string>> = {
  canceled: "the goal was canceled",
  preempted: "another goal takes the place of this one",
  aborted: "the actor is being stopped",
}
