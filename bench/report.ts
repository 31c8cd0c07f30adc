// A run as tables: of each case, of the gates, of the machine. Pure; who writes them where is not its business.

import { type Bound, bestPeer, type Judged } from "./gates.ts"
import { table } from "./markdown.ts"
import type { Introduction } from "./operations.ts"
import type { Case, Column, Failure, Figure, Group, Measurement } from "./plan.ts"
import { type Row, summarise } from "./statistics.ts"

/** Where and how a run took place. */
export interface Circumstances {
  /** ISO date and time. */
  readonly date: string
  readonly command: string
  readonly rounds: number
  readonly cpu: string
  readonly cores: number
  /** Bytes. */
  readonly memory: number
  readonly system: string
  readonly versions: Readonly<Record<string, string>>
  /** False where the broker's process could not be found: its CPU is then in no figure. */
  readonly brokerCpu: boolean
}

export interface Report {
  readonly circumstances: Circumstances
  readonly contenders: Readonly<Record<string, Introduction>>
  readonly measurements: readonly Measurement[]
  readonly failures: readonly Failure[]
  readonly rows: readonly Row[]
  readonly gates: readonly Judged[]
}

/** Three significant digits, thousands apart: 231,000 and 0.0412. */
export const number = (value: number | undefined): string => {
  if (value === undefined || Number.isNaN(value)) return "-"
  if (value === 0) return "0"
  const size = Math.floor(Math.log10(Math.abs(value)))
  if (size < 2) return value.toFixed(Math.min(4, 2 - size))
  const step = 10 ** (size - 2)
  return (Math.round(value / step) * step).toLocaleString("en-US")
}

const times = (value: number): string => `${number(value)}x`
const whole = (value: number | undefined): string =>
  value === undefined ? "-" : Math.round(value).toLocaleString("en-US")
const megabytes = (bytes: number | undefined): string => (bytes === undefined ? "-" : String(Math.round(bytes / 1e6)))
const kilobytes = (bytes: number | undefined): string => (bytes === undefined ? "-" : number(bytes / 1e3))

interface Shown {
  readonly head: string
  readonly cell: (row: Row) => string
}

const figure = (head: string, name: Figure, show: (value: number | undefined) => string = number): Shown => ({
  head,
  cell: ({ figures }) => show(figures[name]),
})

const shown = (column: Column, level: string, nameOf: (contender: string) => string): Shown => {
  switch (column) {
    case "contender":
      return { head: "contender", cell: (row) => nameOf(row.contender) }
    case "level":
      return { head: level, cell: (row) => whole(row.level) }
    case "ratio":
      return { head: "Warren is", cell: ({ ratio }) => (ratio === undefined ? "-" : times(ratio)) }
    case "memory":
      return {
        head: "RSS, MB: client, server",
        cell: ({ figures }) => `${megabytes(figures.rssClient)}, ${megabytes(figures.rssServer)}`,
      }
    case "cpuParts":
      return {
        head: "client, server, broker",
        cell: ({ figures }) => [figures.cpuClient, figures.cpuServer, figures.cpuBroker].map(number).join(", "),
      }
    case "rate":
      return figure("calls/s", column)
    case "p50":
    case "p90":
    case "p99":
    case "max":
      return figure(`${column} ms`, column)
    case "cpu":
      return figure("CPU s/10,000", column)
    case "startedMs":
      return figure("started, ms", column)
    case "servedMs":
      return figure("all answered, ms", column)
    case "heapPerActor":
      return figure("heap each, kB", column, kilobytes)
    case "rssPerActor":
      return figure("RSS each, kB", column, kilobytes)
    case "rssServer":
      return figure("RSS, MB", column, megabytes)
    case "least":
      return figure("least of a member", column, whole)
    case "most":
      return figure("most of a member", column, whole)
    case "evenness":
      return figure("least / most", column)
    case "waiting":
      return figure("waiting at the end", column, whole)
    default:
      return figure(column, column)
  }
}

/** By level, and of one level the fastest first. */
const inOrder = (rows: readonly Row[]): readonly Row[] =>
  [...rows].sort((a, b) => a.level - b.level || (b.figures.rate ?? 0) - (a.figures.rate ?? 0))

const namesOf =
  (contenders: Report["contenders"]) =>
  (id: string): string =>
    contenders[id]?.name ?? id

export const groupTable = (
  each: Case,
  group: Group,
  rows: readonly Row[],
  contenders: Report["contenders"],
): string => {
  const own = inOrder(rows.filter((row) => row.case === each.name && row.group === group.name))
  const columns = each.columns.map((column) => shown(column, each.level, namesOf(contenders)))
  const left = each.columns.flatMap((column, index) => (column === "contender" ? [index] : []))
  return table(
    columns.map(({ head }) => head),
    own.map((row) => columns.map(({ cell }) => cell(row))),
    left,
  )
}

/** The tables of a case, with what failed. */
export const caseText = (each: Case, { rows, contenders, failures, circumstances }: Report): string => {
  const rounds = Math.min(circumstances.rounds, each.rounds ?? circumstances.rounds)
  const parts = each.groups.flatMap((group) => {
    if (!rows.some((row) => row.case === each.name && row.group === group.name)) return []
    return [`${group.title}.`, groupTable(each, group, rows, contenders)]
  })
  const failed = failures.filter((one) => one.case === each.name)
  const notes = failed.map(
    ({ group, contender, round, error }) =>
      `- ${namesOf(contenders)(contender)}, ${group}, round ${round}: ${error.split("\n")[0]}`,
  )
  const note = notes.length === 0 ? [] : ["What failed:", notes.join("\n")]
  return [
    ...parts,
    `Medians of ${rounds} ${rounds === 1 ? "round" : "rounds"}, ${circumstances.date.slice(0, 10)}.`,
    ...note,
  ].join("\n\n")
}

const boundText = (bound: Bound, name: (contender: string) => string): string => {
  switch (bound.kind) {
    case "ratio":
      return `at least ${bound.atLeast}x ${bound.against === bestPeer ? "the best peer" : name(bound.against)}`
    case "least":
      return `${figureText[bound.figure] ?? bound.figure} at least ${whole(bound.atLeast)}`
    case "most":
      return `${figureText[bound.figure] ?? bound.figure} at most ${bound.atMost.toLocaleString("en-US")}`
    case "growth":
      return `each takes at most ${bound.atMost}x as long as of ${bound.from}`
  }
}

const figureText: Readonly<Partial<Record<Figure, string>>> = {
  rate: "answered a second",
  waiting: "waiting at the end",
  p99: "p99 ms",
  cpu: "CPU seconds per 10,000",
  servedMs: "ms until all have answered",
  heapPerActor: "bytes of heap each",
  rssPerActor: "bytes of RSS each",
}

const verdictText = ({ must, verdict }: Judged): string => {
  if (verdict === "not measured") return verdict
  if (must) return verdict === "held" ? "held" : "MISSED"
  return verdict === "held" ? "reached" : "not reached"
}

const measuredText = ({ bound, measured }: Judged): string => {
  if (measured === undefined) return "-"
  return bound.kind === "ratio" || bound.kind === "growth" ? times(measured) : number(measured)
}

/** @param all also those that were not measured */
export const gateTable = ({ gates, contenders }: Pick<Report, "gates" | "contenders">, all: boolean): string =>
  table(
    ["case", "mailboxes", "", "wanted", "measured", ""],
    gates
      .filter(({ verdict }) => all || verdict !== "not measured")
      .map((gate) => [
        gate.text,
        gate.group,
        gate.must ? "gate" : "aim",
        boundText(gate.bound, namesOf(contenders)),
        measuredText(gate),
        verdictText(gate),
      ]),
    [1, 2, 3, 5],
  )

export const circumstancesText = (where: Circumstances): string =>
  table(
    ["", ""],
    [
      ["date", where.date],
      ["command", `\`${where.command}\``],
      ["rounds", String(where.rounds)],
      ["machine", `${where.cpu}, ${where.cores} cores, ${(where.memory / 1e9).toFixed(0)} GB`],
      ["system", where.system],
      ...Object.entries(where.versions),
      ["the broker's CPU", where.brokerCpu ? "is in the figures" : "is NOT in the figures: its process was not found"],
    ],
    [1],
  )

export const settingsText = (contenders: Report["contenders"]): string =>
  Object.values(contenders)
    .map(({ name, settings }) => `- **${name}**: ${settings}`)
    .join("\n")

/** The blocks of docs/performance.md that a run can fill. */
export const blocks = (cases: readonly Case[], report: Report): Readonly<Record<string, string>> => ({
  circumstances: circumstancesText(report.circumstances),
  contenders: settingsText(report.contenders),
  gates: gateTable(report, true),
  ...Object.fromEntries(cases.map((each) => [each.name, caseText(each, report)])),
})

export const reportOf = (
  circumstances: Circumstances,
  found: Pick<Report, "measurements" | "failures"> & { readonly introductions: Report["contenders"] },
  judge: (measurements: readonly Measurement[]) => readonly Judged[],
): Report => ({
  circumstances,
  contenders: found.introductions,
  measurements: found.measurements,
  failures: found.failures,
  rows: summarise(found.measurements),
  gates: judge(found.measurements),
})
