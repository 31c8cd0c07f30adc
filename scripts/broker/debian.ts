// A RabbitMQ from Debian's packages, unpacked into the cache folder: no root, no namespace, nothing installed.
//
// 1. The tree brings its own C library. Every Erlang program in it is started through the tree's own dynamic loader,
//    so a tree of any Debian release runs on any Linux with apt, whatever libraries that one has.
// 2. A tree appears under its final name only when it is whole: it is built beside it and renamed.
// 3. Two processes may build the same tree at once; the second to finish uses the first one's.

import { chmod, mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { type Archive, openApt } from "./apt.ts"
import { cacheFolder } from "./cache.ts"
import { command } from "./command.ts"
import { bequeath, quote, removeFolder } from "./last-will.ts"
import type { Debian } from "./source.ts"

type Progress = (line: string) => void

/** Raised when the way the tree is built changes: older trees are then left alone. */
const format = 1
const prefix = `debian-${format}-`
const manifest = "warren.json"

export const erlangOf = (root: string): string => join(root, "usr/lib/erlang")
export const sbinOf = (root: string): string => join(root, "usr/lib/rabbitmq/bin")

/** The whole trees in the cache folder. A tree that was moved is not whole: its programs name their own place. */
export const unpackedTrees = async (): Promise<readonly Debian[]> => {
  const folder = cacheFolder()
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith(prefix))
  const trees = names.map(async (name): Promise<Debian | undefined> => {
    const text = await readFile(join(folder, name, manifest), "utf8").catch(() => undefined)
    const tree = text === undefined ? undefined : (JSON.parse(text) as Debian)
    return tree?.root === join(folder, name) ? tree : undefined
  })
  return (await Promise.all(trees)).filter((tree) => tree !== undefined)
}

/** Downloads and unpacks what a suite has. Rejects when it has none, or no network, or no disk. */
export const unpack = async (archive: Archive, suite: string, progress: Progress): Promise<Debian> => {
  const folder = cacheFolder()
  await mkdir(folder, { recursive: true })
  const work = join(folder, `building-${suite}-${process.pid}-${Date.now().toString(36)}`)
  const release = bequeath(removeFolder(work))
  try {
    progress(`Asking Debian's ${suite} for rabbitmq-server ...`)
    const apt = await openApt(archive, suite, join(work, "apt"))
    const packages = await apt.closure(["rabbitmq-server"])
    const server = packages.find(({ name }) => name === "rabbitmq-server")
    if (server === undefined) throw new Error(`${suite} has no rabbitmq-server`)
    const version = upstream(server.version)
    const erlang = packages.map(({ name }) => name).filter((name) => name.startsWith("erlang-"))
    const libraries = (await apt.closure(erlang)).map(({ name }) => name).filter(isLibrary)

    progress(`Downloading RabbitMQ ${version} from Debian's ${suite} (about 50 MB) ...`)
    const debs = join(work, "debs")
    await mkdir(debs)
    await apt.download(["rabbitmq-server", ...erlang, ...libraries], debs)

    progress("Unpacking it ...")
    const built = join(work, "root")
    const root = join(folder, `${prefix}${suite}-${version}-${process.arch}`)
    await mkdir(built)
    for (const deb of await readdir(debs)) await command("dpkg-deb", ["--extract", join(debs, deb), built])
    await relocate(built, root)
    const tree: Debian = { kind: "debian", version, suite, root }
    await writeFile(join(built, manifest), JSON.stringify(tree))
    await rename(built, root).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error
    })
    return tree
  } finally {
    await rm(work, { recursive: true, force: true })
    release()
  }
}

/** `1:4.0.5-6+deb13u2` -> `4.0.5`. */
export const upstream = (debianVersion: string): string => debianVersion.replace(/^\d+:/, "").replace(/[-+~].*$/, "")

const isLibrary = (name: string): boolean => /^(lib|zlib1g)/.test(name) && !/perl|python|pam/.test(name)

/** Makes the programs under `built` work from `root`. */
const relocate = async (built: string, root: string): Promise<void> => {
  const libraries = await librariesIn(built)
  const loader = join(root, await loaderIn(built, libraries))
  const search = libraries.map((folder) => join(root, folder)).join(":")
  for (const file of await programsIn(erlangOf(built))) {
    const place = join(root, file.slice(built.length))
    const kind = await beginningOf(file)
    if (kind === "elf") {
      await rename(file, `${file}.elf`)
      const [ld, path, elf] = [loader, search, `${place}.elf`].map(quote)
      await writeFile(file, `#!/bin/sh\nexec ${ld} --library-path ${path} --argv0 "$0" ${elf} "$@"\n`)
      await chmod(file, 0o755)
    }
    if (kind === "script") {
      const script = await readFile(file, "utf8")
      await writeFile(file, script.replaceAll("/usr/lib/erlang", erlangOf(root)))
    }
  }
}

/** The folders of shared libraries: older packages use lib/<triplet>, newer ones usr/lib/<triplet>. */
const librariesIn = async (root: string): Promise<string[]> => {
  const within = async (folder: string) =>
    (await readdir(join(root, folder)).catch(() => []))
      .filter((name) => name.endsWith("-linux-gnu"))
      .map((triplet) => join(folder, triplet))
  return (await Promise.all([within("lib"), within("usr/lib")])).flat()
}

const loaderIn = async (root: string, folders: readonly string[]): Promise<string> => {
  for (const folder of folders) {
    const name = (await readdir(join(root, folder))).find((file) => /^ld-linux.*\.so\.\d+$/.test(file))
    if (name) return join(folder, name)
  }
  throw new Error("the unpacked C library has no dynamic loader")
}

const programsIn = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { withFileTypes: true })
  const inside = entries.map(async (entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return programsIn(path)
    return entry.isFile() && folder.endsWith("/bin") && !entry.name.includes(".so") ? [path] : []
  })
  return (await Promise.all(inside)).flat()
}

const beginningOf = async (path: string): Promise<"elf" | "script" | "other"> => {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0)
    const text = buffer.toString("latin1", 0, bytesRead)
    return text === "\x7fELF" ? "elf" : text.startsWith("#!") ? "script" : "other"
  } finally {
    await file.close()
  }
}
