// `npm test` and its quicker and longer forms:
//   npm test                     every check, then every suite with one real broker
//   npm run test:unit            the unit suite alone
//   npm run test:brokers         the contract and integration suites on every RabbitMQ version that can be had
//   ... -- --suite contract      only these suites (may be repeated)
//
// 1. The last line is `N passed, N failed`; the exit code is 1 when anything failed.
// 2. A check that cannot run has failed.

import { parseArgs } from "node:util"
import { startRun } from "./broker/of-this-run.ts"
import { testBrokers } from "./test/brokers.ts"
import { checks } from "./test/checks.ts"
import { line, runCheck, runSuites } from "./test/run.ts"
import { add, closingLine, nothing, one, type Tally } from "./test/tally.ts"

const { values } = parseArgs({
  options: { suite: { type: "string", multiple: true }, unit: { type: "boolean" }, brokers: { type: "boolean" } },
})

const allSuites = ["unit", "contract", "integration", "docs"]

/** Without a broker the suites that need none still run, and its absence counts as a failure. */
const withBroker = async (): Promise<Tally> => {
  const started = Date.now()
  const run = await startRun({ progress: (text) => console.log(`        ${text}`) }).catch((error: Error) => error)
  line(!(run instanceof Error), "broker", started)
  if (run instanceof Error) {
    console.log(run.message)
    return add(one(false), await runSuites(["unit"]))
  }
  console.log(`        ${run.title}`)
  try {
    return add(one(true), await runSuites(allSuites, run.env))
  } finally {
    await run[Symbol.asyncDispose]()
  }
}

const everything = async (): Promise<Tally> => {
  let total = nothing
  for (const check of checks) total = add(total, await runCheck(check))
  return add(total, await withBroker())
}

const main = (): Promise<Tally> => {
  if (values.brokers) return testBrokers()
  const suites = values.unit ? ["unit"] : values.suite
  return suites ? runSuites(suites) : everything()
}

const total = await main().catch((error: unknown) => {
  console.error(error)
  return one(false)
})
console.log(closingLine(total))
process.exitCode = total.failed === 0 ? 0 : 1
