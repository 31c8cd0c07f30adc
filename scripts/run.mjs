// Runs a TypeScript program of this repository, and installs the dependencies first when they are missing:
//   node scripts/run.mjs examples/count-words.ts [arguments]
//
// The program runs in this very process, so its exit code, signals and terminal are its own.

import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { installDependencies, root } from "./install.mjs"

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
if (major < 20 || (major === 20 && minor < 12)) {
  console.error(`Warren needs Node 20.12 or newer; this is ${process.versions.node}. See https://nodejs.org`)
  process.exit(1)
}

const [program, ...args] = process.argv.slice(2)
if (program === undefined) {
  console.error("usage: node scripts/run.mjs <program.ts> [arguments]")
  process.exit(1)
}

installDependencies()

process.env.TSX_TSCONFIG_PATH ??= resolve(root, "tsconfig.json")
const { register } = await import("tsx/esm/api")
register()
// A program that forks itself hands process.execArgv to its children: let them read TypeScript too.
process.execArgv.push("--import", import.meta.resolve("tsx"))
const file = resolve(root, program)
process.argv = [process.execPath, file, ...args]
await import(pathToFileURL(file).href)
