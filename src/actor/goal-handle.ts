// A goal as its client sees it: a handle for promises, and the same one for Effects.

import { Effect, Stream } from "effect"
import type { Watch } from "../actions/watch.ts"
import type { Outcome } from "../protocol/client.ts"
import type { CompiledAction } from "../protocol/codec.ts"
import { type AskError, type AskReason, Cancelled, Rejected } from "../protocol/errors.ts"
import type { EffectGoalHandle, GoalHandle, GoalOutcome } from "../protocol/goal.ts"

/** Whose goal it is. */
export interface Origin {
  readonly codec: CompiledAction
  /** An error of a call of this action. */
  readonly failure: (reason: AskReason) => AskError
}

type AnyHandle = GoalHandle<unknown, unknown, unknown>

/** @param watch of which the goal is known. */
export const goalHandle = (watch: Watch, origin: Origin): AnyHandle => {
  const outcome = watch.ended.then((end) => decoded(end, origin))
  let result: Promise<unknown> | undefined
  return {
    id: watch.goal ?? "",
    get status() {
      return watch.status
    },
    statuses: watch.statuses.iterable((status) => status),
    feedback: watch.feedback.iterable((json) => {
      try {
        return origin.codec.feedback.decode(json)
      } catch (error) {
        throw origin.failure(new Rejected({ why: `the feedback is not what the protocol says: ${String(error)}` }))
      }
    }),
    // A promise that nobody looks at must not reject.
    get result() {
      result ??= outcome.then((ended) => {
        if (ended.ok) return ended.value
        throw ended.error
      })
      return result
    },
    outcome,
    cancel: () => watch.cancel(),
  }
}

export const effectGoalHandle = (handle: AnyHandle): EffectGoalHandle<unknown, unknown, unknown> => {
  const outcome = Effect.promise(() => handle.outcome)
  return {
    id: handle.id,
    get status() {
      return handle.status
    },
    statuses: Stream.orDie(Stream.fromAsyncIterable(handle.statuses, (error) => error)),
    feedback: Stream.fromAsyncIterable(handle.feedback, (error) => error as AskError),
    result: Effect.flatMap(
      outcome,
      (ended): Effect.Effect<unknown, unknown> => (ended.ok ? Effect.succeed(ended.value) : Effect.fail(ended.error)),
    ),
    outcome,
    cancel: Effect.promise(() => handle.cancel()),
  }
}

type Ended = Awaited<Watch["ended"]>

const decoded = ({ status, outcome }: Ended, { codec, failure }: Origin): GoalOutcome<unknown, unknown> => {
  const unreadable = (what: string, error: unknown) =>
    failure(new Rejected({ why: `the ${what} is not what the protocol says: ${String(error)}` }))
  switch (status) {
    case "succeeded":
      return valueOf(codec, outcome, (error) => ({ ok: false, status: "aborted", error: unreadable("result", error) }))
    case "canceled":
    case "preempted": {
      const ended = { ok: false, status, error: failure(new Cancelled({})) } as const
      if (outcome?.tag !== "value") return ended
      const partial = attempt(() => codec.result.decode(outcome.value))
      return partial.ok
        ? { ...ended, partial: partial.value }
        : { ...ended, error: unreadable("partial result", partial.error) }
    }
    default: {
      const why = outcome?.tag === "failed" ? outcome.reason : new Rejected({ why: `the goal is ${status}` })
      if (outcome?.tag !== "declared") return { ok: false, status: "aborted", error: failure(why) }
      const error = attempt(() => codec.error.decode(outcome.error))
      return { ok: false, status: "aborted", error: error.ok ? error.value : unreadable("error", error.error) }
    }
  }
}

const valueOf = (
  codec: CompiledAction,
  outcome: Ended["outcome"],
  failed: (error: unknown) => GoalOutcome<unknown, unknown>,
): GoalOutcome<unknown, unknown> => {
  const value = attempt(() => codec.result.decode(outcome?.tag === "value" ? outcome.value : undefined))
  return value.ok ? { ok: true, status: "succeeded", value: value.value } : failed(value.error)
}

const attempt = (run: () => unknown): Outcome<unknown, unknown> => {
  try {
    return { ok: true, value: run() }
  } catch (error) {
    return { ok: false, error }
  }
}
