// A RabbitMQ node from programs on this machine, installed or unpacked.
//
// 1. It shares nothing with another node: own name, ports, cookie, data folder, and an epmd of its own. The nodes of a
//    cluster share cookie and epmd (cluster.ts).
// 2. Everything it listens on is on the loopback interface.
// 3. Server and epmd each lead a process group, so that kill and pause reach all of it; the last will has both.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import type { BrokerNode, NodeOptions } from "./broker-node.ts"
import { command } from "./command.ts"
import { erlangOf, sbinOf } from "./debian.ts"
import { awaitGreeting } from "./greeting.ts"
import { bequeath, removeFolder } from "./last-will.ts"
import { freePorts } from "./ports.ts"
import { type Group, startGroup } from "./process-group.ts"
import type { Debian, Installed } from "./source.ts"

const loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
/** Idle schedulers that spin would steal the processor from the tests. */
const quiet = "+sbwt none +sbwtdcpu none +sbwtdio none"

/** The programs of a source. */
const programs = (source: Installed | Debian) =>
  source.kind === "installed"
    ? { sbin: source.sbin, epmd: source.epmd, path: [] }
    : {
        sbin: sbinOf(source.root),
        epmd: join(erlangOf(source.root), "bin/epmd"),
        path: [join(erlangOf(source.root), "bin")],
      }

const pathOf = (first: readonly string[]): string => [...first, process.env.PATH ?? "/usr/bin:/bin"].join(delimiter)

interface Layout extends Town {
  readonly dir: string
  readonly port: number
  readonly distPort: number
}

/** The Erlang name of the node that listens on a port. */
export const nodeNameAt = (port: number): string => `warren-${port}@localhost`

/** Every setting comes from here: nothing of the machine's own RabbitMQ configuration is read. */
const environment = (path: readonly string[], { dir, home, port, epmdPort, distPort }: Layout): NodeJS.ProcessEnv => ({
  PATH: pathOf(path),
  HOME: home,
  LANG: "C.UTF-8",
  ERL_CRASH_DUMP_BYTES: "0",
  ERL_EPMD_PORT: String(epmdPort),
  ERL_EPMD_ADDRESS: "127.0.0.1",
  RABBITMQ_NODENAME: nodeNameAt(port),
  RABBITMQ_DIST_PORT: String(distPort),
  RABBITMQ_MNESIA_BASE: join(dir, "data"),
  RABBITMQ_LOG_BASE: join(dir, "log"),
  RABBITMQ_CONFIG_FILE: join(dir, "rabbitmq"),
  RABBITMQ_ADVANCED_CONFIG_FILE: join(dir, "advanced.config"),
  RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, "enabled_plugins"),
  RABBITMQ_CONF_ENV_FILE: "/dev/null",
  RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `${quiet} ${loopback}`,
  RABBITMQ_CTL_ERL_ARGS: loopback,
})

const writeConfiguration = async ({ dir, home, port }: Layout, options: NodeOptions): Promise<void> => {
  const { config = "", plugins = [] } = options
  await mkdir(dir, { recursive: true })
  await mkdir(home, { recursive: true })
  await writeFile(join(dir, "rabbitmq.conf"), `listeners.tcp.1 = 127.0.0.1:${port}\n${config}\n`)
  await writeFile(join(dir, "advanced.config"), "[].\n")
  await writeFile(join(dir, "enabled_plugins"), `[${plugins.join(",")}].\n`)
}

/** What the nodes of one cluster share: a home, for the cookie in it, and an epmd that somebody else runs. */
export interface Town {
  readonly home: string
  readonly epmdPort: number
}

export const startEpmd = (source: Installed | Debian, { home, epmdPort }: Town, output: string): Group => {
  const { epmd, path } = programs(source)
  const env = { PATH: pathOf(path), HOME: home }
  return startGroup(epmd, ["-address", "127.0.0.1", "-port", String(epmdPort)], env, output)
}

export const startErlangNode = async (
  source: Installed | Debian,
  options: NodeOptions,
  town?: Town,
): Promise<BrokerNode> => {
  const [anyPort, epmdPort, distPort] = await freePorts(3)
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), "warren-rabbitmq-")))
  const keepFolder = options.dir === undefined ? bequeath(removeFolder(dir)) : () => {}
  const { home, epmdPort: names } = town ?? { home: join(dir, "home"), epmdPort: epmdPort! }
  const layout: Layout = { dir, home, epmdPort: names, port: options.port ?? anyPort!, distPort: distPort! }
  const { sbin, path } = programs(source)
  const env = environment(path, layout)
  const output = join(dir, "output.log")
  await writeConfiguration(layout, options)

  let server: Group | undefined
  let epmd: Group | undefined
  let version = source.version

  const start = async () => {
    if (server?.alive()) return
    if (town === undefined && !epmd?.alive()) epmd = startEpmd(source, layout, output)
    const started = startGroup(join(sbin, "rabbitmq-server"), [], env, output)
    server = started
    version = await awaitGreeting(layout.port, started.alive).catch(async (cause: Error) => {
      started.signal("SIGKILL")
      const said = (await readFile(output, "utf8").catch(() => "")).trim().split("\n").slice(-15).join("\n")
      throw new Error(`RabbitMQ ${source.version} did not start on port ${layout.port}: ${cause.message}\n${said}`, {
        cause,
      })
    })
  }

  const end = async (name: NodeJS.Signals, patience: number) => {
    const ending = server
    if (!ending) return
    ending.signal("SIGCONT")
    ending.signal(name)
    const impatient = setTimeout(() => ending.signal("SIGKILL"), patience)
    await ending.ended()
    clearTimeout(impatient)
    ending.signal("SIGKILL")
  }

  const kill9 = async () => {
    server?.signal("SIGKILL")
    await server?.ended()
  }

  const ctl = (args: readonly string[]) => command(join(sbin, "rabbitmqctl"), ["-q", ...args], { env, timeout: 60_000 })

  const dispose = async () => {
    await kill9()
    epmd?.signal("SIGKILL")
    await epmd?.ended()
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true, maxRetries: 5 })
    keepFolder()
  }

  try {
    await start()
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    url: `amqp://guest:guest@127.0.0.1:${layout.port}`,
    port: layout.port,
    get version() {
      return version
    },
    start,
    kill9,
    stop: () => end("SIGTERM", 20_000),
    pause: async () => server?.signal("SIGSTOP"),
    resume: async () => server?.signal("SIGCONT"),
    ctl,
    blockByMemory: async () => void (await ctl(["set_vm_memory_high_watermark", "absolute", "10MB"])),
    unblock: async () => void (await ctl(["set_vm_memory_high_watermark", "0.4"])),
    [Symbol.asyncDispose]: dispose,
  }
}
