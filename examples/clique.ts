// Three processes, one address: the leader is killed with kill -9 again and again, and a client that asks all the time
// hardly notices.
//   npm run example:clique -- [--broker rabbitmq|amqp://...] [--kills N]
//
// It needs a RabbitMQ, as the embedded broker lives in one process. By default one is found or fetched, started, and
// stopped afterwards.

import { randomBytes } from "node:crypto"
import { parseArgs } from "node:util"
import { ActorSystem } from "warren"
import { openBroker } from "./broker.ts"
import { Members } from "./clique/members.ts"
import { Oracle } from "./clique/protocol.ts"

const { values } = parseArgs({
  options: { broker: { type: "string", default: "rabbitmq" }, kills: { type: "string", default: "3" } },
})
const kills = Number(values.kills)
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const main = async (): Promise<void> => {
  if (!Number.isInteger(kills) || kills < 1) throw new Error(`--kills ${values.kills}: want a whole number from 1 on`)
  if (values.broker === "embedded") throw new Error("--broker embedded: three processes need a broker between them")
  await using broker = await openBroker(values.broker, console.log)
  const domain = `clique-${randomBytes(4).toString("hex")}`
  console.log(`Three members of ${domain}/oracle/delphi on ${broker.title}. One leads, two stand by.`)
  await using members = new Members({ broker: broker.choice, domain }, (line) => console.log(`  ${line}`))
  const names = ["Ann", "Bob", "Cid"]
  await Promise.all(names.map((name) => members.start(name)))
  await using client = await ActorSystem.start({ domain, broker: broker.choice, logLevel: "Warn" })
  const oracle = client.ref(Oracle, "delphi")

  let asked = 0
  let epoch = 0
  for (let kill = 1; kill <= kills; kill++) {
    let leader = ""
    const until = performance.now() + 1_000
    while (performance.now() < until) {
      const answer = await oracle.ask(undefined, { timeout: "10 seconds" })
      if (answer.epoch < epoch) throw new Error(`an epoch went back from ${epoch} to ${answer.epoch}`)
      epoch = answer.epoch
      leader = answer.name
      asked++
    }
    const answered = oracle.ask(undefined, { timeout: "10 seconds" }) // under way when the leader dies
    const killed = await members.kill(leader)
    const first = await Promise.all([answered, oracle.ask(undefined, { timeout: "10 seconds" })])
    const gap = performance.now() - killed
    asked += 2
    console.log(`killed ${leader} with kill -9; ${first[1].name} answered ${gap.toFixed(0)} ms later`)
    await members.start(leader)
    await pause(200)
  }
  console.log(`${asked} asks, all answered; ${kills} leaders killed.`)
}

await main().catch((error: unknown) => {
  console.error(`clique: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
})
