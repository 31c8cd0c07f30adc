// Runs a program of this repository to its end, with its output shown as it comes or kept for later.

import { spawn } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bequeath, killGroup } from "../broker/last-will.ts"

export const root = fileURLToPath(new URL("../../", import.meta.url))

/** A program that a dependency brings. */
export const tool = (name: string): string => join(root, "node_modules/.bin", name)

export interface Ended {
  readonly code: number
  readonly output: string
}

export interface ProgramOptions {
  readonly env?: Record<string, string>
  /** Show the output instead of keeping it. */
  readonly show?: boolean
  /** Kill it, with all it started, after so many ms; it has then ended with code 124. Default: 5 minutes. */
  readonly limit?: number
}

/**
 * Never rejects: a program that cannot start has ended with code 127. It leads a process group, so that a worker that
 * spins for ever is killed with it, at its limit or when we end.
 */
export const program = (file: string, args: readonly string[], options: ProgramOptions = {}): Promise<Ended> =>
  new Promise((resolve) => {
    const { show = false, limit = 300_000 } = options
    const out = show ? "inherit" : "pipe"
    const plain: Record<string, string> = process.stdout.isTTY ? {} : { NO_COLOR: "1" }
    const env = { ...process.env, ...plain, ...options.env }
    const child = spawn(file, args, { cwd: root, env, detached: true, stdio: ["ignore", out, out] })
    const { pid } = child
    if (pid === undefined) return void child.once("error", (error) => resolve({ code: 127, output: error.message }))
    const release = bequeath(killGroup(pid))
    let late = false
    let output = ""
    const impatient = setTimeout(() => {
      late = true
      process.kill(-pid, "SIGKILL")
    }, limit)
    child.stdout?.setEncoding("utf8").on("data", (text) => (output += text))
    child.stderr?.setEncoding("utf8").on("data", (text) => (output += text))
    child.once("close", (code) => {
      clearTimeout(impatient)
      release()
      if (late) resolve({ code: 124, output: `${output}\nit did not end within ${limit / 1000} s` })
      else resolve({ code: code ?? 1, output })
    })
  })
