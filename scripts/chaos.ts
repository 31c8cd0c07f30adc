// `npm run chaos`: kills, freezes and cuts off what runs on a real RabbitMQ, and shows that nothing is lost by it.
//   npm run chaos -- [--minutes M | --quick] [--seed S] [--only CASE,..] [--json FILE] [--version 4.3]
//
// 1. Without --minutes every case has the length that its claims name; with it as much of that as fits, down to a least.
// 2. The seed is printed and makes the same decisions again; when they happen is the machine's affair.
// 3. The exit code is 1 when a gate was missed or not measured. No process and no file is left behind, however it ends.
// 4. The processes under test run compiled code; this one breaks them, and may be slower.

import { writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { cases } from "../chaos/cases/index.ts"
import { now } from "../chaos/clock.ts"
import { allHeld } from "../chaos/gates.ts"
import { planOf } from "../chaos/plan.ts"
import { closingLine, gateTable, outcomeText, type Report } from "../chaos/report.ts"
import { runTrial } from "../chaos/trial.ts"
import { describe, findBroker, NoBroker, startNode } from "./broker/index.ts"
import { checks } from "./test/checks.ts"
import { tool } from "./test/program.ts"
import { runCheck } from "./test/run.ts"

const began = now()
const say = (line: string): void => {
  const seconds = Math.floor((now() - began) / 1000)
  console.error(`[${String(Math.floor(seconds / 60)).padStart(2)}:${String(seconds % 60).padStart(2, "0")}] ${line}`)
}

/** The package, then the workers, which compile against it. */
const built = async (): Promise<boolean> => {
  const build = checks.find(({ name }) => name === "build")!
  const workers = {
    name: "build of chaos",
    programs: [
      [process.execPath, "-e", "fs.rmSync('chaos/dist', { recursive: true, force: true })"],
      [tool("tsc"), "-p", "chaos"],
    ],
  } as const
  return (await runCheck(build)).failed === 0 && (await runCheck(workers)).failed === 0
}

const main = async (signal: AbortSignal): Promise<number> => {
  const plan = planOf(process.argv.slice(2), cases, () => Math.floor(Math.random() * 2 ** 32))
  console.log(`seed ${plan.seed}`)
  if (!(await built())) return 1
  signal.throwIfAborted()
  const source = await findBroker({ version: plan.version, progress: say })
  say(`Using ${describe(source)}.`)
  await using broker = await startNode(source)
  const { seed, scale } = plan
  const outcomes = await runTrial(plan.cases, { source, broker, seed, scale, signal, say })
  const report: Report = {
    date: new Date().toISOString(),
    seed,
    share: scale.share,
    broker: `RabbitMQ ${broker.version}`,
    machine: `${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores, Node ${process.versions.node}`,
    outcomes,
  }
  if (plan.json) writeFileSync(plan.json, `${JSON.stringify(report, undefined, 1)}\n`)
  console.log(`\n${outcomes.map(outcomeText).join("\n\n")}\n`)
  console.log(
    `${report.broker}, ${report.machine}, ${Math.round(scale.share * 100)} % of the full length, seed ${seed}\n`,
  )
  console.log(`${gateTable(outcomes)}\n\n${closingLine(outcomes)}`)
  return allHeld(outcomes.flatMap(({ gates }) => gates)) ? 0 : 1
}

/** Ctrl-C reaches us alone: what we started is in groups of its own, and goes when `main` has let go of it. */
const interrupted = new AbortController()
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(name, () => interrupted.abort(new Error(`ended by ${name}`)))

const code = await main(interrupted.signal).catch((error: Error) => {
  console.error(error instanceof NoBroker || interrupted.signal.aborted ? error.message : error)
  return interrupted.signal.aborted ? 130 : 1
})
process.exit(code)
