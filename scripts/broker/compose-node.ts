// A RabbitMQ node in a container, by docker-compose.yml with ports and a project name of its own.

import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import type { BrokerNode, NodeOptions } from "./broker-node.ts"
import { command } from "./command.ts"
import { awaitGreeting } from "./greeting.ts"
import { bequeath, quote, removeFolder } from "./last-will.ts"
import { freePorts } from "./ports.ts"
import type { Compose } from "./source.ts"

const composeFile = fileURLToPath(new URL("../../docker-compose.yml", import.meta.url))

/** What the image has on. */
const imagePlugins = ["rabbitmq_management", "rabbitmq_prometheus"]

/** True when a Docker engine answers and knows compose. */
export const dockerAnswers = async (): Promise<boolean> => {
  const ask = (...args: string[]) => command("docker", args, { timeout: 5_000 })
  return Promise.all([ask("info", "--format", "{{.ServerVersion}}"), ask("compose", "version")]).then(
    () => true,
    () => false,
  )
}

export const startComposeNode = async (source: Compose, options: NodeOptions): Promise<BrokerNode> => {
  if (options.dir !== undefined) throw new Error("a node in Docker keeps its data in the container: leave `dir` out")
  const [anyPort, managementPort] = await freePorts(2)
  const port = options.port ?? anyPort!
  const project = `warren-${process.pid}-${port}`
  const dir = await mkdtemp(join(tmpdir(), "warren-compose-"))
  await writeFile(join(dir, "more.conf"), `${options.config ?? ""}\n`, { mode: 0o644 })
  const plugins = [...imagePlugins, ...(options.plugins ?? [])]
  await writeFile(join(dir, "enabled_plugins"), `[${plugins.join(",")}].\n`, { mode: 0o644 })
  const volumes = [
    `${dir}/more.conf:/etc/rabbitmq/conf.d/90-more.conf:ro`,
    `${dir}/enabled_plugins:/etc/rabbitmq/enabled_plugins:ro`,
  ]
  const override = { services: { rabbitmq: { volumes } } }
  await writeFile(join(dir, "override.json"), JSON.stringify(override))

  const flags = [
    "compose",
    "-p",
    project,
    "-f",
    composeFile,
    "-f",
    join(dir, "override.json"),
    "--project-directory",
    dirname(composeFile),
  ]
  const env = {
    ...process.env,
    WARREN_RABBITMQ: source.version,
    WARREN_AMQP_PORT: String(port),
    WARREN_MANAGEMENT_PORT: String(managementPort),
  }
  const compose = (...args: string[]) => command("docker", [...flags, ...args], { env, timeout: 600_000 })
  const release = bequeath(`docker compose -p ${quote(project)} down --volumes --timeout 0; ${removeFolder(dir)}`)

  let version = source.version
  const start = async () => {
    await compose("up", "-d", "--wait", "--no-recreate")
    version = await awaitGreeting(port, () => true)
  }
  const ctl = (args: readonly string[]) => compose("exec", "-T", "rabbitmq", "rabbitmqctl", "-q", ...args)
  const dispose = async () => {
    await compose("down", "--volumes", "--timeout", "0")
    await rm(dir, { recursive: true, force: true })
    release()
  }

  try {
    await start()
  } catch (error) {
    await dispose().catch(() => {})
    throw error
  }
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    port,
    get version() {
      return version
    },
    start,
    kill9: async () => void (await compose("kill", "--signal", "KILL")),
    stop: async () => void (await compose("stop")),
    pause: async () => void (await compose("pause")),
    resume: async () => void (await compose("unpause")),
    ctl,
    blockByMemory: async () => void (await ctl(["set_vm_memory_high_watermark", "absolute", "10MB"])),
    unblock: async () => void (await ctl(["set_vm_memory_high_watermark", "0.4"])),
    [Symbol.asyncDispose]: dispose,
  }
}
