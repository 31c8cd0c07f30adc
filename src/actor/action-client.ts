// The functions of a client that send a goal, find one again, and list them.
//
// N1. A value is checked by its slot before it leaves, and again when it arrives.
// N2. A goal that was sent by a call which then ends without a handle (its deadline, its signal) is canceled.

import { Effect } from "effect"
import type { Watch, Wish } from "../actions/watch.ts"
import { ask } from "../messaging/calls.ts"
import type { Job } from "../messaging/job.ts"
import type { Route } from "../messaging/route.ts"
import { asError } from "../messaging/thrown.ts"
import type { CallOptions, Outcome } from "../protocol/client.ts"
import type { CompiledAction } from "../protocol/codec.ts"
import { AskError, type AskReason, Cancelled, Disconnected, Rejected, TimedOut } from "../protocol/errors.ts"
import type { GoalHandle, GoalOptions, ListedGoal } from "../protocol/goal.ts"
import type { Message } from "../protocol/message.ts"
import { executorOf } from "../wire/goal-item.ts"
import type { Outcome as WireOutcome } from "../wire/item.ts"
import { type ClientOptions, millis } from "./client-options.ts"
import { currentJob, jobOf } from "./current.ts"
import { effectGoalHandle, goalHandle, type Origin } from "./goal-handle.ts"

type Handle = GoalHandle<unknown, unknown, unknown>
type Settle<A> = (outcome: Outcome<A, AskError>) => void
/** Gives up what has not settled; it settles then. */
type GiveUp = () => void
type FindOptions = Pick<CallOptions, "timeout" | "signal">

/** The calls of one action; `parent` is the job that makes one, if any does. Each settles once. */
class ActionCalls {
  readonly #client: ClientOptions
  readonly #to: Route
  readonly #name: string
  readonly #origin: Origin

  constructor(client: ClientOptions, to: Route, name: string, codec: CompiledAction) {
    this.#client = client
    this.#to = to
    this.#name = name
    const failure = (reason: AskReason) => new AskError({ address: `${to}`, call: name, reason })
    this.#origin = { codec, failure }
  }

  send(value: unknown, options: GoalOptions = {}, parent: Job | undefined, settle: Settle<Handle>): GiveUp {
    const { node, actions, sender } = this.#client
    let payload: unknown
    try {
      payload = this.#origin.codec.goal.encode(value)
    } catch (error) {
      return this.#fail(settle, new Rejected({ why: asError(error).message }))
    }
    const { signal, headers, abandon } = options
    if (signal?.aborted) return this.#fail(settle, new Cancelled({}))
    const id = node.nextId()
    const watch = actions.watch(this.#wish(id))
    const timeout = this.#timeout(options)
    const call = { to: this.#to, name: this.#name, payload, timeout, headers, parent, sender, id }
    const sending = abandon === "cancel" ? { ...call, abandon } : call
    const ongoing = ask(node, sending, (outcome) => settle(this.#answered(watch, outcome)))
    whileOpen(watch, signal, () => {
      if (watch.status === "pending") ongoing.giveUp()
      else void watch.cancel()
    })
    return () => ongoing.giveUp()
  }

  #answered(watch: Watch, outcome: WireOutcome): Outcome<Handle, AskError> {
    const goal = outcome.tag === "value" ? goalOf(outcome.value) : undefined
    if (goal !== undefined) {
      watch.accepted(goal)
      return { ok: true, value: goalHandle(watch, this.#origin) }
    }
    const reason =
      outcome.tag === "failed" ? outcome.reason : new Rejected({ why: "the reply does not say which goal it is" })
    watch.lose(reason)
    return { ok: false, error: this.#origin.failure(reason) }
  }

  find(goal: string, options: FindOptions = {}, parent: Job | undefined, settle: Settle<Handle>): GiveUp {
    const { node, actions } = this.#client
    if (executorOf(goal) === undefined) {
      return this.#fail(settle, new Rejected({ why: `${JSON.stringify(goal)} is no id of a goal` }))
    }
    if (options.signal?.aborted) return this.#fail(settle, new Cancelled({}))
    const watch = actions.watch({ ...this.#wish(node.nextId()), goal })
    const after = this.#timeout(options, parent)
    const giveUp = (reason: AskReason) => {
      if (watch.status === "pending") watch.lose(reason)
    }
    const deadline = node.deadlines.add(node.now() + after, () => giveUp(new TimedOut({ after })))
    whileOpen(watch, options.signal, () => giveUp(new Cancelled({})))
    void watch.known.then((reason) => {
      deadline.cancel()
      if (reason === undefined) settle({ ok: true, value: goalHandle(watch, this.#origin) })
      else this.#fail(settle, reason)
    })
    return () => giveUp(new Cancelled({}))
  }

  async list(
    options: Pick<CallOptions, "timeout"> = {},
    parent: Job | undefined,
  ): Promise<Outcome<ReadonlyArray<ListedGoal>, AskError>> {
    const { actions, registry } = this.#client
    const { domain, type, id } = this.#to.address
    const timeout = this.#timeout(options, parent)
    const failed = (reason: AskReason) => ({ ok: false, error: this.#origin.failure(reason) }) as const
    try {
      const members = await registry.list({ domain, type, id })
      const kind = { to: this.#to.key, name: this.#name }
      const nodes = new Set(members.map(({ node }) => node))
      const answers = await Promise.all([...nodes].map((node) => actions.goalsAt(node, kind, timeout)))
      const goals: Array<ListedGoal> = []
      for (const answer of answers) {
        if (!answer.ok) return failed(answer.error)
        goals.push(...answer.value)
      }
      return { ok: true, value: goals }
    } catch (error) {
      return failed(new Disconnected({ why: asError(error).message, sent: false }))
    }
  }

  #wish(id: number): Wish {
    return { id, to: this.#to.key, name: this.#name }
  }

  /** ms, no longer than the job that calls has time. */
  #timeout({ timeout }: Pick<CallOptions, "timeout">, parent?: Job): number {
    const { node, askTimeout } = this.#client
    const own = timeout === undefined ? askTimeout : millis(timeout)
    return Math.min(own, (parent?.ask?.deadline ?? Number.POSITIVE_INFINITY) - node.now())
  }

  #fail(settle: Settle<never>, reason: AskReason): GiveUp {
    settle({ ok: false, error: this.#origin.failure(reason) })
    return () => {}
  }
}

/** The id in the reply to a message that sent a goal; undefined when there is none. */
const goalOf = (value: unknown): string | undefined => {
  if (typeof value !== "object" || value === null || !("goal" in value)) return undefined
  return typeof value.goal === "string" && executorOf(value.goal) !== undefined ? value.goal : undefined
}

/** Calls when the signal is aborted while the goal is followed, and leaves nothing behind on it. */
const whileOpen = (watch: Watch, signal: AbortSignal | undefined, aborted: () => void): void => {
  if (signal === undefined) return
  signal.addEventListener("abort", aborted, { once: true })
  void watch.ended.then(() => signal.removeEventListener("abort", aborted))
}

export const promiseAction = (
  client: ClientOptions,
  to: Route,
  name: string,
  _message: Message,
  codec: CompiledAction,
) => {
  const calls = new ActionCalls(client, to, name, codec)
  const outcome = (goal: unknown, options?: GoalOptions) =>
    new Promise<Outcome<Handle, AskError>>((resolve) => void calls.send(goal, options, currentJob(), resolve))
  const found = (id: string, options?: FindOptions) =>
    new Promise<Outcome<Handle, AskError>>((resolve) => void calls.find(id, options, currentJob(), resolve))
  const send = async (goal: unknown, options?: GoalOptions) => valueOf(await outcome(goal, options))
  return Object.assign(send, {
    outcome,
    goal: async (id: string, options?: FindOptions) => valueOf(await found(id, options)),
    goals: async (options?: Pick<CallOptions, "timeout">) => valueOf(await calls.list(options, currentJob())),
  })
}

const valueOf = <A>(outcome: Outcome<A, AskError>): A => {
  if (outcome.ok) return outcome.value
  throw outcome.error
}

export const effectAction = (
  client: ClientOptions,
  to: Route,
  name: string,
  _message: Message,
  codec: CompiledAction,
) => {
  const calls = new ActionCalls(client, to, name, codec)
  const handle = (begin: (parent: Job | undefined, settle: Settle<Handle>) => GiveUp) =>
    onBehalf((parent) =>
      Effect.callback<Handle, AskError>((resume) => {
        const giveUp = begin(parent, (outcome) => resume(effectOf(outcome)))
        return Effect.sync(giveUp)
      }).pipe(Effect.map(effectGoalHandle)),
    )
  const send = (goal: unknown, options?: GoalOptions) =>
    handle((parent, settle) => calls.send(goal, options, parent, settle))
  return Object.assign(send, {
    goal: (id: string, options?: FindOptions) => handle((parent, settle) => calls.find(id, options, parent, settle)),
    goals: (options?: Pick<CallOptions, "timeout">) =>
      onBehalf((parent) =>
        Effect.flatMap(
          Effect.promise(() => calls.list(options, parent)),
          effectOf,
        ),
      ),
  })
}

const onBehalf = <A, E>(run: (parent: Job | undefined) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.withFiber((fiber) => run(jobOf(fiber)))

const effectOf = <A>(outcome: Outcome<A, AskError>): Effect.Effect<A, AskError> =>
  outcome.ok ? Effect.succeed(outcome.value) : Effect.fail(outcome.error)
