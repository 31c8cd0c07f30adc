// One child at run time: starts its incarnations, ends them within their bound, and tells its supervisor the news.
//
// L1. News carries the number of its incarnation: what an ended incarnation still says is not news (`isNews`).
// L2. Ending never takes longer than the child's shutdown: who ignores interruption is abandoned, with a warning.
// L3. Endings of one child happen one after another, in a fiber of their own: who waits for one may be interrupted.

import { Deferred, Effect, Exit, Fiber, Option, Scope, Semaphore } from "effect"
import type { Child, Incarnation } from "./child.ts"
import { describe, type Fatal, type SpecError, type StartFailed } from "./errors.ts"
import type { ResolvedChild } from "./spec.ts"
import type { State, View } from "./tree.ts"

/** What happens to a child by itself. `at`: when, in ms of the rim's clock. */
export type News<R> =
  | { readonly _tag: "Ready"; readonly slot: Slot<R>; readonly incarnation: number }
  | {
      readonly _tag: "Exited"
      readonly slot: Slot<R>
      readonly incarnation: number
      readonly at: number
      readonly exit: Exit.Exit<void, unknown>
    }
  | { readonly _tag: "Due"; readonly slot: Slot<R>; readonly incarnation: number }

/** What a slot needs of its supervisor. */
export interface Rim<R> {
  readonly supervisor: string
  readonly run: <A, E>(effect: Effect.Effect<A, E, R>) => Fiber.Fiber<A, E>
  /** ms, monotonic. */
  readonly now: () => number
  readonly post: (news: News<R>) => void
}

export class Slot<R> {
  readonly child: Child<R>
  readonly spec: ResolvedChild
  /** Added to a running supervisor: its first start may fail without taking the others along. */
  readonly dynamic: boolean
  state: State = "waiting"
  restarts = 0
  /** Attempts of the current backoff. */
  attempt = 0
  /** Set while running. */
  readyAt: number | undefined
  /** It has been up, or at its end, at least once: whatever comes now is a restart. */
  begun = false
  /** It is being stopped for good. */
  leaving = false
  /** The first start's result. */
  readonly started = Deferred.makeUnsafe<void, SpecError | StartFailed | Fatal>()
  /** It has been stopped for good. */
  readonly gone = Deferred.makeUnsafe<void>()

  readonly #rim: Rim<R>
  readonly #endings = Semaphore.makeUnsafe(1)
  #incarnation = 0
  #changedAt: number
  #startsAt: number | undefined
  #error: string | undefined
  #fiber: Fiber.Fiber<void, unknown> | undefined
  #timer: Fiber.Fiber<void> | undefined
  #held: { readonly scope: Scope.Closeable; readonly run: Incarnation<R> } | undefined

  constructor(rim: Rim<R>, child: Child<R>, spec: ResolvedChild, dynamic: boolean) {
    this.#rim = rim
    this.child = child
    this.spec = spec
    this.dynamic = dynamic
    this.#changedAt = rim.now()
  }

  get id(): string {
    return this.spec.id
  }

  get alive(): boolean {
    return this.#fiber !== undefined
  }

  /** Whether it runs, or will run again by itself. */
  get counts(): boolean {
    return !this.leaving && (this.alive || this.state === "waiting")
  }

  isNews(news: News<R>): boolean {
    return news.incarnation === this.#incarnation
  }

  /** `startsAt` (ms of the rim's clock) only says what the tree shows. */
  enter(state: State, startsAt?: number): void {
    this.state = state
    this.#changedAt = this.#rim.now()
    this.#startsAt = startsAt
    this.readyAt = state === "running" ? this.#changedAt : undefined
  }

  /** Its incarnation is over by itself. */
  over(error: unknown): void {
    this.#fiber = undefined
    if (error !== undefined) this.#error = describe(error)
  }

  /** Starts an incarnation. There must be none. */
  start(): void {
    const incarnation = ++this.#incarnation
    const { now, post, run } = this.#rim
    this.#timer = undefined
    this.enter("starting")
    const ready = Effect.sync(() => post({ _tag: "Ready", slot: this, incarnation }))
    const life = Effect.flatMap(this.#open(), (live) => Effect.scoped(live(ready)))
    const fiber = run(life)
    this.#fiber = fiber
    // Not Effect.onExit: that would miss a fiber that is interrupted before its first step.
    fiber.addObserver((exit) => post({ _tag: "Exited", slot: this, incarnation, at: now(), exit }))
  }

  /** Posts Due after `ms`, unless it is ended before. */
  startIn(ms: number): void {
    const { now, post, run } = this.#rim
    const incarnation = this.#incarnation
    this.enter("waiting", now() + ms)
    const due = Effect.sync(() => post({ _tag: "Due", slot: this, incarnation }))
    this.#timer = run(Effect.andThen(Effect.sleep(ms), due))
  }

  /** Ends the incarnation, if any, and with `forGood` releases what outlived it. Waits for that, within its bound. */
  end(forGood: boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#incarnation++
      this.#timer?.interruptUnsafe()
      this.#timer = undefined
      if (this.alive) this.enter("stopping")
      return Effect.asVoid(Fiber.await(this.#rim.run(this.#endings.withPermit(this.#ending(forGood)))))
    })
  }

  view(): View {
    const now = this.#rim.now()
    const detail = this.child.detail?.()
    return {
      id: this.id,
      state: this.state,
      age: now - this.#changedAt,
      restarts: this.restarts,
      ...(this.#startsAt === undefined ? {} : { startsIn: Math.max(0, this.#startsAt - now) }),
      ...(detail === undefined ? {} : { detail }),
      ...(this.#error === undefined ? {} : { error: this.#error }),
      children: this.child.children?.() ?? [],
    }
  }

  #open(): Effect.Effect<Incarnation<R>, unknown, R> {
    return Effect.suspend(() => {
      if (this.#held) return Effect.succeed(this.#held.run)
      const scope = Scope.makeUnsafe()
      // What a former incarnation held may still be on its way out.
      const open = Effect.andThen(this.#endings.withPermit(Effect.void), this.child.open)
      return Effect.onExit(Effect.provideService(open, Scope.Scope, scope), (exit) => {
        if (Exit.isFailure(exit)) return Scope.close(scope, exit)
        this.#held = { scope, run: exit.value }
        return Effect.void
      })
    })
  }

  readonly #ending = Effect.fnUntraced(function* (this: Slot<R>, forGood: boolean) {
    const by = this.#rim.now() + this.spec.shutdown
    const fiber = this.#fiber
    this.#fiber = undefined
    if (fiber) {
      fiber.interruptUnsafe()
      yield* this.#within(by, fiber, "did not stop")
    }
    const held = this.#held
    if (forGood && held) {
      this.#held = undefined
      yield* this.#within(by, this.#rim.run(Scope.close(held.scope, Exit.void)), "did not release what it holds")
    }
    if (this.state === "stopping") this.enter("stopped")
  })

  /** L2 */
  readonly #within = Effect.fnUntraced(function* (
    this: Slot<R>,
    by: number,
    fiber: Fiber.Fiber<unknown, unknown>,
    what: string,
  ) {
    if (this.spec.shutdown === Number.POSITIVE_INFINITY) return yield* Effect.asVoid(Fiber.await(fiber))
    const left = by - this.#rim.now()
    if (left <= 0) return
    const done = yield* Effect.timeoutOption(Fiber.await(fiber), left)
    if (Option.isSome(done)) return
    yield* Effect.logWarning(
      `"${this.id}" of supervisor "${this.#rim.supervisor}" ${what} within ${this.spec.shutdown} ms: abandoned`,
    )
  })
}
