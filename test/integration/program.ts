// A program in a process of its own, which a test may freeze, stop and kill. What it does it writes to a diary, a line at
// a time and synchronously, so that the last line is true whatever ended it.

import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Program extends AsyncDisposable {
  readonly signal: (signal: NodeJS.Signals) => void
  readonly ended: Promise<Ended>
  /** The lines so far. */
  readonly diary: () => ReadonlyArray<string>
  /** What it wrote to stdout and stderr so far. */
  readonly output: () => string
}

/** @param fixture a file of `fixtures/`. @param settings JSON; it gets them, with the diary's path, as its argument. */
export const startProgram = (fixture: string, settings: Readonly<Record<string, unknown>>): Program => {
  const folder = mkdtempSync(join(tmpdir(), "warren-program-"))
  const diary = join(folder, "diary")
  writeFileSync(diary, "")
  const file = fileURLToPath(new URL(`fixtures/${fixture}`, import.meta.url))
  const child = spawn(process.execPath, ["--import", "tsx", file, JSON.stringify({ ...settings, diary })], {
    stdio: ["ignore", "pipe", "pipe"],
  })
  let output = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text
    })
  }
  const ended = new Promise<Ended>((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })))
  return {
    signal: (signal) => void child.kill(signal),
    ended,
    diary: () => readFileSync(diary, "utf8").split("\n").slice(0, -1),
    output: () => output,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL")
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
