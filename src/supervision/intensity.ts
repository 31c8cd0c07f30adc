// How many restarts a supervisor grants before it gives up: a sliding window over all of its children together.
//
// I1. A restart that happened exactly `within` ago still counts (as in OTP).
// I2. `maxRestarts` restarts fit into a window; the next one is refused.

/** At most `maxRestarts` restarts within any `within` ms. 0 restarts means that the first crash already exhausts it. */
export interface Intensity {
  readonly maxRestarts: number
  /** ms */
  readonly within: number
}

/** The times of the counted restarts, oldest first: ms on a clock that never runs backwards. */
export type History = ReadonlyArray<number>

export interface Admission {
  readonly allowed: boolean
  /** The window's restarts, this one included, refused or not. */
  readonly history: History
}

/** Counts one more restart at `now`, forgets what has left the window, and says whether it is granted. */
export const admit = (history: History, now: number, intensity: Intensity): Admission => {
  const window = [...recent(history, now, intensity), now]
  return { allowed: window.length <= intensity.maxRestarts, history: window }
}

/** The restarts that still count at `now` (I1). */
export const recent = (history: History, now: number, intensity: Intensity): History =>
  history.filter((time) => time >= now - intensity.within)

/** How loud a granted restart is logged: it rises as the window fills. `used` counts the restart itself. */
export const alarm = (used: number, intensity: Intensity): "info" | "warning" =>
  used >= Math.max(2, Math.ceil(intensity.maxRestarts * 0.75)) ? "warning" : "info"
