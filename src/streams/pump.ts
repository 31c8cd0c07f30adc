// Moves what a program makes into an outlet: from an iterable, or from an Effect Stream.
//
// P1. Nothing is made without credit.
// P2. When nobody wants any more, an iterator is told so at once, though it may be at work, and a Stream is interrupted by
//     whoever runs it; so that `finally` and finalizers run.

import { Effect, Stream } from "effect"
import type { Outlet } from "./outlet.ts"

export type AnyIterator = Iterator<unknown> | AsyncIterator<unknown>

/** Undefined when it is none. Throws what its own methods throw. */
export const iteratorOf = (source: unknown): AnyIterator | undefined => {
  if (typeof source !== "string" && (typeof source !== "object" || source === null) && typeof source !== "function") {
    return undefined
  }
  const given = source as { readonly [K in symbol]?: () => AnyIterator }
  return (given[Symbol.asyncIterator] ?? given[Symbol.iterator])?.call(source)
}

/**
 * Resolves when the iterator is done, and with whether it was at its end. Rejects with what it, or the outlet, threw; not
 * once the outlet is closed: what an iterator throws on its way out is its own affair.
 */
export const pump = async (iterator: AnyIterator, outlet: Outlet): Promise<boolean> => {
  let isOver = false
  let returned: Promise<unknown> | undefined
  /** P2 */
  const end = () => {
    if (isOver || returned !== undefined) return
    returned = (async () => iterator.return?.())()
    returned.catch(() => {})
  }
  outlet.onClose(end)
  try {
    for (;;) {
      while (!outlet.isReady && !outlet.isClosed) await ready(outlet)
      if (outlet.isClosed) return false
      let step: IteratorResult<unknown> | Promise<IteratorResult<unknown>>
      try {
        step = iterator.next()
        if (!isResult(step)) step = await step
      } catch (error) {
        isOver = true
        throw error
      }
      if (step.done === true) {
        isOver = true
        return !outlet.isClosed
      }
      outlet.send(step.value)
    }
  } catch (error) {
    if (outlet.isClosed) return false
    throw error
  } finally {
    end()
    await returned?.catch(() => {})
  }
}

const isResult = (step: IteratorResult<unknown> | Promise<IteratorResult<unknown>>): step is IteratorResult<unknown> =>
  "done" in step || "value" in step

const ready = (outlet: Outlet): Promise<void> => new Promise((resolve) => outlet.wait(resolve))

/** The same for a Stream. What cannot be sent is a defect. */
export const drain = <E, R>(stream: Stream.Stream<unknown, E, R>, outlet: Outlet): Effect.Effect<void, E, R> =>
  Stream.runForEachArray(stream, (values) => sendAll(values, 0, outlet))

const sendAll = (values: ReadonlyArray<unknown>, from: number, outlet: Outlet): Effect.Effect<void> =>
  Effect.suspend(() => {
    let next = from
    while (next < values.length && outlet.isReady) outlet.send(values[next++])
    if (next === values.length) return Effect.void
    if (outlet.isClosed) return Effect.never // it is being interrupted
    const waiting = Effect.callback<void>((resume) => outlet.wait(() => resume(Effect.void)))
    return Effect.andThen(waiting, sendAll(values, next, outlet))
  })
