// The chart of one goal of an action: what may happen to it, and how it ends. Pure and synchronous. The member that runs
// the goal decides by it; everybody else is told.
//
// C1. A goal ends once: the final states take no event.
// C2. Once accepted it is never rejected: what its handler refuses from then on is `aborted`.
// C3. Who is asked to stop has until its handler is done: `canceling` remembers why, and that is what it ends as, unless
//     the handler fails (`abort`). The first who asks decides.
// C4. What waits for its turn has nothing to stop: it ends at once.

import { assign, initialTransition, type SnapshotFrom, setup, transition } from "xstate"
import type { GoalStatus } from "../protocol/goal.ts"

/** What the rim is to do. */
export type GoalCommand =
  /** Abort the signal of the handler. */
  { readonly do: "signal"; readonly why: Ending }

/** What a goal ends as whose handler was asked to stop. */
export type Ending = "canceled" | "preempted" | "aborted"

export type GoalEvent =
  /** Its member takes it, now or when its turn comes. */
  | { readonly type: "accept" }
  | { readonly type: "reject" }
  /** Its handler runs. */
  | { readonly type: "start" }
  /** Who sent it does not want it any more. */
  | { readonly type: "cancel" }
  /** Another goal takes its place. */
  | { readonly type: "preempt" }
  /** Its actor stops. */
  | { readonly type: "stop" }
  /** Its handler is done: with a result, or because it was asked to stop. */
  | { readonly type: "finish" }
  /** It cannot be finished: its handler failed, or whoever runs it is gone. */
  | { readonly type: "abort" }

interface Context {
  readonly ending: Ending
}

type EndingParams = { readonly why: Ending }

/** It is to stop, as this (C3). */
const stop = (why: Ending) =>
  ({
    target: "canceling",
    actions: [
      { type: "remember", params: { why } },
      { type: "signal", params: { why } },
    ],
  }) as const

export const goalChart = setup({
  types: { context: {} as Context, events: {} as GoalEvent },
  actions: {
    remember: assign((_, { why }: EndingParams) => ({ ending: why })),
    /** A command is an action that only has a name and params: nothing runs inside the chart. */
    signal: (_, _params: EndingParams): void => {},
  },
  guards: {
    canceled: ({ context }) => context.ending === "canceled",
    preempted: ({ context }) => context.ending === "preempted",
  },
}).createMachine({
  id: "goal",
  initial: "pending",
  context: { ending: "aborted" },
  states: {
    pending: {
      description: "Nobody has decided on it.",
      on: { accept: "accepted", reject: "rejected" },
    },
    accepted: {
      description: "It waits for its turn.",
      on: { start: "executing", cancel: "canceled", preempt: "preempted", stop: "aborted", abort: "aborted" },
    },
    executing: {
      description: "Its handler runs.",
      on: {
        finish: "succeeded",
        abort: "aborted",
        cancel: stop("canceled"),
        preempt: stop("preempted"),
        stop: stop("aborted"),
      },
    },
    canceling: {
      description: "Its handler was asked to stop, and has not yet.",
      on: {
        finish: [
          { guard: "canceled", target: "canceled" },
          { guard: "preempted", target: "preempted" },
          { target: "aborted" },
        ],
        abort: "aborted",
      },
    },
    succeeded: { type: "final" },
    aborted: { type: "final" },
    canceled: { type: "final" },
    preempted: { type: "final" },
    rejected: { type: "final" },
  },
})

export type GoalState = SnapshotFrom<typeof goalChart>

type Step = readonly [state: GoalState, commands: ReadonlyArray<GoalCommand>]

/** A goal that nobody has decided on. */
export const newGoal = (): GoalState => initialTransition(goalChart)[0]

/** An event that the status has no use for changes nothing and commands nothing. */
export const stepGoal = (state: GoalState, event: GoalEvent): Step => {
  if (state.status !== "active") return [state, []]
  const [next, actions] = transition(goalChart, state, event)
  return [next, actions.map(({ params }) => ({ do: "signal", ...(params as EndingParams) }))]
}

export const statusOf = (state: GoalState): GoalStatus => state.value

/** The order in which a goal comes to them; the final ones are equal. */
const ranks: Readonly<Record<GoalStatus, number>> = {
  pending: 0,
  accepted: 1,
  executing: 2,
  canceling: 3,
  succeeded: 4,
  aborted: 4,
  canceled: 4,
  preempted: 4,
  rejected: 4,
}

export const isOver = (status: GoalStatus): boolean => ranks[status] === ranks.succeeded

/** Whether a goal that stands at the first can come to the second: what is told late, or twice, is no news. */
export const isAhead = (from: GoalStatus, to: GoalStatus): boolean => ranks[to] > ranks[from]
