// A worker as its parent sees it: operations that resolve or reject, and an end that always comes.

import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Answer, Operations, Request } from "./operations.ts"

export interface Worker extends AsyncDisposable {
  readonly pid: number
  /** Rejects with what the operation threw, when the worker dies, and when there is no answer within `limit` ms. */
  readonly call: <K extends keyof Operations>(
    name: K,
    input: Parameters<Operations[K]>[0],
    limit?: number,
  ) => ReturnType<Operations[K]>
}

const file = fileURLToPath(new URL("./worker.js", import.meta.url))
/** ms for a clean stop; then it is killed. */
const patience = 5_000
/** ms for the output of a worker that has ended. */
const lastWords = 20

const within = <A>(what: string, ms: number, promise: Promise<A>): Promise<A> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer within ${ms / 1000} s`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

export const startWorker = (nodeOptions: readonly string[] = []): Worker => {
  const child: ChildProcess = fork(file, [], { execArgv: [...nodeOptions], stdio: ["ignore", "pipe", "pipe", "ipc"] })
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  let calls = 0
  let said = ""
  let gone: Error | undefined
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-2_000)
    })
  const exited = new Promise<void>((resolve) => {
    const end = (how: string) => {
      gone = new Error(`the worker ${how}${said && `: ${said.trim()}`}`)
      for (const { reject } of waiting.values()) reject(gone)
      waiting.clear()
      resolve()
    }
    child.once("error", (error) => end(`failed: ${error.message}`))
    // Not "close": it does not come when the channel was disconnected. What a worker says as it dies comes a little later.
    child.once("exit", (code, signal) => setTimeout(end, lastWords, `ended with ${signal ?? code}`))
  })
  child.on("message", ({ id, value, error }: Answer) => {
    const call = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) call?.resolve(value)
    else call?.reject(new Error(error))
  })

  const call = (name: keyof Operations, input: unknown, limit = 60_000): Promise<unknown> => {
    if (gone) return Promise.reject(gone)
    const id = calls++
    const answered = new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject }))
    child.send({ id, name, input } satisfies Request)
    return within(name, limit, answered).finally(() => waiting.delete(id))
  }
  return {
    pid: child.pid ?? -1,
    call: call as Worker["call"],
    [Symbol.asyncDispose]: async () => {
      if (gone) return
      await call("stop", {}, patience).catch(() => {})
      if (child.connected) child.disconnect()
      const killer = setTimeout(() => child.kill("SIGKILL"), patience)
      await within("the end", 2 * patience, exited).catch(() => {})
      clearTimeout(killer)
    },
  }
}
