// One process of a measurement, a server or a client: does what its parent tells it by IPC, one thing after the other.

import { performance } from "node:perf_hooks"
import type { AskClient, AskServer, EventClient, ItemClient, TellClient } from "./contender.ts"
import { handledSoFar } from "./contender.ts"
import { loadContender } from "./contenders/index.ts"
import { closedLoop, type Loop, openLoop } from "./loops.ts"
import type { Answer, Measured, Operations, Request, Usage } from "./operations.ts"
import { payloadOf } from "./payload.ts"

let server: AskServer | undefined
let client: AskClient | TellClient | EventClient | ItemClient | undefined
/** What the client does again and again. */
let call: (caller: number) => Promise<unknown> = () => Promise.reject(new Error("not connected"))
let counted = 0
let loop: Loop | undefined

const usage = (): Usage => {
  const { user, system } = process.cpuUsage()
  return {
    at: performance.now() / 1000,
    cpuSeconds: (user + system) / 1e6,
    rss: process.memoryUsage.rss(),
    busySeconds: performance.eventLoopUtilization().active / 1000,
    handled: handledSoFar() + counted,
  }
}

/** The loop before must have come to its end, or it would be measured too. */
const measure = async (begin: () => Loop): Promise<Measured> => {
  await loop?.drained
  const before = usage()
  loop = begin()
  const result = await loop.result
  return { loop: result, before, after: usage() }
}

const offers = <A>(name: string, part: A | undefined): A => {
  if (part === undefined) throw new Error(`${name} does not offer this`)
  return part
}

const count = (): void => {
  counted += 1
}

const operations: Operations = {
  serveAsks: async ({ contender, load, place }) => {
    const { name, settings, serveAsks } = await loadContender(contender)
    server = await serveAsks(load, place)
    return { name, settings }
  },
  serveTells: async ({ contender, place }) => {
    const { name, settings, serveTells } = await loadContender(contender)
    server = await offers(name, serveTells)(place, count)
    return { name, settings }
  },
  serveEvents: async ({ contender, place, subscribers }) => {
    const { name, settings, serveEvents } = await loadContender(contender)
    server = await offers(name, serveEvents)(place, subscribers, count)
    return { name, settings }
  },
  connectForAsks: async ({ contender, load, place }) => {
    const { name, settings, askClient } = await loadContender(contender)
    const asks = await askClient(load, place)
    client = asks
    const payloads = Array.from({ length: 1024 }, (_, id) => payloadOf(load.size, id))
    call = async (caller) => {
      const payload = payloads[caller % payloads.length]!
      const reply = (await asks.ask(caller % load.actors, payload)) as { readonly id?: unknown } | undefined
      if (reply?.id !== payload.id) throw new Error(`wrong reply: ${JSON.stringify(reply)}`)
    }
    return { name, settings }
  },
  connectForTells: async ({ contender, place }) => {
    const { name, settings, tellClient } = await loadContender(contender)
    const tells = await offers(name, tellClient)(place)
    client = tells
    const payload = payloadOf(32, 1)
    call = () => tells.tell(payload)
    return { name, settings }
  },
  connectForEvents: async ({ contender, place }) => {
    const { name, settings, eventClient } = await loadContender(contender)
    const events = await offers(name, eventClient)(place)
    client = events
    const payload = payloadOf(32, 1)
    call = () => events.emit(payload)
    return { name, settings }
  },
  serveItems: async ({ contender, place }) => {
    const { name, settings, serveItems } = await loadContender(contender)
    server = await offers(name, serveItems)(place, count)
    return { name, settings }
  },
  connectForItems: async ({ contender, place }) => {
    const { name, settings, itemClient } = await loadContender(contender)
    client = await offers(name, itemClient)(place)
    call = () => new Promise((resolve) => setTimeout(resolve, 10)) // it flows by itself
    return { name, settings }
  },
  closed: ({ callers, ms }) => measure(() => closedLoop(call, callers, ms)),
  open: ({ rate, ms }) => measure(() => openLoop(call, rate, ms)),
  usage: () => Promise.resolve(usage()),
  start: async ({ what, actors, place }) => (await import("./contenders/warren-start.ts")).start(what, actors, place),
  stop: async () => {
    await loop?.drained
    await client?.stop()
    await server?.stop()
  },
}

const answer = (message: Answer): void => void process.send?.(message)

process.on("message", ({ id, name, input }: Request) => {
  const operation = operations[name] as (input: unknown) => Promise<unknown>
  operation(input).then(
    (value) => answer({ id, value }),
    (error: unknown) => answer({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
process.on("disconnect", () => process.exit())
