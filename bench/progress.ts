// What a run says while it runs: one line on stderr for each contender that was measured.

import type { Level } from "./measure.ts"
import { number } from "./report.ts"
import type { Step, Watcher } from "./rounds.ts"

const minutes = (ms: number): string => (ms < 90_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.ceil(ms / 60_000)} min`)

const found = ({ level, figures }: Level): string => {
  if (figures.startedMs !== undefined) return `${level}: ${number(figures.servedMs)} ms`
  return `${level}: ${number(figures.rate)}/s p50 ${number(figures.p50)} ms`
}

export const progress = (rounds: number, out: NodeJS.WriteStream = process.stderr): Watcher => {
  let head = ""
  let levels: string[] = []
  const line = (end: string) => `${head}  ${levels.join("  ")}${end}`
  /** A terminal shows the line while it grows. */
  const show = () => {
    if (out.isTTY) out.write(`\r\x1b[2K${line(" ...").slice(0, out.columns - 1)}`)
  }
  return {
    begins: ({ round, case: name, group, contender }: Step, share, msLeft) => {
      const done = `${Math.floor(share * 100)} %, ${minutes(msLeft)} left`
      head = `[${done}]`.padEnd(20) + `${round}/${rounds} ${name} ${group} ${contender}`.padEnd(46)
      levels = []
      show()
    },
    found: (_, level) => {
      levels.push(found(level))
      show()
    },
    failed: (_, error) => levels.push(`FAILED: ${error.split("\n")[0]}`),
    ends: () => void out.write(`${out.isTTY ? "\r\x1b[2K" : ""}${line("\n")}`),
  }
}
