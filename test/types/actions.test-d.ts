// What the compiler knows of actions: goals at both ends, their options, and what is refused. Compiled, never run.

import { Effect, Schema, type Stream } from "effect"
import {
  type ActorDef,
  type AskError,
  action,
  actor,
  type Goal,
  type GoalHandle,
  type GoalOutcome,
  type GoalStatus,
  type ListedGoal,
  type Outcome,
  protocol,
  type Ref,
} from "warren"
import type { EffectClient, EffectGoalHandle } from "warren/effect"
import { Db, Overflow } from "./protocols.ts"
import { same } from "./same.ts"

const Robot = protocol("robot", "1.0.0", {
  move: action({
    goal: Schema.Struct({ to: Schema.Number }),
    feedback: Schema.Struct({ at: Schema.Number }),
    result: Schema.Array(Schema.Number),
    error: Overflow,
  }),
  rest: action({ goal: Schema.Void }),
})

declare const robot: Ref<typeof Robot>
declare const effects: EffectClient<(typeof Robot)["messages"]>

type Moving = GoalHandle<{ readonly at: number }, ReadonlyArray<number>, Overflow>

export const promises = async (): Promise<void> => {
  const goal = await robot.move({ to: 3 }, { abandon: "cancel", timeout: "1 second", headers: { a: 1 } })
  same<typeof goal, Moving>(true)
  same<typeof goal.status, GoalStatus>(true)
  for await (const step of goal.feedback) same<typeof step, { readonly at: number }>(true)
  for await (const status of goal.statuses) same<typeof status, GoalStatus>(true)
  same<Awaited<typeof goal.result>, ReadonlyArray<number>>(true)
  const outcome = await goal.outcome
  same<typeof outcome, GoalOutcome<ReadonlyArray<number>, Overflow>>(true)
  // It is an outcome like that of an ask ...
  const plain: Outcome<ReadonlyArray<number>, Overflow | AskError> = outcome
  if (!plain.ok && plain.error._tag === "Overflow") same<typeof plain.error.max, number>(true)
  // ... and says more.
  switch (outcome.status) {
    case "succeeded":
      same<typeof outcome.value, ReadonlyArray<number>>(true)
      break
    case "aborted":
      same<typeof outcome.error, Overflow | AskError>(true)
      break
    case "canceled":
    case "preempted":
      same<typeof outcome.error, AskError>(true)
      same<typeof outcome.partial, ReadonlyArray<number> | undefined>(true)
  }
  same<ReturnType<typeof goal.cancel>, Promise<void>>(true)

  const accepted = await robot.move.outcome({ to: 3 })
  same<typeof accepted, Outcome<Moving, AskError>>(true)
  const found = await robot.move.goal(goal.id, { timeout: "1 second" })
  same<typeof found, Moving>(true)
  const goals = await robot.move.goals()
  same<typeof goals, ReadonlyArray<ListedGoal>>(true)
  const resting = await robot.rest()
  same<typeof resting, GoalHandle<never, void, never>>(true)
  await robot.rest(undefined, { abandon: "keep" })

  // @ts-expect-error a wrong goal
  await robot.move({ to: "3" })
  // @ts-expect-error no goal
  await robot.move()
  // @ts-expect-error a goal where there is none
  await robot.rest({ to: 3 })
  // @ts-expect-error there is no such option
  await robot.move({ to: 3 }, { abandon: "maybe" })
  // @ts-expect-error an id is text
  await robot.move.goal(7)
}

export const effectful = Effect.gen(function* () {
  const goal = yield* effects.move({ to: 3 })
  same<typeof goal, EffectGoalHandle<{ readonly at: number }, ReadonlyArray<number>, Overflow>>(true)
  same<typeof goal.feedback, Stream.Stream<{ readonly at: number }, AskError>>(true)
  same<typeof goal.outcome, Effect.Effect<GoalOutcome<ReadonlyArray<number>, Overflow>>>(true)
  yield* goal.cancel
  const goals = yield* effects.move.goals()
  same<typeof goals, ReadonlyArray<ListedGoal>>(true)
  return yield* goal.result
})
same<typeof effectful, Effect.Effect<ReadonlyArray<number>, Overflow | AskError>>(true)

// The behaviour's side.

const rest = () => {}
export const mover = actor(
  Robot,
  {
    move: async (context) => {
      same<typeof context, Goal<{ readonly to: number }, { readonly at: number }, ReadonlyArray<number>>>(true)
      const { goal, feedback, partial, signal, reject, id } = context
      same<typeof id, string>(true)
      same<typeof signal, AbortSignal>(true)
      if (goal.to < 0) reject("only forwards")
      feedback({ at: 1 })
      partial([1])
      // @ts-expect-error a wrong feedback
      feedback({ at: "1" })
      // @ts-expect-error a wrong partial result
      partial(["1"])
      return [goal.to]
    },
    rest,
  },
  { actions: { move: { atMost: 2, policy: "preempt" }, rest: { waiting: 0 } } },
)
same<typeof mover, ActorDef<typeof Robot, never>>(true)

const needing = actor(Robot, {
  move: ({ goal }) =>
    Effect.as(
      Effect.flatMap(Db, (db) => db.save(goal.to)),
      [goal.to],
    ),
  rest: () => Effect.void,
})
same<typeof needing, ActorDef<typeof Robot, Db>>(true)

actor(Robot, {
  move: ({ goal }) => (goal.to > 9 ? Effect.fail(new Overflow({ max: 9 })) : Effect.succeed([goal.to])),
  rest,
})

// What is refused.

// @ts-expect-error a handler is missing
actor(Robot, { rest })
// @ts-expect-error a wrong result
actor(Robot, { move: async () => ["1"], rest })
// @ts-expect-error an error that is not declared
actor(Robot, { move: () => Effect.fail(new Error("no")), rest })
// @ts-expect-error there is no such action
actor(Robot, { move: () => [], rest }, { actions: { fly: { atMost: 2 } } })
// @ts-expect-error there is no such policy
actor(Robot, { move: () => [], rest }, { actions: { move: { policy: "later" } } })
