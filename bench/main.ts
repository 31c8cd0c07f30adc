// The suite's program: reads its arguments, runs the rounds, and writes what came out. `npm run bench` starts it.
//   --only CASE[,CASE]    only these cases            --contenders ID[,ID]  only these contenders
//   --groups NAME[,NAME]  `durable`, `transient` ...  --levels N[,N]        only these numbers of callers
//   --rounds N            default 5, with --quick 1   --quick               one round, short times
//   --json FILE           all that was measured       --no-docs             leave docs/performance.md
//   --cpu-prof FOLDER     a CPU profile of each process
//
// 1. Only a run with full times and all contenders writes docs/performance.md.
// 2. It ends with 0 whether or not the gates hold: figures are told, not enforced. What could not be measured is a failure.

import { readFileSync, writeFileSync } from "node:fs"
import { cpus, totalmem, type } from "node:os"
import { basename, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { cases as allCases } from "./cases/index.ts"
import { judge } from "./gates.ts"
import { blocksOf, fill } from "./markdown.ts"
import { fullTimes, quickTimes, type Selection, select } from "./plan.ts"
import { listenerOn } from "./process-cpu.ts"
import { progress } from "./progress.ts"
import { blocks, type Circumstances, caseText, gateTable, type Report, reportOf } from "./report.ts"
import { runRounds } from "./rounds.ts"

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    contenders: { type: "string" },
    groups: { type: "string" },
    levels: { type: "string" },
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    json: { type: "string" },
    "no-docs": { type: "boolean", default: false },
    "cpu-prof": { type: "string" },
  },
})

const list = (text: string | undefined) => text?.split(",").map((name) => name.trim())

const selection = (): Selection => {
  const [cases, groups, contenders] = [values.only, values.groups, values.contenders].map(list)
  const levels = list(values.levels)?.map(Number)
  return {
    ...(cases && { cases }),
    ...(groups && { groups }),
    ...(contenders && { contenders }),
    ...(levels && { levels }),
  }
}

/** Docker and remote brokers have no process here; a port of this machine has one. */
const brokerProcess = async (url: URL): Promise<number | undefined> =>
  ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname) ? listenerOn(Number(url.port) || 5672) : undefined

const packages = ["warren", "rabbitmq-client", "amqplib", "@nestjs/microservices", "moleculer"]

const versionOf = (name: string): string => {
  const file = fileURLToPath(new URL(`../node_modules/${name}/package.json`, import.meta.url))
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version
}

/** Where a file lies is nobody's business. */
const nameOf = (argument: string): string => basename(argument)

const circumstances = (rounds: number, brokerCpu: boolean): Circumstances => ({
  date: new Date().toISOString(),
  command: ["npm run bench", ...(process.argv.length > 2 ? ["--", ...process.argv.slice(2).map(nameOf)] : [])].join(
    " ",
  ),
  rounds,
  cpu: cpus()[0]?.model ?? "unknown processor",
  cores: cpus().length,
  memory: totalmem(),
  system: type(),
  versions: {
    "Node.js": process.versions.node,
    RabbitMQ: process.env.WARREN_BENCH_BROKER ?? "unknown",
    ...Object.fromEntries(packages.map((name) => [name, versionOf(name)])),
  },
  brokerCpu,
})

const writeDocs = (report: Report, cases: typeof allCases): void => {
  const file = fileURLToPath(new URL("../../docs/performance.md", import.meta.url))
  const document = readFileSync(file, "utf8")
  const known = blocksOf(document)
  // A run of some cases leaves the tables of the others, and the gates that they decide, as they are.
  const whole = cases.length === allCases.length
  const wanted = Object.entries(blocks(cases, report)).filter(
    ([name]) => known.includes(name) && (whole || cases.some((each) => each.name === name)),
  )
  writeFileSync(file, fill(document, Object.fromEntries(wanted)))
  console.error(`Wrote ${wanted.length} tables of docs/performance.md.`)
}

const main = async (): Promise<void> => {
  const url = process.env.WARREN_BENCH_URL
  if (!url) throw new Error("WARREN_BENCH_URL does not name a broker: run `npm run bench`")
  const cases = select(allCases, selection())
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5))
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds ${values.rounds}: want a whole number, at least 1`)
  if (cases.length === 0) throw new Error("nothing is left to measure: the options exclude each other")
  const broker = await brokerProcess(new URL(url))
  const profile = values["cpu-prof"]
  const bench = {
    url,
    broker,
    times: values.quick ? quickTimes : fullTimes,
    nodeOptions: profile ? ["--cpu-prof", `--cpu-prof-dir=${resolve(profile)}`] : [],
  }
  const where = circumstances(rounds, broker !== undefined)
  const found = await runRounds({ bench, cases, rounds, watcher: progress(rounds) })
  const report = reportOf(where, found, judge)

  for (const each of cases) console.log(`\n${each.title} (${each.name})\n\n${caseText(each, report)}`)
  console.log(`\n${gateTable(report, false)}`)
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, undefined, 1)}\n`)
  if (report.failures.length > 0) process.exitCode = 1
  const everything = !values.quick && !values.contenders && !values.groups && !values.levels
  if (everything && !values["no-docs"]) writeDocs(report, cases)
}

await main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
