// The chart of one member of a `single` clique: it leads while it holds the clique's token, and the broker says who does.
//
// The token is one message in a quorum queue with a single active consumer, and it is never published again. Its value,
// its base plus the number of times it came back, grows with every delivery: the value delivered is the epoch of whoever
// leads on it. The holder leaves it unacked; a `nack` brings it back to the holder and so renews the leadership.
//
// What the chart, the queue and the rim keep together, and where the chart keeps its part:
// I1. At most one session has a token unacked. `leaving` is the one place that lets go of it, by closing the channel.
// I2. A leader leads on the oldest token of the queue: on the first that came to `standby`. `another` one that comes
//     while it holds is acked, and its own asked back as a proof.
// I3. An epoch is never above the value of the token held: `take` sets both. Whoever gets it next sees one more or higher.
// I4. Epochs grow strictly in the order of the broker's grants: never lead on a `low` token; go on only if `renewed` by
//     exactly one (nobody had it in between), else `halt` and lead afresh, with state loaded again.
// I5. A store refuses a write below the epoch that it holds, and its word counts here: told of a `newer` epoch, a leader
//     halts before all else.
// I6. A token that was destroyed is followed by a seed: the queue was `empty`, the leader `quiet`, or the token `low`.
// I7. Mail stops before the token is let go: `halt` is what `holding` does on its way out, `close` comes after.
// I8. Nothing opens again once it stops: `leaving` decides, and `stopped` and `failed` are final.
//
// Never:
// N1. Ack the held token: `ack` is said only of a token that was just delivered and that nobody leads on.
// N2. Cancel the token's consumer: it would make two holders. There is no such command; `close` is the one way.
// N3. Publish while leading: `seed` stands only in `out` and in `standby`.
// N4. Do anything on the token's channel that can fail: `open` gives it a channel of its own for nothing else.

import { and, assign, initialTransition, not, type SnapshotFrom, setup, transition } from "xstate"

/** What the rim is to do, in the order of the array; `halt` is awaited before the command after it. */
export type Command =
  /** A channel of its own; declare, consume with a prefetch of 10. One loop with backoff, ended by `opened`. */
  | { readonly do: "open" }
  /** Publish a token: mandatory, confirmed, with a message id of its own. */
  | { readonly do: "seed"; readonly base: number }
  | { readonly do: "ack"; readonly tag: number }
  /** Requeue. */
  | { readonly do: "nack"; readonly tag: number }
  /** Run the factory, then consume the mailbox. */
  | { readonly do: "lead"; readonly epoch: number }
  /** A renewal came back: the same leadership, a larger epoch. */
  | { readonly do: "moved"; readonly epoch: number }
  /** Stop handling at once; close the mailbox's channel and wait until it is closed. */
  | { readonly do: "halt" }
  /** Cancel the mailbox, finish what was begun, then say `drained`. */
  | { readonly do: "drain" }
  /** Close the token's channel. */
  | { readonly do: "close" }

export type LeadershipEvent =
  /** The token's queue is consumed. The counts are those of declare-ok, before the own consume; `now` is in ms. */
  | { readonly type: "opened"; readonly ready: number; readonly consumers: number; readonly now: number }
  /** Only after `opened`: the rim keeps back what the broker delivers earlier. */
  | { readonly type: "token"; readonly tag: number; readonly id: string; readonly value: number }
  /** The cell handles mail. */
  | { readonly type: "started" }
  /** It is time to renew. */
  | { readonly type: "renew" }
  /** A `nack` was not followed by the token in time. */
  | { readonly type: "renewLate" }
  /** No leader was heard of for a while. */
  | { readonly type: "quiet"; readonly now: number }
  /** A beat or a store shows that epoch. */
  | { readonly type: "seen"; readonly epoch: number }
  | { readonly type: "stop" }
  | { readonly type: "drained" }
  /** The token's channel closed, the link is gone, or the broker cancelled the consumer. Not before `opened`. */
  | { readonly type: "lost" }
  /** The broker will never let this member in. */
  | { readonly type: "refused"; readonly why: string }

interface Context {
  /** The highest epoch that it knows of. */
  readonly seen: number
  /** The epoch that it leads with, or last led with. */
  readonly epoch: number
  /** The token that it leads on; there is one exactly while it leads or drains. */
  readonly hold: { readonly tag: number; readonly id: string; readonly value: number } | undefined
  /** It gave the token back and waits to see it again. */
  readonly renewing: boolean
  readonly stopping: boolean
  /** Why it failed. */
  readonly why: string | undefined
}

/** A command is an action that only has a name and params: nothing runs inside the chart. */
const command =
  <Params = undefined>() =>
  (_: unknown, _params: Params): void => {}

type On<Event> = { readonly context: Context; readonly event: Event }

const ackIt = { type: "ack", params: ({ event }: On<{ tag: number }>) => ({ tag: event.tag }) } as const
const askBack = { type: "nack", params: ({ context }: On<unknown>) => ({ tag: context.hold!.tag }) } as const
const lead = { type: "lead", params: ({ context }: On<unknown>) => ({ epoch: context.epoch }) } as const
const moved = { type: "moved", params: ({ context }: On<unknown>) => ({ epoch: context.epoch }) } as const
/** Milliseconds run faster than tokens come back, so a new token is above those that nobody remembers any more. */
const seedNew = {
  type: "seed",
  params: ({ context, event }: On<{ now: number }>) => ({ base: Math.max(event.now, context.seen + 1) }),
} as const
const seedAbove = { type: "seed", params: ({ context }: On<unknown>) => ({ base: context.seen + 1 }) } as const

export const leadershipChart = setup({
  types: { context: {} as Context, events: {} as LeadershipEvent },
  actions: {
    open: command(),
    seed: command<{ readonly base: number }>(),
    ack: command<{ readonly tag: number }>(),
    nack: command<{ readonly tag: number }>(),
    lead: command<{ readonly epoch: number }>(),
    moved: command<{ readonly epoch: number }>(),
    halt: command(),
    drain: command(),
    close: command(),
    take: assign(({ event }) => {
      if (event.type !== "token") return {}
      const { tag, id, value } = event
      return { hold: { tag, id, value }, seen: value, epoch: value, renewing: false }
    }),
    renewing: assign({ renewing: true }),
    remember: assign({ seen: ({ context, event }) => (event.type === "seen" ? event.epoch : context.seen) }),
    stopping: assign({ stopping: true }),
    explain: assign({ why: ({ context, event }) => (event.type === "refused" ? event.why : context.why) }),
    forget: assign({ hold: undefined, renewing: false }),
  },
  guards: {
    empty: ({ event }) => event.type === "opened" && event.ready === 0 && event.consumers === 0,
    low: ({ context, event }) => event.type === "token" && event.value <= context.seen,
    another: ({ context, event }) => event.type === "token" && event.id !== context.hold?.id,
    renewed: ({ context, event }) =>
      context.renewing && event.type === "token" && event.value <= context.hold!.value + 1,
    newer: ({ context, event }) => event.type === "seen" && event.epoch > context.seen,
    renewing: ({ context }) => context.renewing,
    stopping: ({ context }) => context.stopping,
    refused: ({ context }) => context.why !== undefined,
  },
}).createMachine({
  id: "leadership",
  initial: "out",
  context: { seen: 0, epoch: 0, hold: undefined, renewing: false, stopping: false, why: undefined },
  on: {
    seen: { guard: "newer", actions: "remember" },
    stop: { target: ".leaving", actions: "stopping" },
    lost: ".leaving",
    refused: { target: ".leaving", actions: "explain" },
  },
  states: {
    out: {
      description: "On its way to the token's queue. A token that comes now is of a dead channel.",
      entry: "open",
      on: { opened: [{ guard: "empty", target: "standby", actions: seedNew }, { target: "standby" }] },
    },
    standby: {
      description: "Consumes the token's queue; the broker decides when its turn comes.",
      on: {
        token: [
          { guard: "low", target: "leaving", actions: [ackIt, seedAbove] },
          { target: "holding", actions: ["take", lead] },
        ],
        quiet: { actions: seedNew },
      },
    },
    holding: {
      description: "Has the token, as far as it knows.",
      initial: "leading",
      exit: "halt",
      on: {
        token: [
          { guard: and(["another", "renewing"]), actions: ackIt },
          { guard: "another", actions: [ackIt, askBack, "renewing"] },
          { guard: "low", target: "leaving" },
          { guard: "renewed", actions: ["take", moved] },
          // Its own, but it was away in between.
          { guard: "stopping", target: "leaving" },
          { target: "holding", reenter: true, actions: ["take", lead] },
        ],
        renew: { guard: not("renewing"), actions: [askBack, "renewing"] },
        renewLate: { guard: "renewing", target: "leaving" },
        seen: { guard: "newer", target: "leaving", actions: "remember" },
      },
      states: {
        leading: {
          initial: "starting",
          on: { stop: { target: "draining", actions: ["stopping", "drain"] } },
          states: {
            starting: { on: { started: "running" } },
            running: {},
          },
        },
        draining: {
          // A second stop must not cut the drain short.
          on: { drained: "#leadership.leaving", stop: {} },
        },
      },
    },
    leaving: {
      description: "Lets go of the token and decides where to go; never seen at rest.",
      entry: ["forget", "close"],
      always: [{ guard: "refused", target: "failed" }, { guard: "stopping", target: "stopped" }, { target: "out" }],
    },
    stopped: { type: "final" },
    failed: { type: "final" },
  },
})

/** Where a member is and what it knows. */
export type Leadership = SnapshotFrom<typeof leadershipChart>

export type Phase = "out" | "standby" | "leading.starting" | "leading.running" | "draining" | "stopped" | "failed"

type Step = readonly [state: Leadership, commands: ReadonlyArray<Command>]

/** A new member, and its first command. */
export const enter = (): Step => {
  const [state, actions] = initialTransition(leadershipChart)
  return [state, actions.map(toCommand)]
}

/** An event that the phase has no use for changes nothing and commands nothing. */
export const step = (state: Leadership, event: LeadershipEvent): Step => {
  if (state.status !== "active") return [state, []]
  const [next, actions] = transition(leadershipChart, state, event)
  return [next, actions.map(toCommand)]
}

const toCommand = ({ type, params }: { readonly type: string; readonly params?: unknown }): Command =>
  ({ do: type, ...(params as object | undefined) }) as Command

export const phaseOf = (state: Leadership): Phase => {
  if (state.matches({ holding: { leading: "starting" } })) return "leading.starting"
  if (state.matches({ holding: "leading" })) return "leading.running"
  if (state.matches({ holding: "draining" })) return "draining"
  return state.value as "out" | "standby" | "stopped" | "failed"
}

/** Whether it acts for the clique: it leads, or finishes what it had begun as the leader. */
export const leads = (state: Leadership): boolean => state.matches("holding")
