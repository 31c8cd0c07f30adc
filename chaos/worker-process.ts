// A process of a trial as its parent sees it: operations that resolve or reject, signals, and an end that always comes.
//
// It is in a process group of its own, so that Ctrl-C reaches the parent alone; the last will ends it when we die.

import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { bequeath, killGroup } from "../scripts/broker/last-will.ts"
import { now } from "./clock.ts"
import type { Message, Operations, Request } from "./operations.ts"
import { until } from "./patience.ts"

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Worker extends AsyncDisposable {
  /** Rejects with what the operation threw, when the worker dies, and when there is no answer within `limit` ms. */
  readonly call: <K extends keyof Operations>(
    name: K,
    input: Parameters<Operations[K]>[0],
    limit?: number,
  ) => ReturnType<Operations[K]>
  /** Gives the moment, of the common clock, before the signal was sent. */
  readonly signal: (name: NodeJS.Signals) => number
  /** The entries of asks that it has begun and holds. */
  readonly holding: ReadonlySet<number>
  readonly alive: () => boolean
  readonly ended: Promise<Ended>
  /** What it wrote to stdout and stderr last. */
  readonly said: () => string
}

const file = fileURLToPath(new URL("./dist/worker/main.js", import.meta.url))
/** ms for the output of a worker that has ended. */
const lastWords = 20

const within = <A>(what: string, ms: number, promise: Promise<A>): Promise<A> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer within ${ms / 1000} s`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

export const startWorker = (): Worker => {
  // Not what this process was started with: a worker runs compiled code.
  const child: ChildProcess = fork(file, [], { execArgv: [], detached: true, stdio: ["ignore", "pipe", "pipe", "ipc"] })
  const release = child.pid === undefined ? () => {} : bequeath(killGroup(child.pid))
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  const holding = new Set<number>()
  let calls = 0
  let said = ""
  let gone: Error | undefined
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-4_000)
    })
  const ended = new Promise<Ended>((resolve) => {
    const end = (how: string, as: Ended) => {
      gone = new Error(`the worker ${how}`)
      release()
      resolve(as)
      setTimeout(() => {
        const error = new Error(`${gone?.message}${said && `: ${said.trim()}`}`)
        for (const { reject } of waiting.values()) reject(error)
        waiting.clear()
      }, lastWords)
    }
    child.once("error", (error) => end(`failed: ${error.message}`, { code: 1, signal: null }))
    // Not "close": it does not come when the channel was disconnected.
    child.once("exit", (code, signal) => end(`ended with ${signal ?? code}`, { code, signal }))
  })
  child.on("message", (message: Message) => {
    if (message.id === undefined) return void holding.add(message.holding)
    const call = waiting.get(message.id)
    waiting.delete(message.id)
    if (message.error === undefined) call?.resolve(message.value)
    else call?.reject(new Error(message.error))
  })

  const call = (name: keyof Operations, input: unknown, limit = 60_000): Promise<unknown> => {
    if (gone) return Promise.reject(gone)
    const id = calls++
    const answered = new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject }))
    child.send({ id, name, input } satisfies Request, (error) => {
      if (error) waiting.get(id)?.reject(error)
    })
    return within(name, limit, answered).finally(() => waiting.delete(id))
  }
  return {
    call: call as Worker["call"],
    signal: (name) => {
      const at = now()
      child.kill(name)
      return at
    },
    holding,
    alive: () => gone === undefined,
    ended,
    said: () => said,
    [Symbol.asyncDispose]: async () => {
      if (gone) return
      child.kill("SIGKILL") // It also ends what SIGSTOP has stopped.
      await until("a killed worker ends", () => gone !== undefined, { within: 10_000 })
    },
  }
}
