// The checks that need no broker, as data: each is a name and the programs that must all exit with 0.

import { join } from "node:path"
import { root, tool } from "./program.ts"

export interface Check {
  readonly name: string
  readonly programs: readonly (readonly [file: string, ...args: string[]])[]
}

const node = process.execPath
const faces = ["warren", "warren/effect", "warren/testing", "warren/actors/dead-letters"]
const command = "dist/cli/main.js"

export const checks: readonly Check[] = [
  { name: "lint and format", programs: [[tool("biome"), "check", "--error-on-warnings"]] },
  { name: "types", programs: [[tool("tsc"), "--noEmit", "-p", root]] },
  {
    name: "layers",
    programs: [
      [tool("depcruise"), "--config", ".dependency-cruiser.cjs", "src", "actors", "examples", "test", "scripts"],
    ],
  },
  {
    name: "build",
    programs: [
      [node, "-e", "fs.rmSync('dist', { recursive: true, force: true })"],
      [tool("tsc"), "-p", "tsconfig.build.json"],
      [tool("tsc"), "-p", "tsconfig.actors.json"],
      [node, "--input-type=module", "-e", faces.map((face) => `await import("${face}")`).join(";")],
      [node, "-e", `fs.chmodSync("${command}", 0o755)`],
      [join(root, command), "--help"],
    ],
  },
  {
    name: "package",
    programs: [
      [tool("publint"), "--strict"],
      [tool("attw"), "--pack", ".", "--profile", "esm-only"],
    ],
  },
]
