// Supervision as data: one Schema for code and for files, its defaults, and what is refused.
//
// S1. Every field is optional but a child's id. Durations are ms or text such as "5 seconds".
// S2. A spec that cannot mean what it says is refused when it is built, with the numbers in the message: above all an
//     intensity window that is not longer than the waits which must fit into it, for it could never be exceeded.

import { Duration, Option, Result, Schema } from "effect"
import { type Backoff, longestWait } from "./backoff.ts"
import { SpecError } from "./errors.ts"
import type { Intensity } from "./intensity.ts"

const Interval = Schema.Union([Schema.Number, Schema.String]).annotate({
  description: 'a duration: milliseconds, or text such as "5 seconds"',
})

export const BackoffSpec = Schema.Struct({
  /** The longest first wait. Default 100 ms. */
  initial: Schema.optionalKey(Interval),
  /** Growth from one wait to the next, at least 1. Default 2. */
  factor: Schema.optionalKey(Schema.Number),
  /** The longest wait at all. Default 10 seconds. */
  max: Schema.optionalKey(Interval),
  /** "full": each wait is random between 0 and its longest. Default "full". */
  jitter: Schema.optionalKey(Schema.Literals(["full", "none"])),
  /** Uptime after which the waits begin at `initial` again. Default 30 seconds. */
  resetAfter: Schema.optionalKey(Interval),
})
export type BackoffSpec = typeof BackoffSpec.Type

export const SupervisorSpec = Schema.Struct({
  /**
   * Who is restarted when a child crashes: it alone, all children, or it and those after it. Default "one-for-one".
   */
  strategy: Schema.optionalKey(Schema.Literals(["one-for-one", "one-for-all", "rest-for-one"])),
  /** Restarts of all children together, in a sliding window. Default 10 in 1 minute. */
  intensity: Schema.optionalKey(
    Schema.Struct({ maxRestarts: Schema.optionalKey(Schema.Number), within: Schema.optionalKey(Interval) }),
  ),
  backoff: Schema.optionalKey(BackoffSpec),
  /**
   * When the intensity is exhausted: fail, so that the parent decides ("escalate", the default); stop all children and
   * end without a failure ("stop"); or stop all children, wait, and start again with an empty window ({ retryAfter }).
   */
  whenExhausted: Schema.optionalKey(
    Schema.Union([Schema.Literals(["escalate", "stop"]), Schema.Struct({ retryAfter: Interval })]),
  ),
  /** Whether the supervisor ends when one, or the last, significant child has ended by itself. Default "never". */
  autoShutdown: Schema.optionalKey(Schema.Literals(["never", "any-significant", "all-significant"])),
})
export type SupervisorSpec = typeof SupervisorSpec.Type

export const ChildSpec = Schema.Struct({
  /** Unique among its siblings. */
  id: Schema.String,
  /**
   * "permanent": always restarted. "transient": only after a crash. "temporary": never, and forgotten once it has
   * stopped for whatever reason. Default "permanent".
   */
  restart: Schema.optionalKey(Schema.Literals(["permanent", "transient", "temporary"])),
  /** How long a stop may take before the child is abandoned; "brutal" does not wait at all. Default 5 seconds. */
  shutdown: Schema.optionalKey(Schema.Union([Schema.Literals(["brutal", "infinity"]), Interval])),
  /** Whether its own end counts for the supervisor's `autoShutdown`. Default false. */
  significant: Schema.optionalKey(Schema.Boolean),
  /** Overrides single fields of the supervisor's backoff. */
  backoff: Schema.optionalKey(BackoffSpec),
})
export type ChildSpec = typeof ChildSpec.Type

export type Strategy = NonNullable<SupervisorSpec["strategy"]>
export type Restart = NonNullable<ChildSpec["restart"]>
export type AutoShutdown = NonNullable<SupervisorSpec["autoShutdown"]>

/** A spec with its defaults filled in; durations in ms. */
export interface ResolvedSpec {
  readonly strategy: Strategy
  readonly intensity: Intensity
  readonly backoff: Backoff
  readonly whenExhausted: "escalate" | "stop" | { readonly retryAfter: number }
  readonly autoShutdown: AutoShutdown
}

/** A child's spec with its defaults filled in; durations in ms. */
export interface ResolvedChild {
  readonly id: string
  readonly restart: Restart
  /** ms; 0 is "brutal", Infinity is "infinity". */
  readonly shutdown: number
  readonly significant: boolean
  readonly backoff: Backoff
}

const defaultBackoff: Backoff = { initial: 100, factor: 2, max: 10_000, jitter: "full", resetAfter: 30_000 }

/** Fills in the defaults of a supervisor's spec, or says what is wrong with it. */
export const resolve = (supervisor: string, spec: SupervisorSpec): Result.Result<ResolvedSpec, SpecError> =>
  checked(supervisor, SupervisorSpec, spec, (given, problems) => {
    const maxRestarts = given.intensity?.maxRestarts ?? 10
    if (!Number.isInteger(maxRestarts) || maxRestarts < 0) {
      problems.push(`intensity.maxRestarts is ${maxRestarts}, it must be a whole number, 0 or more`)
    }
    const within = millis("intensity.within", given.intensity?.within, 60_000, problems)
    const backoff = resolveBackoff("backoff", given.backoff, defaultBackoff, problems)
    const exhausted = given.whenExhausted ?? "escalate"
    const whenExhausted =
      typeof exhausted === "string"
        ? exhausted
        : { retryAfter: millis("whenExhausted.retryAfter", exhausted.retryAfter, 0, problems) }
    fits("", { maxRestarts, within }, backoff, problems)
    return {
      strategy: given.strategy ?? "one-for-one",
      intensity: { maxRestarts, within },
      backoff,
      whenExhausted,
      autoShutdown: given.autoShutdown ?? "never",
    }
  })

/** Fills in the defaults of one child's spec under its supervisor's, or says what is wrong with it. */
export const resolveChild = (
  supervisor: string,
  parent: ResolvedSpec,
  spec: ChildSpec,
): Result.Result<ResolvedChild, SpecError> =>
  checked(supervisor, ChildSpec, spec, (given, problems) => {
    const { id } = given
    if (id === "") problems.push("a child's id is empty")
    const restart = given.restart ?? "permanent"
    const significant = given.significant ?? false
    if (significant && restart === "permanent") {
      problems.push(`child "${id}" is significant and permanent, but a permanent child never ends: make it transient`)
    }
    if (significant && parent.autoShutdown === "never") {
      problems.push(`child "${id}" is significant, but autoShutdown is "never"`)
    }
    const backoff = resolveBackoff(`child "${id}": backoff`, given.backoff, parent.backoff, problems)
    if (given.backoff) fits(`child "${id}": `, parent.intensity, backoff, problems)
    const shutdown =
      given.shutdown === "brutal"
        ? 0
        : given.shutdown === "infinity"
          ? Number.POSITIVE_INFINITY
          : millis(`child "${id}": shutdown`, given.shutdown, 5_000, problems)
    return { id, restart, shutdown, significant, backoff }
  })

export interface Resolved {
  readonly supervisor: ResolvedSpec
  readonly children: ReadonlyArray<ResolvedChild>
}

/** A supervisor's spec and those of its children, or everything that is wrong with them. */
export const resolveAll = (
  supervisor: string,
  spec: SupervisorSpec,
  children: ReadonlyArray<ChildSpec>,
): Result.Result<Resolved, SpecError> => {
  const own = resolve(supervisor, spec)
  if (Result.isFailure(own)) return Result.fail(own.failure)
  const problems: Array<string> = []
  const resolved: Array<ResolvedChild> = []
  const ids = new Set<string>()
  for (const each of children) {
    const child = resolveChild(supervisor, own.success, each)
    if (Result.isFailure(child)) problems.push(...child.failure.problems)
    else resolved.push(child.success)
    if (ids.has(each.id)) problems.push(`two children have the id "${each.id}"`)
    ids.add(each.id)
  }
  return problems.length > 0
    ? Result.fail(new SpecError({ supervisor, problems }))
    : Result.succeed({ supervisor: own.success, children: resolved })
}

/** Checks the shape by the Schema (files and plain JavaScript get here too), then what `build` finds. */
const checked = <S extends Schema.ConstraintDecoder<unknown>, A>(
  supervisor: string,
  schema: S,
  spec: unknown,
  build: (spec: S["Type"], problems: Array<string>) => A,
): Result.Result<A, SpecError> => {
  const shape = Schema.decodeUnknownResult(schema)(spec)
  if (Result.isFailure(shape)) {
    return Result.fail(new SpecError({ supervisor, problems: [String(shape.failure)] }))
  }
  const problems: Array<string> = []
  const built = build(shape.success, problems)
  return problems.length > 0 ? Result.fail(new SpecError({ supervisor, problems })) : Result.succeed(built)
}

const millis = (field: string, given: number | string | undefined, otherwise: number, problems: Array<string>) => {
  if (given === undefined) return otherwise
  const parsed = Option.map(Duration.fromInput(given as Duration.Input), Duration.toMillis)
  if (Option.isSome(parsed) && Number.isFinite(parsed.value) && parsed.value > 0) return parsed.value
  problems.push(`${field} is ${JSON.stringify(given)}, it must be a positive duration: ms, or text like "5 seconds"`)
  return otherwise
}

const resolveBackoff = (field: string, given: BackoffSpec = {}, otherwise: Backoff, problems: Array<string>) => {
  const backoff: Backoff = {
    initial: millis(`${field}.initial`, given.initial, otherwise.initial, problems),
    factor: given.factor ?? otherwise.factor,
    max: millis(`${field}.max`, given.max, otherwise.max, problems),
    jitter: given.jitter ?? otherwise.jitter,
    resetAfter: millis(`${field}.resetAfter`, given.resetAfter, otherwise.resetAfter, problems),
  }
  if (!(backoff.factor >= 1 && Number.isFinite(backoff.factor))) {
    problems.push(`${field}.factor is ${backoff.factor}, it must be 1 or more`)
  }
  if (backoff.max < backoff.initial) {
    problems.push(`${field}.max (${backoff.max} ms) is less than ${field}.initial (${backoff.initial} ms)`)
  }
  return backoff
}

/** S2 */
const fits = (who: string, { maxRestarts, within }: Intensity, backoff: Backoff, problems: Array<string>) => {
  if (problems.length > 0) return
  const waits = longestWait(maxRestarts, backoff)
  if (within > waits) return
  problems.push(
    `${who}${maxRestarts} restarts may wait ${waits} ms together, so they never fall within ${within} ms and the ` +
      `supervisor would never give up: make intensity.within longer than ${waits} ms, or the backoff shorter`,
  )
}
