// SIGTERM and SIGINT: the first asks the system to stop, the second ends the process at once.

const signals = ["SIGTERM", "SIGINT"] as const

/** Of all systems in this process. */
const stops = new Set<() => Promise<void>>()
let stopping = false

const end = (signal: NodeJS.Signals): void => {
  for (const each of signals) process.off(each, listener)
  process.kill(process.pid, signal)
}

const listener = (signal: NodeJS.Signals): void => {
  if (stopping) return end(signal)
  stopping = true
  void Promise.allSettled([...stops].map((stop) => stop())).then(() => end(signal))
}

/**
 * Calls `stop` on the first signal; once all systems have stopped the process ends with that very signal, so that whoever
 * started it sees why. Gives back the function that takes `stop` off the list.
 */
export const onSignals = (stop: () => Promise<void>): (() => void) => {
  if (stops.size === 0) for (const signal of signals) process.on(signal, listener)
  stops.add(stop)
  return () => {
    stops.delete(stop)
    if (stops.size === 0 && !stopping) for (const signal of signals) process.off(signal, listener)
  }
}
