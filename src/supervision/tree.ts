// A supervision tree as people and programs read it: a snapshot as plain data, and as lines of text.

/** "waiting": it is down until its backoff, or its turn, lets it start. "failed": it ended its supervisor. */
export type State = "starting" | "running" | "waiting" | "stopping" | "stopped" | "failed"

/** A snapshot of one node of the tree. Plain JSON. */
export interface View {
  readonly id: string
  readonly state: State
  /** ms since it came into this state. */
  readonly age: number
  /** Restarts since it was first started. */
  readonly restarts: number
  /** While waiting: ms until it may start. */
  readonly startsIn?: number
  /** One line about what it is or does. */
  readonly detail?: string
  /** One line about its last crash. */
  readonly error?: string
  readonly children: ReadonlyArray<View>
}

/** The tree as text, a line per node. */
export const render = (view: View): string => [line(view), ...drawn(view.children, line)].join("\n")

/**
 * What stands below one line of a tree, as lines.
 *
 * @param more something follows at the end of this level.
 */
export const drawn = <A extends { readonly children: ReadonlyArray<A> }>(
  level: ReadonlyArray<A>,
  line: (item: A) => string,
  indent = "",
  more = false,
): ReadonlyArray<string> =>
  level.flatMap((item, index) => {
    const last = !more && index === level.length - 1
    const own = `${indent}${last ? "└─ " : "├─ "}${line(item)}`
    return [own, ...drawn(item.children, line, `${indent}${last ? "   " : "│  "}`)]
  })

const line = (view: View): string =>
  [
    `${view.id}: ${view.state}`,
    view.startsIn === undefined ? "" : `, starts in ${span(view.startsIn)}`,
    view.restarts === 0 ? "" : `, ${view.restarts} ${view.restarts === 1 ? "restart" : "restarts"}`,
    view.detail ? ` (${view.detail})` : "",
    view.error ? `, last error: ${view.error}` : "",
  ].join("")

/** A duration in its largest fitting unit: `350 ms`, `12 s`, `1.5 min`, `3 h`. */
export const span = (ms: number): string => {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  const [size, unit] = ms < 60_000 ? [1_000, "s"] : ms < 3_600_000 ? [60_000, "min"] : [3_600_000, "h"]
  return `${Math.round((ms / (size as number)) * 10) / 10} ${unit}`
}
