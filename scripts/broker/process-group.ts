// A process that leads a group of its own, so that a signal reaches all that it starts; it dies with us.

import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import { bequeath, killGroup } from "./last-will.ts"

export interface Group {
  readonly alive: () => boolean
  readonly signal: (name: NodeJS.Signals) => void
  /** Resolves when the leader has ended; until then it keeps this process running. */
  readonly ended: () => Promise<void>
}

/** @param output the file to which stdout and stderr are appended */
export const startGroup = (file: string, args: readonly string[], env: NodeJS.ProcessEnv, output: string): Group => {
  const log = openSync(output, "a")
  const child: ChildProcess = spawn(file, args, { env, cwd: env.HOME, detached: true, stdio: ["ignore", log, log] })
  closeSync(log)
  const release = child.pid === undefined ? () => {} : bequeath(killGroup(child.pid))
  let alive = true
  const ended = new Promise<void>((resolve) => {
    const end = () => {
      alive = false
      release()
      resolve()
    }
    child.once("exit", end)
    child.once("error", end)
  })
  child.unref()
  const signal = (name: NodeJS.Signals) => {
    if (!alive || child.pid === undefined) return
    try {
      process.kill(-child.pid, name)
    } catch {
      // It ended in this very moment.
    }
  }
  const awaitEnd = () => {
    if (alive) child.ref()
    return ended
  }
  return { alive: () => alive, signal, ended: awaitEnd }
}
