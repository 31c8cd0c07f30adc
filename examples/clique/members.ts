// The processes of the clique: started, killed, and started again.

import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Settings } from "./member.ts"

const program = fileURLToPath(new URL("member.ts", import.meta.url))

export class Members implements AsyncDisposable {
  readonly #settings: Omit<Settings, "name">
  readonly #say: (line: string) => void
  readonly #processes = new Map<string, ChildProcess>()

  /** @param say is told what the members say of themselves. */
  constructor(settings: Omit<Settings, "name">, say: (line: string) => void) {
    this.#settings = settings
    this.#say = say
  }

  /** Resolves once it stands by, or leads. */
  async start(name: string): Promise<void> {
    const settings: Settings = { ...this.#settings, name }
    const member = fork(program, [JSON.stringify(settings)], { stdio: ["ignore", "pipe", "inherit", "ipc"] })
    this.#processes.set(name, member)
    member.stdout?.setEncoding("utf8").on("data", (text: string) => {
      for (const line of text.split("\n")) if (line.includes(" leads, ")) this.#say(line)
    })
    await new Promise<void>((resolve, reject) => {
      member.once("message", () => resolve())
      member.once("exit", () => reject(new Error(`${name} ended before it was up`)))
    })
  }

  /** kill -9: no farewell, no clean-up. Resolves with the time at which it was killed, ms. */
  async kill(name: string): Promise<number> {
    const member = this.#processes.get(name)
    if (member === undefined) throw new Error(`there is no ${name}`)
    const ended = new Promise((resolve) => member.once("exit", resolve))
    const at = performance.now()
    member.kill("SIGKILL")
    await ended
    this.#processes.delete(name)
    return at
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ends = [...this.#processes.values()].map((member) => {
      const ended = new Promise((resolve) => member.once("exit", resolve))
      member.kill("SIGTERM")
      return ended
    })
    await Promise.all(ends)
  }
}
