// Finds a RabbitMQ that is installed on this machine: on the PATH, where Linux packages put it, or from Homebrew.

import { access, constants, realpath } from "node:fs/promises"
import { delimiter, join } from "node:path"
import { command } from "./command.ts"
import type { Installed } from "./source.ts"

/** Linux packages keep the programs here; what they put on the PATH wants to be root. */
const places = [
  "/usr/lib/rabbitmq/bin",
  "/opt/homebrew/opt/rabbitmq/sbin",
  "/usr/local/opt/rabbitmq/sbin",
  "/home/linuxbrew/.linuxbrew/opt/rabbitmq/sbin",
]
const systemPlaces = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]
const epmdPlaces = ["/opt/homebrew/bin", "/usr/local/bin", "/home/linuxbrew/.linuxbrew/bin", "/usr/lib/erlang/bin"]

const runnable = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  )

const firstWith = async (name: string, folders: readonly string[]): Promise<string | undefined> => {
  for (const folder of folders) if (await runnable(join(folder, name))) return folder
  return undefined
}

/** `.../rabbitmq_server-4.0.5/sbin`, `.../Cellar/rabbitmq/4.1.0/sbin`: the version stands in the real path. */
export const versionInPath = (path: string): string | undefined => /(\d+\.\d+\.\d+)/.exec(path)?.[1]

export const findInstalled = async (env: NodeJS.ProcessEnv = process.env): Promise<readonly Installed[]> => {
  const path = (env.PATH ?? "").split(delimiter).filter(Boolean)
  const own = path.filter((folder) => !systemPlaces.includes(folder))
  const sbin = await firstWith("rabbitmq-server", [...places, ...own])
  const epmdFolder = await firstWith("epmd", [...path, ...epmdPlaces])
  if (sbin === undefined || epmdFolder === undefined) return []
  const named = versionInPath(await realpath(join(sbin, "rabbitmq-server")))
  const version = named ?? (await command(join(sbin, "rabbitmqctl"), ["version"], { timeout: 30_000 })).trim()
  return [{ kind: "installed", version, sbin, epmd: join(epmdFolder, "epmd") }]
}
