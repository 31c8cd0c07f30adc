// Installs the dependencies when node_modules is not what package-lock.json says. Needs nothing but Node and npm.
//
// 1. npm writes node_modules/.package-lock.json as its last step: it is the stamp of a whole, finished install.
// 2. Nothing is touched when the stamp agrees with the lock, so every script may call this first.
// 3. The versions are the lock's. `npm ci` would refuse a lock that was written where the registry had no binaries for
//    other platforms; `npm install --no-save` adds those of this platform and leaves the lock as it is.

import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** True when every package of the lock is installed in its version; optional ones may be absent (other platforms). */
export const satisfies = (lock, stamp) =>
  Object.entries(lock.packages).every(([path, wanted]) => {
    if (path === "") return true
    const found = stamp.packages[path]
    return found === undefined ? wanted.optional === true : found.version === wanted.version
  })

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"))

const installed = (folder) => {
  try {
    return satisfies(
      readJson(join(folder, "package-lock.json")),
      readJson(join(folder, "node_modules/.package-lock.json")),
    )
  } catch {
    return false
  }
}

/** Installs in a folder if it is needed; ends the process with npm's own exit code when that fails. */
export const installDependencies = (folder = root) => {
  if (installed(folder)) return
  const started = Date.now()
  const lock = relative(root, join(folder, "package-lock.json"))
  console.log(`Installing the dependencies that ${lock} names (first run) ...`)
  const npm = process.env.npm_execpath
  const args = ["install", "--no-save", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"]
  const options = { cwd: folder, stdio: "inherit" }
  const { status, error } = npm?.endsWith(".js")
    ? spawnSync(process.execPath, [npm, ...args], options)
    : spawnSync("npm", args, { ...options, shell: process.platform === "win32" })
  if (status !== 0) {
    console.error(
      `npm install failed${error ? `: ${error.message}` : ""}. The registry must be reachable the first time.`,
    )
    process.exit(status ?? 1)
  }
  if (!installed(folder)) {
    console.error(`npm installed something else than ${lock} says. Delete node_modules beside it and try again.`)
    process.exit(1)
  }
  console.log(`Dependencies installed in ${((Date.now() - started) / 1000).toFixed(1)} s.`)
}
