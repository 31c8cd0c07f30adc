// Whatever a handler threw, as an Error that can be shown, logged and put into a dead letter.

/** JavaScript can throw anything, also what cannot be turned into text. This never throws. */
export const asError = (thrown: unknown): Error => {
  try {
    if (!(thrown instanceof Error)) return new Error(typeof thrown === "string" ? thrown : inspect(thrown))
    const { name, message, stack } = thrown
    const sound = typeof name === "string" && typeof message === "string"
    return sound && (stack === undefined || typeof stack === "string") ? thrown : new Error(`${message}`)
  } catch {
    return new Error("something was thrown that cannot be shown as text")
  }
}

const inspect = (value: unknown): string =>
  (typeof value === "object" ? JSON.stringify(value) : undefined) ?? String(value)
