// Long goals: watched, cancelled, failing, waiting for their turn, and found again by a client that had lost its own.
//   npm run example:action -- [--broker embedded|rabbitmq|amqp://...]
//
// Exits with 0 when everything went as it says, with 1 when it did not.

import { randomBytes } from "node:crypto"
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { ActorSystem, AskError, type BrokerChoice, child, supervisor } from "warren"
import { Embedded } from "warren/effect"
import { factorizer } from "./action/factorizer.ts"
import { Factorizer } from "./action/protocol.ts"
import { openBroker } from "./broker.ts"

const { values } = parseArgs({ options: { broker: { type: "string", default: "embedded" } } })

/** One broker for all systems: `"embedded"` by itself would be one for each. */
const shared = async (choice: string): Promise<BrokerChoice> =>
  choice === "embedded" ? (await Effect.runPromise(Embedded.make())).layer : choice

const product = (factors: ReadonlyArray<bigint>) => factors.join(" * ") || "nothing yet"

const main = async (): Promise<void> => {
  await using source = await openBroker(values.broker, console.log)
  const settings = {
    domain: `action-${randomBytes(4).toString("hex")}`,
    broker: await shared(source.choice),
    logLevel: "Warn",
  } as const
  await using _workshop = await ActorSystem.start({
    ...settings,
    tree: supervisor("main", {}, [child(factorizer, { id: "main" })]),
  })
  await using office = await ActorSystem.start(settings)
  const { factor } = office.ref(Factorizer, "main")
  console.log(`A factorizer on ${source.title}.\n`)

  console.log("1. A goal, watched. Whoever reads slowly sees the newest feedback, never a backlog.")
  const watched = await factor(2n * 17_389n * 27_644_437n)
  for await (const tried of watched.feedback) console.log(`   tried up to ${tried}`)
  console.log(`   ${watched.status}: ${product(await watched.result)}`)

  console.log("2. A goal that is canceled: what was found by then is its partial result.")
  const endless = await factor(6n * (2n ** 61n - 1n))
  console.log("   meanwhile another one waits for its turn:")
  const next = await factor(91n)
  console.log(`   the first is ${endless.status}, the second ${next.status}`)
  let steps = 0
  for await (const _tried of endless.feedback) if (++steps === 3) break
  await endless.cancel()
  const outcome = await endless.outcome
  if (outcome.status !== "canceled") throw new Error(`it ended ${outcome.status}`)
  console.log(`   after ${steps} steps it is ${outcome.status}: ${product(outcome.partial ?? [])} * ...`)
  console.log(`   and the second one ${(await next.outcome).status}: ${product(await next.result)}`)

  console.log("3. A goal that fails ends aborted, with the error that its protocol declares.")
  const failed = await (await factor(1n)).outcome
  if (failed.status !== "aborted" || failed.error._tag !== "TooSmall") throw new Error(`it ended ${failed.status}`)
  console.log(`   ${failed.status}: ${failed.error._tag}, the least is ${failed.error.least}`)
  const refused = await factor.outcome(10n ** 40n)
  if (refused.ok || !(refused.error instanceof AskError)) throw new Error("it was accepted")
  console.log(`   and one that its handler refuses does not even begin: ${refused.error.reason._tag}`)

  console.log("4. A client that is gone leaves its goal running; another one finds it by its id.")
  const lost = await (async () => {
    await using client = await ActorSystem.start(settings)
    return (await client.ref(Factorizer, "main").factor(100_003n * 100_019n)).id
  })()
  for (const { id, status } of await factor.goals())
    if (id === lost) console.log(`   in the list of goals it is ${status}`)
  const found = await factor.goal(lost)
  console.log(`   ${product(await found.result)}`)
}

await main().catch((error: unknown) => {
  console.error(`action: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
})
