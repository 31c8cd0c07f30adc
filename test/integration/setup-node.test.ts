// The broker nodes that tests start, kill and freeze, on the source of this run.

import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Connection } from "rabbitmq-client"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { greet } from "../../scripts/broker/greeting.ts"
import { type BrokerNode, brokerOfThisRun, controllable, startNode } from "../../scripts/broker/index.ts"

const { source } = brokerOfThisRun()
const run = fileURLToPath(new URL("../../scripts/run.mjs", import.meta.url))

const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
  for (const deadline = Date.now() + 20_000; !(await holds()); await new Promise((next) => setTimeout(next, 50)))
    if (Date.now() > deadline) throw new Error(`waited 20 s in vain: ${what}`)
}

const answers = (url: string): Promise<boolean> =>
  greet(url, 500).then(
    () => true,
    () => false,
  )

describe.skipIf(!controllable(source))("a broker node of our own (skipped on a broker given by AMQP_URL)", () => {
  let node: BrokerNode

  beforeAll(async () => {
    node = await startNode(source)
  })

  afterAll(() => node?.[Symbol.asyncDispose]())

  const once = async <A>(use: (connection: Connection) => Promise<A>): Promise<A> => {
    const connection = new Connection(node.url)
    connection.on("error", () => {})
    try {
      return await use(connection)
    } finally {
      connection.unsafeDestroy()
    }
  }

  it("greets with its version and obeys rabbitmqctl", async () => {
    expect(await greet(node.url)).toBe(node.version)
    expect((await node.ctl(["eval", "1 + 1."])).trim()).toBe("2")
  })

  // A classic queue: a quorum queue whose broker is killed right after its declaration may not come back.
  it("comes back from kill -9 with its data on the same port", async () => {
    await once(async (connection) => {
      await connection.queueDeclare({ queue: "kept", durable: true, arguments: { "x-queue-type": "classic" } })
      const publisher = connection.createPublisher({ confirm: true })
      await publisher.send({ routingKey: "kept", durable: true }, "still here")
      await publisher.close()
    })
    await node.kill9()
    expect(await answers(node.url)).toBe(false)
    await node.start()
    const message = await once(async (connection) =>
      (await connection.acquire()).basicGet({ queue: "kept", noAck: true }),
    )
    expect(message?.body).toBe("still here")
  })

  it("says nothing while it is paused, and goes on when it is resumed", async () => {
    await node.pause()
    expect(await answers(node.url)).toBe(false)
    await node.resume()
    expect(await greet(node.url)).toBe(node.version)
  })

  it("blocks publishers by memory until it is unblocked", async () => {
    await once(async (connection) => {
      const heard: string[] = []
      connection.on("connection.blocked", () => heard.push("blocked"))
      connection.on("connection.unblocked", () => heard.push("unblocked"))
      await connection.onConnect()
      await node.blockByMemory()
      const channel = await connection.acquire()
      await channel.basicPublish({ routingKey: "nowhere" }, "x")
      await until("blocked", async () => heard.includes("blocked"))
      await node.unblock()
      await until("unblocked", async () => heard.includes("unblocked"))
    })
  })

  it("is gone when the process that started it is killed with -9", async () => {
    const env = { ...process.env, AMQP_URL: "" }
    const kind = ["--from", source.kind, "--version", source.version]
    const child = spawn(process.execPath, [run, "scripts/broker.ts", ...kind], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    })
    let output = ""
    child.stdout.on("data", (text) => (output += text))
    await until("it runs", async () => /AMQP_URL=\S+\n/.test(output))
    const url = /AMQP_URL=(\S+)/.exec(output)![1]!
    expect(await answers(url)).toBe(true)
    child.kill("SIGKILL")
    await until("it is gone", async () => !(await answers(url)))
  })
})
