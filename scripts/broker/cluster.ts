// A RabbitMQ cluster on this machine: nodes of one source that know each other, each of which can be killed and started.
//
// 1. The nodes share an epmd and a cookie, and nothing else: each has its own ports, data and log.
// 2. They are started side by side and then join the first one, which works the same way in every version.
// 3. What outlives a kill of this process is ended by the last will, as for a single node.

import { randomBytes } from "node:crypto"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { BrokerNode } from "./broker-node.ts"
import { nodeNameAt, startEpmd, startErlangNode, type Town } from "./erlang-node.ts"
import { bequeath, removeFolder } from "./last-will.ts"
import { freePorts } from "./ports.ts"
import { controllable, type Source } from "./source.ts"
import { NotOurs } from "./start-node.ts"

export interface BrokerCluster extends AsyncDisposable {
  /** In the order in which they joined. Disposing of one is the cluster's business. */
  readonly nodes: readonly BrokerNode[]
  readonly urls: readonly string[]
  readonly version: string
}

export interface ClusterOptions {
  /** Nodes. Default 3. */
  readonly size?: number
  /** More lines for every rabbitmq.conf. */
  readonly config?: string
}

/** A node that is silent for so long, in seconds, is taken to be gone; RabbitMQ's own 60 is long for a trial. */
const ticktime = "net_ticktime = 8"

/** Starts the nodes and joins them. Rejects with NotOurs for a source whose nodes cannot be on one loopback. */
export const startCluster = async (source: Source, options: ClusterOptions = {}): Promise<BrokerCluster> => {
  if (!controllable(source) || source.kind === "docker" || source.kind === "given")
    throw new NotOurs(
      "a cluster needs a RabbitMQ that is installed or unpacked on this machine, not one in a container",
    )
  const { size = 3, config = "" } = options
  const dir = await mkdtemp(join(tmpdir(), "warren-cluster-"))
  const keepFolder = bequeath(removeFolder(dir))
  const town: Town = { home: join(dir, "home"), epmdPort: (await freePorts(1))[0]! }
  await mkdir(town.home)
  await writeFile(join(town.home, ".erlang.cookie"), randomBytes(16).toString("hex"), { mode: 0o400 })
  const epmd = startEpmd(source, town, join(dir, "epmd.log"))

  const names = Array.from({ length: size }, (_, index) => `node-${index + 1}`)
  const starting = await Promise.allSettled(
    names.map((name) => startErlangNode(source, { dir: join(dir, name), config: `${ticktime}\n${config}` }, town)),
  )
  const nodes = starting.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []))
  const dispose = async () => {
    await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()))
    epmd.signal("SIGKILL")
    await epmd.ended()
    await rm(dir, { recursive: true, force: true, maxRetries: 5 })
    keepFolder()
  }
  try {
    for (const start of starting) if (start.status === "rejected") throw start.reason
    await joinAll(nodes)
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    nodes,
    urls: nodes.map(({ url }) => url),
    version: nodes[0]!.version,
    [Symbol.asyncDispose]: dispose,
  }
}

const joinAll = async ([first, ...others]: readonly BrokerNode[]): Promise<void> => {
  // One after the other: two that join at once may find the first one busy with the other.
  for (const node of others) {
    await node.ctl(["stop_app"])
    await node.ctl(["join_cluster", nodeNameAt(first!.port)])
    await node.ctl(["start_app"])
  }
}
