// The last will of this process: what a shell does when this process has ended, however it ended (kill -9, a closed
// terminal, a crash), so that no broker and no private folder outlives it.
//
// 1. The shell is in a session of its own: neither Ctrl-C nor a hang-up reaches it.
// 2. Each line it reads is a whole will and replaces the one before; a line cut off by our death does not count.
// 3. Its input ends when we end, and only then it acts.
// 4. What was added last is done first: a process ends before the folder it works in goes.

import { type ChildProcess, spawn } from "node:child_process"
import type { Socket } from "node:net"

const executor = 'while IFS= read -r line; do will=$line; done; eval "$will"'

const bequests = new Set<string>()
let shell: ChildProcess | undefined

const write = () => {
  if (shell === undefined) {
    shell = spawn("/bin/sh", ["-c", executor], { detached: true, stdio: ["pipe", "ignore", "ignore"], cwd: "/" })
    shell.on("error", () => {})
    shell.unref()
    const input = shell.stdin as Socket
    input.on("error", () => {})
    input.unref()
  }
  shell.stdin!.write(`${[...bequests].reverse().join("; ")}\n`)
}

/** Adds a shell command to the will; call what it returns to take it out again. */
export const bequeath = (shellCommand: string): (() => void) => {
  bequests.add(shellCommand)
  write()
  return () => {
    if (bequests.delete(shellCommand)) write()
  }
}

export const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

export const killGroup = (pid: number): string => `kill -KILL -${pid}`

/** Tried twice: a process that dies in this moment may still write a file. */
export const removeFolder = (path: string): string =>
  `{ rm -rf ${quote(path)} || { sleep 1; rm -rf ${quote(path)}; }; }`
