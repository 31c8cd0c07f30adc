// apt with a private state: reads this machine's archive and keys, writes only into a folder of ours, needs no root.

import { mkdir, readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { type AptSource, archiveOf, parseSources, stanzaFor } from "./apt-sources.ts"
import { command } from "./command.ts"

const etc = "/etc/apt"

/** Debian's releases that carry a RabbitMQ we support, oldest first. */
const debianSuites = ["bookworm", "trixie", "forky", "sid"]

export interface Archive {
  readonly source: AptSource
  /** The suites that may be asked for: all of Debian's on Debian, the machine's own one on a derivative. */
  readonly suites: readonly string[]
}

const readAll = async (): Promise<AptSource[]> => {
  const folder = join(etc, "sources.list.d")
  const names = await readdir(folder).catch(() => [])
  const files = [
    join(etc, "sources.list"),
    ...names.filter((name) => /\.(list|sources)$/.test(name)).map((name) => join(folder, name)),
  ]
  const read = async (file: string) => parseSources(file, await readFile(file, "utf8").catch(() => ""))
  return (await Promise.all(files.map(read))).flat()
}

/** The archive this machine installs from; undefined where there is no apt or none can be told. */
export const findArchive = async (): Promise<Archive | undefined> => {
  const release = await readFile("/etc/os-release", "utf8").catch(() => "")
  const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)`, "m").exec(release)?.[1] ?? ""
  const sources = await readAll()
  const own = [field("VERSION_CODENAME"), "testing", "unstable", ...debianSuites].filter(Boolean)
  for (const codename of own) {
    const source = archiveOf(sources, codename)
    if (source) return { source, suites: field("ID") === "debian" ? debianSuites : [codename] }
  }
  return undefined
}

export interface Package {
  readonly name: string
  readonly version: string
}

export interface Apt {
  /** What `apt-get install` of these would unpack on a machine that has nothing yet. */
  closure(names: readonly string[]): Promise<readonly Package[]>
  /** Downloads these packages, checked against the archive's signature, into a folder. */
  download(names: readonly string[], folder: string): Promise<void>
}

/** Opens the archive at one suite; rejects when the suite is not there or its signature cannot be checked. */
export const openApt = async (archive: Archive, suite: string, folder: string): Promise<Apt> => {
  const at = (name: string) => join(folder, name)
  for (const name of ["state/lists/partial", "cache/archives/partial", "sources", "none"])
    await mkdir(at(name), { recursive: true })
  await writeFile(at("status"), "")
  await writeFile(at("sources/archive.sources"), stanzaFor(archive.source, suite))
  await writeFile(at("apt.conf"), `${await acquisition()}${privateSettings(folder)}`)
  // APT_CONFIG is read before the machine's own settings, so that it can leave those, and their hooks, out.
  const env = { ...process.env, APT_CONFIG: at("apt.conf"), LC_ALL: "C" }
  await command("apt-get", ["-qq", "--error-on=any", "update"], { env, timeout: 120_000 })
  return {
    closure: async (names) => {
      const plan = await command("apt-get", ["-qq", "--simulate", "install", ...names], { env })
      return [...plan.matchAll(/^Inst (\S+) \((\S+)/gm)].map(([, name, version]) => ({
        name: name!,
        version: version!,
      }))
    },
    download: async (names, cwd) => {
      await command("apt-get", ["-qq", "download", ...names], { env, cwd, timeout: 900_000 })
    },
  }
}

/** How this machine reaches its archive (proxies, certificates) and whether it checks an index's date. Not its trust. */
const acquisition = async (): Promise<string> => {
  const dump = await command("apt-config", ["dump", "Acquire"])
  const ours = /^Acquire::(https?::|Check-Valid-Until|Check-Date|ForceIPv)/
  return dump
    .split("\n")
    .filter((line) => ours.test(line))
    .map((line) => `${line}\n`)
    .join("")
}

const privateSettings = (folder: string): string =>
  Object.entries({
    "Dir::State": join(folder, "state"),
    "Dir::State::status": join(folder, "status"),
    "Dir::Cache": join(folder, "cache"),
    "Dir::Etc::SourceList": "/dev/null",
    "Dir::Etc::SourceParts": join(folder, "sources"),
    "Dir::Etc::Main": "/dev/null",
    "Dir::Etc::Parts": join(folder, "none"),
    "Dir::Etc::Preferences": "/dev/null",
    "Dir::Etc::PreferencesParts": join(folder, "none"),
    "Debug::NoLocking": "1",
    "APT::Sandbox::User": "root",
    "APT::Install-Recommends": "0",
    "Acquire::Languages": "none",
    "Acquire::Retries": "2",
  })
    .map(([name, value]) => `${name} "${value}";\n`)
    .join("")
