// SIGTERM and SIGINT: the first asks the system to stop, the second ends the process at once.

const signals = ["SIGTERM", "SIGINT"] as const

/**
 * Calls `stop` on the first signal; once it is done the process ends with that very signal, so that whoever started it
 * sees why. Gives back the function that takes the listeners away.
 */
export const onSignals = (stop: () => Promise<void>): (() => void) => {
  let stopping = false
  const remove = () => {
    for (const signal of signals) process.off(signal, listener)
  }
  const end = (signal: NodeJS.Signals) => {
    remove()
    process.kill(process.pid, signal)
  }
  const listener = (signal: NodeJS.Signals) => {
    if (stopping) return end(signal)
    stopping = true
    void stop().finally(() => end(signal))
  }
  for (const signal of signals) process.on(signal, listener)
  return remove
}
