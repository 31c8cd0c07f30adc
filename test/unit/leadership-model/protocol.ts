// What a member follows: the chart as it is, and seven ways to get it wrong, which the model must notice.

import {
  type Command,
  enter,
  type Leadership,
  type LeadershipEvent,
  leadershipChart,
  leads,
  phaseOf,
  step,
} from "../../../src/charts/leadership.ts"

/** `cancel` ends the consumption of the token's queue and keeps what is unacked: no right protocol says it. */
export type Said = Command | { readonly do: "cancel" }

export interface Protocol {
  readonly enter: () => readonly [Leadership, ReadonlyArray<Said>]
  readonly step: (state: Leadership, event: LeadershipEvent) => readonly [Leadership, ReadonlyArray<Said>]
  /** The value of a token as the rim reads it from a delivery. */
  readonly valueOf: (base: number, returns: number) => number
}

export const right: Protocol = { enter, step, valueOf: (base, returns) => base + returns }

const stepping = (wrong: Protocol["step"]): Protocol => ({ ...right, step: wrong })

export const countIgnored: Protocol = { ...right, valueOf: (base) => base }

export const baseZero = stepping((state, event) => {
  const [next, commands] = step(state, event)
  return [next, commands.map((command) => (command.do === "seed" ? { ...command, base: 0 } : command))]
})

export const renewByRepublishing = stepping((state, event) => {
  const { hold, epoch } = state.context
  if (event.type !== "renew" || !hold || phaseOf(state) === "draining") return step(state, event)
  return [
    state,
    [
      { do: "seed", base: epoch },
      { do: "ack", tag: hold.tag },
    ],
  ]
})

export const leadOnLowToken = stepping((state, event) => {
  if (event.type !== "token" || phaseOf(state) !== "standby") return step(state, event)
  const context = { ...state.context, seen: Number.NEGATIVE_INFINITY }
  return step(leadershipChart.resolveState({ value: state.value, context }), event)
})

export const cancelBeforeRelease = stepping((state, event) => {
  const [next, commands] = step(state, event)
  if (event.type !== "drained") return [next, commands]
  return [next, commands.map((command) => (command.do === "close" ? { do: "cancel" } : command))]
})

export const noWatchdog = stepping((state, event) => (event.type === "quiet" ? [state, []] : step(state, event)))

export const ackOwnToken = stepping((state, event) => {
  const { hold, renewing } = state.context
  const own = event.type === "token" && event.id === hold?.id
  return own && leads(state) && !renewing ? [state, [{ do: "ack", tag: event.tag }]] : step(state, event)
})
