// The loop of a supervisor: takes one event at a time and carries out what plan.ts decides.
//
// R1. Only the loop changes who is in the list and what is to be started.
// R2. A backoff never blocks the loop: while a child or a group waits, other exits, stops and starts are served.
// R3. In a rest-for-one or one-for-all supervisor nobody starts before the siblings in front of it are ready, so a
//     child that is added while those are down waits for its turn.
// R4. Every end of a supervisor first stops all children in reverse order, each within its own bound.
// R5. Nobody who asked something waits longer than the supervisor lives.

import { Cause, Clock, Deferred, Effect, Exit, type Fiber, Queue, Random } from "effect"
import { delay, nextAttempt } from "./backoff.ts"
import type { Child } from "./child.ts"
import { describe, Ended, type Fatal, fatalIn, GaveUp, SpecError, StartFailed } from "./errors.ts"
import { type History, recent } from "./intensity.ts"
import { Line } from "./line.ts"
import { announce } from "./observer.ts"
import { decide, recovery } from "./plan.ts"
import { type News, type Rim, Slot } from "./slot.ts"
import type { ResolvedChild, ResolvedSpec } from "./spec.ts"
import { type State, span, type View } from "./tree.ts"

/** Why a supervisor ended without a failure: told to, by a significant child, or by `whenExhausted: "stop"`. */
export type Ending = "stopped" | "auto-shutdown" | "exhausted"

type End = Exit.Exit<Ending, GaveUp | StartFailed | Fatal>

export type Event<R> =
  | News<R>
  | { readonly _tag: "Start"; readonly slot: Slot<R> }
  | { readonly _tag: "Stop"; readonly id: string; readonly reply: Deferred.Deferred<boolean> }
  | { readonly _tag: "Gone"; readonly slot: Slot<R> }
  | { readonly _tag: "LineDue"; readonly turn: number }

export const makeLoop = Effect.fnUntraced(function* <R>(name: string, spec: ResolvedSpec) {
  const run = Effect.runForkWith(yield* Effect.context<R>())
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  const events = yield* Queue.unbounded<Event<R>>()
  const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  const post = (event: Event<R>) => void Queue.offerUnsafe(events, event)
  const rim: Rim<R> = { supervisor: name, run, now, post }

  // By id, in their order.
  const slots = new Map<string, Slot<R>>()
  let history: History = []
  let state: State = "starting"
  let changedAt = now()
  let fiber: Fiber.Fiber<void> | undefined
  let halted = false
  const started = Deferred.makeUnsafe<void, StartFailed | Fatal>()
  const ended = Deferred.makeUnsafe<End>()
  const enter = (next: State) => {
    state = next
    changedAt = now()
  }
  const line = new Line<R>(
    rim,
    (turn) => post({ _tag: "LineDue", turn }),
    () => {
      if (state !== "running") enter("running")
      Deferred.doneUnsafe(started, Exit.void)
    },
  )
  const failed = (slot: Slot<R>, cause: unknown) => new StartFailed({ supervisor: name, child: slot.id, cause })
  const remove = (slot: Slot<R>, why: string) => {
    if (slots.get(slot.id) === slot) slots.delete(slot.id)
    Deferred.doneUnsafe(slot.started, Exit.fail(failed(slot, why)))
    Deferred.doneUnsafe(slot.gone, Exit.void)
  }
  const staying = () => [...slots.values()].filter((slot) => !slot.leaving)
  /** It stays in the list until it has released everything. */
  const dismiss = (slot: Slot<R>) => {
    if (slot.leaving) return
    slot.leaving = true
    run(
      Effect.andThen(
        slot.end(true),
        Effect.sync(() => post({ _tag: "Gone", slot })),
      ),
    )
  }

  /** R4. The first reason counts. */
  const halt = (end: End, culprit?: Slot<R>) => {
    if (halted) return
    halted = true
    enter("stopping")
    line.clear()
    run(
      Effect.gen(function* () {
        for (const slot of [...slots.values()].reverse()) {
          yield* slot.end(true)
          slot.enter(slot === culprit ? "failed" : "stopped")
          Deferred.doneUnsafe(slot.gone, Exit.void)
        }
        enter(Exit.isSuccess(end) ? "stopped" : "failed")
        Deferred.doneUnsafe(ended, Exit.succeed(end))
        const unstarted = Exit.mapError(end, (error) =>
          error instanceof GaveUp ? new StartFailed({ supervisor: name, child: error.child, cause: error }) : error,
        )
        Deferred.doneUnsafe(started, Exit.asVoid(unstarted))
      }),
    )
    fiber?.interruptUnsafe()
  }

  const ready = (slot: Slot<R>) => {
    slot.enter("running")
    slot.begun = true
    Deferred.doneUnsafe(slot.started, Exit.void)
    line.advance()
  }

  const exited = Effect.fnUntraced(function* (slot: Slot<R>, exit: Exit.Exit<void, unknown>, at: number) {
    const uptime = slot.readyAt === undefined ? 0 : at - slot.readyAt
    const normal = Exit.isSuccess(exit) && slot.spec.restart !== "permanent"
    const cause = Exit.isFailure(exit) ? exit.cause : Cause.fail(new Ended({ child: slot.id }))
    const fatal = fatalIn(cause)
    slot.over(normal ? undefined : Cause.squash(cause))
    if (!slot.begun && !normal) return startFailed(slot, fatal ?? failed(slot, Cause.squash(cause)))
    if (!slot.begun) Deferred.doneUnsafe(slot.started, Exit.void)
    slot.begun = true
    const verdict = decide({
      spec,
      child: slot.spec,
      outcome: fatal ? "fatal" : Exit.isFailure(exit) ? "crashed" : "ended",
      significantLeft:
        slot.spec.significant && [...slots.values()].some((other) => other.spec.significant && other.counts),
      history,
      now: at,
    })
    switch (verdict._tag) {
      case "Forget":
        if (!normal) yield* Effect.logWarning(`"${name}": "${slot.id}" crashed and stays down: ${text(cause)}`)
        return forget(slot)
      case "AutoShutdown":
        return halt(Exit.succeed("auto-shutdown"))
      case "Fatal":
        yield* Effect.logError(`"${name}": "${slot.id}" failed, and no restart can help: ${text(cause)}`)
        return halt(Exit.fail(fatal!), slot)
      case "Restart":
        history = verdict.history
        return yield* restart(slot, cause, uptime)
      case "Exhausted":
        return yield* exhausted(slot, cause, verdict.then)
    }
  })

  /** A first start that failed: the supervisor's own failure, or that of who asked for the child. */
  const startFailed = (slot: Slot<R>, error: StartFailed | Fatal) => {
    if (!slot.dynamic) return halt(Exit.fail(error), slot)
    slot.enter("failed")
    run(
      Effect.andThen(
        slot.end(true),
        Effect.sync(() => {
          Deferred.doneUnsafe(slot.started, Exit.fail(error))
          post({ _tag: "Gone", slot })
        }),
      ),
    )
    slot.leaving = true
    line.advance()
  }

  const forget = (slot: Slot<R>) => {
    slot.enter("stopped")
    if (slot.spec.restart === "temporary") dismiss(slot)
    else run(slot.end(true))
    line.advance()
  }

  const restart = Effect.fnUntraced(function* (slot: Slot<R>, cause: Cause.Cause<unknown>, uptime: number) {
    slot.restarts++
    slot.attempt = nextAttempt(slot.attempt, uptime, slot.spec.backoff)
    const wait = delay(slot.attempt, slot.spec.backoff, random.nextDoubleUnsafe())
    const event = { supervisor: name, child: slot.id, attempt: slot.attempt, cause, delay: wait }
    yield* announce(event, history.length, spec.intensity)
    if (spec.strategy === "one-for-one") {
      slot.startIn(wait)
      return line.advance()
    }
    const members = staying()
    const plan = recovery(spec.strategy, members.map(asMember), slot.id)
    slot.enter("waiting")
    yield* stopAll(members.filter(({ id }) => plan.stop.includes(id)))
    line.set(
      members.filter(({ id }) => plan.start.includes(id)),
      wait,
    )
  })

  const exhausted = Effect.fnUntraced(function* (
    slot: Slot<R>,
    cause: Cause.Cause<unknown>,
    then: ResolvedSpec["whenExhausted"],
  ) {
    const error = new GaveUp({ supervisor: name, child: slot.id, ...spec.intensity, cause: Cause.squash(cause) })
    yield* Effect.logError(error.message)
    if (then === "escalate") return halt(Exit.fail(error), slot)
    if (then === "stop") return halt(Exit.succeed("exhausted"), slot)
    enter("waiting")
    slot.enter("waiting")
    yield* stopAll(staying())
    const members = staying()
    for (const member of members) member.attempt = 0
    history = []
    line.set(members, then.retryAfter)
  })

  /** In reverse order; a temporary child that was up leaves the list. */
  const stopAll = Effect.fnUntraced(function* (members: ReadonlyArray<Slot<R>>) {
    for (const slot of members.toReversed()) {
      const leaves = slot.spec.restart === "temporary" && slot.alive
      yield* slot.end(leaves)
      if (leaves) remove(slot, "it is temporary, and was stopped for a sibling's restart")
    }
  })

  const add = (event: Extract<Event<R>, { _tag: "Start" }>) => {
    const { slot } = event
    const present = slots.get(slot.id)
    if (present?.counts) {
      const problems = [`there is a child "${slot.id}" already`]
      return Deferred.doneUnsafe(slot.started, Exit.fail(new SpecError({ supervisor: name, problems })))
    }
    if (present) {
      // It has ended, or is leaving: the new one comes after it.
      dismiss(present)
      return run(
        Effect.andThen(
          Deferred.await(present.gone),
          Effect.sync(() => post(event)),
        ),
      )
    }
    slots.set(slot.id, slot)
    return spec.strategy === "one-for-one" && !line.waits ? slot.start() : line.add([slot])
  }

  const drop = (id: string, reply: Deferred.Deferred<boolean>) => {
    const slot = slots.get(id)
    if (!slot) return Deferred.doneUnsafe(reply, Exit.succeed(false))
    run(Effect.andThen(Deferred.await(slot.gone), Deferred.succeed(reply, true)))
    dismiss(slot)
    return line.drop(slot)
  }

  const step = Effect.fnUntraced(function* (event: Event<R>) {
    switch (event._tag) {
      case "Ready":
        return event.slot.isNews(event) ? ready(event.slot) : undefined
      case "Exited":
        return event.slot.isNews(event) ? yield* exited(event.slot, event.exit, event.at) : undefined
      case "Due":
        return event.slot.isNews(event) ? event.slot.start() : undefined
      case "LineDue":
        if (state === "waiting") enter("starting")
        return line.due(event.turn)
      case "Start":
        return add(event)
      case "Stop":
        return drop(event.id, event.reply)
      case "Gone":
        return remove(event.slot, "it was stopped before it was ready")
    }
  })

  const awaitExit = Deferred.await(ended)
  return {
    post,
    awaitExit,
    started: Deferred.await(started),
    makeSlot: (child: Child<R>, own: ResolvedChild, dynamic: boolean) => new Slot(rim, child, own, dynamic),
    begin: (initial: ReadonlyArray<Slot<R>>) => {
      for (const slot of initial) slots.set(slot.id, slot)
      line.add(initial)
      fiber = run(
        Effect.whileLoop({
          while: () => !halted,
          body: () => Effect.flatMap(Queue.take(events), step),
          step: () => {},
        }),
      )
      // Only a bug of ours ends it with a failure: the children must not go on without a supervisor.
      fiber.addObserver((exit) => void (Exit.isFailure(exit) && halt(Exit.failCause(exit.cause))))
    },
    stop: Effect.suspend(() => {
      halt(Exit.succeed("stopped"))
      return Effect.asVoid(awaitExit)
    }),
    view: (): View => ({
      id: name,
      state,
      age: now() - changedAt,
      restarts: [...slots.values()].reduce((sum, slot) => sum + slot.restarts, 0),
      detail:
        `${spec.strategy}, ${recent(history, now(), spec.intensity).length} of ${spec.intensity.maxRestarts} restarts ` +
        `in ${span(spec.intensity.within)}`,
      children: [...slots.values()].map((slot) => slot.view()),
    }),
  }
})

const asMember = <R>({ id, spec, alive }: Slot<R>) => ({ id, restart: spec.restart, alive })

const text = (cause: Cause.Cause<unknown>) => describe(Cause.squash(cause))
