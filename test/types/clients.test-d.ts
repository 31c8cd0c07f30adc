// What the compiler knows of a call: its arguments, its value, its errors. Compiled, never run.

import { Effect, type Stream } from "effect"
import type { AskError, Outcome, Ref } from "warren"
import type { EffectClient } from "warren/effect"
import type { Calculator, Overflow } from "./protocols.ts"
import { same } from "./same.ts"

declare const calc: Ref<typeof Calculator>
declare const effects: EffectClient<(typeof Calculator)["messages"]>

export const promises = async (): Promise<void> => {
  same<typeof calc.$address, string>(true)
  const n = await calc.multiply({ x: 5, y: 7 })
  same<typeof n, number>(true)
  const count = await calc.count()
  same<typeof count, number>(true)
  await calc.count(undefined, { timeout: "1 second", signal: AbortSignal.timeout(1), headers: { a: 1 } })
  const nothing = await calc.clear()
  same<typeof nothing, void>(true)

  // Errors as values: the declared ones, and those of every ask.
  const safe = await calc.multiply.outcome({ x: 1, y: 2 }, { timeout: "1 second" })
  same<typeof safe, Outcome<number, Overflow | AskError>>(true)
  if (!safe.ok) {
    if (safe.error._tag === "Overflow") same<typeof safe.error.max, number>(true)
    else same<typeof safe.error.reason, AskError["reason"]>(true)
  }
  const told = await calc.reset.outcome({ reason: "new day" })
  same<typeof told, Outcome<void, AskError>>(true)
  await calc.tick()

  // What comes later has its types today.
  for await (const p of calc.primes({ limit: 100 })) same<typeof p, number>(true)
  const sum = await calc.sum([1, 2, 3])
  same<typeof sum, number>(true)
  for await (const n of calc.running([1, 2, 3])) same<typeof n, number>(true)
  for await (const e of calc.computed({ headers: { op: "multiply" } })) same<typeof e.body.value, number>(true)
  const goal = await calc.factor(91n)
  for await (const f of goal.feedback) same<typeof f.tried, number>(true)
  same<Awaited<typeof goal.result>, ReadonlyArray<bigint>>(true)

  // A Standard Schema goes one way: text is sent, a Date is got.
  const scheduled = await calc.schedule({ at: "2020-01-01" })
  same<typeof scheduled, { ok: boolean }>(true)

  // @ts-expect-error a wrong payload
  await calc.multiply({ x: "5", y: 7 })
  // @ts-expect-error no payload
  await calc.multiply()
  // @ts-expect-error a payload where there is none
  await calc.count({ x: 1 })
  // @ts-expect-error an unknown message
  await calc.divide({ x: 5, y: 7 })
  // @ts-expect-error the sender has text, not a Date
  await calc.schedule({ at: new Date() })
  // @ts-expect-error an unknown option
  await calc.count(undefined, { patience: 3 })
}

export const effectful = Effect.gen(function* () {
  const n = yield* effects.multiply({ x: 5, y: 7 })
  same<typeof n, number>(true)
  yield* effects.reset({ reason: "new day" })
  return n
})
same<typeof effectful, Effect.Effect<number, Overflow | AskError>>(true)

export const handled = effectful.pipe(
  Effect.catchTag("Overflow", (e) => Effect.succeed(e.max)),
  Effect.catchReason("AskError", "TimedOut", () => Effect.succeed(0)),
)
same<Effect.Error<typeof handled>, AskError>(true)
same<ReturnType<typeof effects.primes>, Stream.Stream<number, AskError>>(true)
same<ReturnType<typeof effects.tick>, Effect.Effect<void, AskError>>(true)
