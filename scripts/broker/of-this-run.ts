// The broker of one test run, handed from the program that started it to the tests by environment variables:
//   WARREN_TEST_AMQP_URL  its URL
//   WARREN_TEST_SOURCE    where it came from, as JSON, so that a test can start further nodes of the same kind
//   WARREN_TEST_PREFIX    a prefix for names that no other run uses, since a broker we were given may be shared

import { randomBytes } from "node:crypto"
import type { BrokerNode } from "./broker-node.ts"
import { type FindOptions, findBroker } from "./find.ts"
import { describe, type Source } from "./source.ts"
import { startNode } from "./start-node.ts"

export interface BrokerOfThisRun {
  readonly url: string
  readonly source: Source
  readonly prefix: string
}

export const brokerEnv = (url: string, source: Source): Record<string, string> => ({
  WARREN_TEST_AMQP_URL: url,
  WARREN_TEST_SOURCE: JSON.stringify(source),
  WARREN_TEST_PREFIX: `warren-test-${randomBytes(4).toString("hex")}`,
})

/** What the environment says; throws outside of a run that has a broker. */
export const brokerOfThisRun = (env: NodeJS.ProcessEnv = process.env): BrokerOfThisRun => {
  const { WARREN_TEST_AMQP_URL: url, WARREN_TEST_SOURCE: source, WARREN_TEST_PREFIX: prefix } = env
  if (!url || !source || !prefix) throw new Error("this test needs a broker: run it with vitest or `npm test`")
  return { url, source: JSON.parse(source), prefix }
}

export interface StartedRun extends AsyncDisposable {
  readonly env: Record<string, string>
  readonly title: string
}

/** Finds and starts the broker of a run. */
export const startRun = async (options: FindOptions = {}): Promise<StartedRun> => {
  const source = await findBroker(options)
  const node: BrokerNode = await startNode(source)
  return {
    env: brokerEnv(node.url, source),
    title: `RabbitMQ ${node.version} (${describe(source)})`,
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
  }
}
