// Waits for a condition with a deadline: no test sleeps for a guessed time.

/** Rejects when `holds` is not true within `ms`. A throwing `holds` counts as not yet. */
export const eventually = async (what: string, holds: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> => {
  const deadline = Date.now() + ms
  let trouble: unknown
  for (;;) {
    try {
      if (await holds()) return
      trouble = undefined
    } catch (error) {
      trouble = error
    }
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms in vain: ${what}`, { cause: trouble })
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
