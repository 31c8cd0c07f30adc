// The result of a run, for people and for programs. Pure.

import type { FileTotal } from "./reader.ts"
import type { Statistics } from "./statistics.ts"

export interface Report {
  readonly broker: string
  readonly workers: number
  readonly seconds: number
  readonly files: ReadonlyArray<FileTotal>
  readonly statistics: Statistics
}

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })

export const totalOf = (files: ReadonlyArray<FileTotal>): FileTotal =>
  files.reduce(
    (sum, { words, lines, bytes }) => ({
      file: "total",
      words: sum.words + words,
      lines: sum.lines + lines,
      bytes: sum.bytes + bytes,
    }),
    { file: "total", words: 0, lines: 0, bytes: 0 },
  )

const perSecond = ({ statistics, seconds }: Report): number => statistics.answered / Math.max(seconds, 0.001)

const restarts = ({ statistics }: Report): number =>
  statistics.crashes.filter(({ restartedAfter }) => restartedAfter !== undefined).length

/** One row for each file, and the total under several. Numbers are aligned to the right under their headings. */
export const table = (files: ReadonlyArray<FileTotal>): ReadonlyArray<string> => {
  const cells = [...files, ...(files.length > 1 ? [totalOf(files)] : [])].map((row) => [
    ...[row.words, row.lines, row.bytes].map((value) => whole.format(value)),
    row.file,
  ])
  const rows = [["words", "lines", "bytes", "file"], ...cells]
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join("  "))
}

const times = (count: number, one: string, many: string): string => `${whole.format(count)} ${count === 1 ? one : many}`

export const closing = (report: Report): string => {
  const { answered, again, crashes } = report.statistics
  return [
    `${times(answered, "ask", "asks")} answered in ${report.seconds.toFixed(2)} s`,
    `${whole.format(perSecond(report))} asks/s`,
    times(crashes.length, "crash", "crashes"),
    times(restarts(report), "restart", "restarts"),
    times(again, "line asked again", "lines asked again"),
  ].join(", ")
}

/** What `--json` prints. */
export const document = (report: Report): unknown => {
  const { answered, again, crashes } = report.statistics
  const { words, lines, bytes } = totalOf(report.files)
  return {
    broker: report.broker,
    workers: report.workers,
    files: report.files,
    total: { words, lines, bytes },
    asks: { answered, again, perSecond: Math.round(perSecond(report)) },
    seconds: Math.round(report.seconds * 1000) / 1000,
    crashes,
    restarts: restarts(report),
  }
}
