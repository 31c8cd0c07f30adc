// Runs the suites that talk to a broker on every RabbitMQ version this machine can get.

import { type StartedRun, startRun } from "../broker/of-this-run.ts"
import { runSuites } from "./run.ts"
import { add, closingLine, nothing, one, type Tally } from "./tally.ts"

interface Row {
  readonly wanted: string
  readonly result: string
}

/** The oldest supported series, the one of Debian's stable release, and whatever is newest. */
const wantedVersions = ["3.10", "4.0", "newest"]

/** What no version of RabbitMQ can change: `npm test` has run it. */
const sameOnAll = ["**/embedded.test.ts", "**/count-words.test.ts"]

const onOne = async (run: StartedRun): Promise<Tally> => {
  try {
    return await runSuites(["contract", "integration"], run.env, sameOnAll)
  } finally {
    await run[Symbol.asyncDispose]()
  }
}

/** A version that cannot be had is named in the table; it fails the run only when none could be had at all. */
export const testBrokers = async (): Promise<Tally> => {
  const rows: Row[] = []
  let total = nothing
  const given = process.env.AMQP_URL ? [undefined] : []
  for (const version of [...given, ...wantedVersions]) {
    const wanted = version ?? "AMQP_URL"
    const run = await startRun({ version, progress: (text) => console.log(text) }).catch((error: Error) => error)
    if (run instanceof Error) {
      console.log(run.message)
      rows.push({ wanted, result: "not available on this machine" })
      continue
    }
    console.log(`\n=== ${run.title}`)
    const tally = await onOne(run)
    total = add(total, tally)
    rows.push({ wanted, result: `${run.title}: ${closingLine(tally)}` })
  }
  console.log("\nRabbitMQ versions")
  for (const { wanted, result } of rows) console.log(`  ${wanted.padEnd(10)} ${result}`)
  return total.passed + total.failed === 0 ? add(total, one(false)) : total
}
