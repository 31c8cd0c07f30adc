// What could not be read: a value, never an exception, so that no bytes from outside can stop a node.

export interface Malformed {
  readonly kind: "malformed"
  /** What is wrong, for the asker's `Rejected`, the dead letter and the log. */
  readonly why: string
  /** The part that could not be read, where it was JSON at all. */
  readonly raw?: unknown
  /** The ask to refuse, where that much could be read: its caller need not wait for the deadline. */
  readonly ask?: { readonly node: string; readonly id: number; readonly replyTo: string }
}

export const malformed = (why: string, raw?: unknown): Malformed =>
  raw === undefined ? { kind: "malformed", why } : { kind: "malformed", why, raw }

export const isMalformed = (result: object): result is Malformed =>
  (result as { readonly kind?: unknown }).kind === "malformed"
