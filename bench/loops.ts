// The two ways to put load on something: callers that each wait for their answer, or a rate that waits for nobody.
//
// 1. Only what ends inside the measured time counts: the result is made when that is over.
// 2. A loop's result is there when the measured time is over; what is still under way then is awaited by `drained`.
// 3. In an open loop a call's time counts from when it was due, not from when we got round to it.

import { type Histogram, histogram } from "./histogram.ts"

/** What a loop found; times in ms. */
export interface LoopResult {
  readonly seconds: number
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
  readonly failed: number
  /** The first failure. */
  readonly failure?: string
  /** Begun and not answered when the time was over. */
  readonly waiting: number
}

export interface Loop {
  readonly result: Promise<LoopResult>
  readonly drained: Promise<unknown>
}

export type Call = (caller: number) => Promise<unknown>

const now = () => performance.now()
const textOf = (error: unknown): string => (error instanceof Error ? `${error.name}: ${error.message}` : String(error))

/** What both loops count. */
const tally = () => {
  const times: Histogram = histogram()
  let failed = 0
  let failure: string | undefined
  return {
    times,
    fail: (error: unknown) => {
      failed += 1
      failure ??= textOf(error)
    },
    result: (seconds: number, begun: number): LoopResult => ({
      seconds,
      count: times.count(),
      p50: times.percentile(0.5),
      p90: times.percentile(0.9),
      p99: times.percentile(0.99),
      max: times.max(),
      failed,
      ...(failure !== undefined && { failure }),
      waiting: begun - times.count() - failed,
    }),
  }
}

/** So many callers, each of which calls again as soon as it has its answer, for `ms`. */
export const closedLoop = (call: Call, callers: number, ms: number): Loop => {
  const { times, fail, result } = tally()
  let running = true
  let begun = 0
  const started = now()
  const loop = async (caller: number): Promise<void> => {
    while (running) {
      const from = now()
      begun += 1
      try {
        await call(caller)
        times.record(now() - from)
      } catch (error) {
        fail(error)
        // Whatever fails at once must not keep the timer from ending the loop.
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    }
  }
  const over = new Promise<LoopResult>((resolve) => {
    setTimeout(() => {
      running = false
      resolve(result((now() - started) / 1000, begun))
    }, ms)
  })
  return { result: over, drained: Promise.all(Array.from({ length: callers }, (_, caller) => loop(caller))) }
}

/** `rate` calls a second for `ms`, whether or not the earlier ones are answered. */
export const openLoop = (call: Call, rate: number, ms: number): Loop => {
  const { times, fail, result } = tally()
  let running = true
  let begun = 0
  let under = 0
  let drained = () => {}
  const started = now()
  const ended = () => {
    under -= 1
    if (!running && under === 0) drained()
  }
  const begin = (index: number): void => {
    const due = started + (index * 1000) / rate
    under += 1
    call(index).then(
      () => {
        times.record(now() - due)
        ended()
      },
      (error) => {
        fail(error)
        ended()
      },
    )
  }
  const over = new Promise<LoopResult>((resolve) => {
    const tick = (): void => {
      const elapsed = now() - started
      for (const due = (Math.min(elapsed, ms) * rate) / 1000; begun < due; begun++) begin(begun)
      if (elapsed < ms) return void setTimeout(tick, 1)
      running = false
      resolve(result(elapsed / 1000, begun))
      if (under === 0) drained()
    }
    tick()
  })
  return {
    result: over,
    drained: new Promise<void>((resolve) => {
      drained = resolve
      if (!running && under === 0) resolve()
    }),
  }
}
