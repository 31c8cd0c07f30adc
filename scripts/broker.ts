// `npm run broker`: one broker in the foreground, until Ctrl-C.
//   npm run broker -- [--version 4.3 | newest] [--from installed | docker | debian] [--port 5672]

import { parseArgs } from "node:util"
import { describe, findBroker, NoBroker, type Source, startNode } from "./broker/index.ts"
import { isFree } from "./broker/ports.ts"

const say = (line: string) => console.log(line)

const { values } = parseArgs({
  options: { version: { type: "string" }, from: { type: "string" }, port: { type: "string" } },
})

const usualPort = 5672

const main = async (): Promise<void> => {
  const started = Date.now()
  const source = await findBroker({ version: values.version, from: values.from as Source["kind"], progress: say })
  say(`Using ${describe(source)}.`)
  const port = values.port ? Number(values.port) : (await isFree(usualPort)) ? usualPort : undefined
  await using node = await startNode(source, port === undefined ? {} : { port })
  say(`RabbitMQ ${node.version} is ready after ${((Date.now() - started) / 1000).toFixed(1)} s.`)
  say(`AMQP_URL=${node.url}`)
  if (source.kind === "given") return say("It runs already: nothing to start.")
  say("Ctrl-C stops it and deletes its data.")
  await new Promise<void>((resolve) => {
    const alive = setInterval(() => {}, 60_000)
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.once(signal, () => {
        clearInterval(alive)
        resolve()
      })
  })
  say("Stopping ...")
}

await main().catch((error: Error) => {
  console.error(error instanceof NoBroker ? error.message : error)
  process.exitCode = 1
})
