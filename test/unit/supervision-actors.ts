// Children for the supervision tests: they write down what happens to them, and crash, end or hang when told to.

import { Deferred, Effect, Layer, Logger, Random, type Scope } from "effect"
import { TestClock } from "effect/testing"
import type { Child } from "../../src/supervision/child.ts"
import type { ChildSpec } from "../../src/supervision/spec.ts"

/** Lets every fiber run that can. */
export const settle = Effect.gen(function* () {
  for (let i = 0; i < 30; i++) yield* Effect.yieldNow
})

/** Lets virtual time pass, in steps, so that every woken fiber runs before the next step. */
export const pass = (ms: number, stepMs = ms > 2_000 ? 100 : 10) =>
  Effect.gen(function* () {
    yield* settle
    for (let left = ms; left > 0; left -= stepMs) {
      yield* TestClock.adjust(Math.min(left, stepMs))
      yield* settle
    }
  })

/** Runs in virtual time with the largest random numbers; `logs` collects what is logged, as `LEVEL text`. */
export const inTestTime = <A, E>(test: Effect.Effect<A, E, Scope.Scope>, logs: Array<string> = []): Promise<A> => {
  const logger = Logger.layer([
    Logger.make(({ logLevel, message }) => void logs.push(`${logLevel} ${[message].flat().join(" ")}`)),
  ])
  // The very first sleep on a TestClock that was never adjusted is interruptible even in a finalizer (effect 4.1.0).
  return Effect.andThen(TestClock.adjust(0), Effect.scoped(test)).pipe(
    Effect.provideService(Random.Random, { nextDoubleUnsafe: () => 0.999999, nextIntUnsafe: () => 0 }),
    Effect.provide(Layer.merge(TestClock.layer(), logger)),
    Effect.runPromise,
  )
}

type Order = { readonly _tag: "crash"; readonly error: unknown } | { readonly _tag: "end" }

export interface Options extends Omit<ChildSpec, "id"> {
  /** Fails so, before it is ready, at each of its first starts while this gives an error. */
  readonly failStart?: (start: number) => unknown
  /** Ms that its finalizer takes; Infinity never ends. */
  readonly stopTakes?: number
  /** Ms until it is ready; Infinity never is. */
  readonly readyTakes?: number
  /** Ms that the release of what it holds takes. */
  readonly releaseTakes?: number
}

export const actors = () => {
  /** `+a` started up to ready, `-a` ended, `(a` opened, `a)` released. */
  const log: Array<string> = []
  const orders = new Map<string, Deferred.Deferred<Order>>()
  const starts = new Map<string, number>()

  const child = (
    id: string,
    { failStart, stopTakes = 0, readyTakes = 0, releaseTakes = 0, ...spec }: Options = {},
  ): Child => ({
    spec: { ...spec, id },
    open: Effect.gen(function* () {
      yield* Effect.addFinalizer(() =>
        Effect.andThen(
          Effect.sleep(releaseTakes),
          Effect.sync(() => log.push(`${id})`)),
        ),
      )
      log.push(`(${id}`)
      return Effect.fnUntraced(function* (ready: Effect.Effect<void>) {
        const order = Deferred.makeUnsafe<Order>()
        orders.set(id, order)
        const start = (starts.get(id) ?? 0) + 1
        starts.set(id, start)
        const failure = failStart?.(start)
        if (failure !== undefined) {
          log.push(`!${id}`)
          return yield* Effect.fail(failure)
        }
        if (readyTakes === Number.POSITIVE_INFINITY) yield* Effect.never
        if (readyTakes > 0) yield* Effect.sleep(readyTakes)
        yield* Effect.addFinalizer(() =>
          Effect.gen(function* () {
            if (stopTakes === Number.POSITIVE_INFINITY) yield* Effect.never
            if (stopTakes > 0) yield* Effect.sleep(stopTakes)
            log.push(`-${id}`)
          }),
        )
        log.push(`+${id}`)
        yield* ready
        const told = yield* Deferred.await(order)
        if (told._tag === "crash") return yield* Effect.fail(told.error)
      })
    }),
  })

  const tell = (id: string, order: Order) =>
    Effect.suspend(() => Effect.andThen(Deferred.succeed(orders.get(id)!, order), settle))
  return {
    child,
    log,
    /** What was written down since the last call, without openings and releases. */
    news: () => log.splice(0).filter((entry) => !/[()]/.test(entry)),
    crash: (id: string, error: unknown = "boom") => tell(id, { _tag: "crash", error }),
    end: (id: string) => tell(id, { _tag: "end" }),
  }
}
