// How a supervisor fails, and which errors no restart can help.
//
// F1. An error with `fatal: true`, anywhere in a cause or inside a GaveUp or StartFailed, is never retried: it goes up
//     unchanged through all supervisors and ends the root.

import { Cause, Schema } from "effect"

/** Any error that says of itself that no retry can help. */
export interface Fatal {
  readonly fatal: true
}

/** A supervision spec whose numbers are wrong or contradict each other. Nothing was started. */
export class SpecError extends Schema.TaggedError<SpecError>()("SpecError", {
  supervisor: Schema.String,
  /** Each names the field, the numbers and what would be right. */
  problems: Schema.Array(Schema.String),
}) {
  get fatal(): true {
    return true
  }
  override get message(): string {
    return `the spec of supervisor "${this.supervisor}" cannot work: ${this.problems.join("; ")}`
  }
}

/** A child failed before it was ready for the first time. At a supervisor's start, the earlier children are stopped. */
export class StartFailed extends Schema.TaggedError<StartFailed>()("StartFailed", {
  supervisor: Schema.String,
  child: Schema.String,
  cause: Schema.Defect(),
}) {
  override get message(): string {
    return `supervisor "${this.supervisor}" could not start "${this.child}": ${describe(this.cause)}`
  }
}

/** A supervisor's children crashed more often than its intensity allows: it stopped them all. */
export class GaveUp extends Schema.TaggedError<GaveUp>()("GaveUp", {
  supervisor: Schema.String,
  /** The child whose crash was one too many. */
  child: Schema.String,
  maxRestarts: Schema.Number,
  /** ms */
  within: Schema.Number,
  /** That crash. */
  cause: Schema.Defect(),
}) {
  override get message(): string {
    return (
      `supervisor "${this.supervisor}" gave up: more than ${this.maxRestarts} restarts within ${this.within} ms, ` +
      `the last crash was "${this.child}": ${describe(this.cause)}`
    )
  }
}

/** A child with restart "permanent" came to its end without an error; that counts as a crash. */
export class Ended extends Schema.TaggedError<Ended>()("Ended", { child: Schema.String }) {
  override get message(): string {
    return `"${this.child}" ended, but it is permanent; make it transient if it may end`
  }
}

/** The fatal error in a cause (F1), or undefined. */
export const fatalIn = (cause: Cause.Cause<unknown>): Fatal | undefined => {
  for (const reason of cause.reasons) {
    const found = fatalOf(
      Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : undefined,
    )
    if (found) return found
  }
  return undefined
}

const fatalOf = (error: unknown): Fatal | undefined => {
  if (typeof error !== "object" || error === null) return undefined
  if ("fatal" in error && error.fatal === true) return error as Fatal
  return error instanceof GaveUp || error instanceof StartFailed ? fatalOf(error.cause) : undefined
}

/** What a person reads of an error: one line. */
export const describe = (error: unknown): string => {
  const text = error instanceof Error ? error.message || error.name : typeof error === "string" ? error : inspect(error)
  return text.split("\n", 1)[0] ?? ""
}

const inspect = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}
