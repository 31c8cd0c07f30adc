// Before the suites that need a real broker: starts one, unless this run has one already (`npm test` brings its own).

import { startRun } from "../../scripts/broker/of-this-run.ts"

export default async (): Promise<(() => Promise<void>) | undefined> => {
  if (process.env.WARREN_TEST_AMQP_URL) return undefined
  const run = await startRun({ progress: (line) => console.log(line) })
  console.log(run.title)
  Object.assign(process.env, run.env)
  return async () => run[Symbol.asyncDispose]()
}
