// Runs one command to its end and gives what it printed.

import { execFile } from "node:child_process"

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Milliseconds until it is killed; none by default. */
  readonly timeout?: number
}

/** A command that failed, with what it printed last. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed"
}

/** The standard output of a command; rejects with CommandFailed when it cannot start or does not exit with 0. */
export const command = (file: string, args: readonly string[], options: CommandOptions = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile(file, args, { maxBuffer: 64 * 1024 * 1024, ...options }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout)
      const said = (stderr.trim() || stdout.trim() || error.message).split("\n").slice(-12).join("\n")
      reject(new CommandFailed(`${file} ${args[0] ?? ""} failed: ${said}`, { cause: error }))
    })
  })
