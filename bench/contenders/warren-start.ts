// Starts many Warren actors in one system, and tells how long it took and what one of them weighs.
//
// A system without actors in the same process is the zero of the scales. Needs node --expose-gc.

import { Schema } from "effect"
import { Connection } from "rabbitmq-client"
import { type ActorOptions, ActorSystem, actor, ask, child, protocol, supervisor } from "warren"
import type { Place } from "../contender.ts"
import type { Started } from "../operations.ts"

export type What = "transient" | "durable" | "children"

const One = protocol("one", "1.0.0", { ask: ask({ payload: Schema.Number, reply: Schema.Number }) })
const Parent = protocol("parent", "1.0.0", { ready: ask({ reply: Schema.Boolean }) })

const echo = (options: ActorOptions) => actor(One, { ask: (payload) => payload }, options)

/** An actor that starts so many others as its children before it takes mail. */
const parentOf = (ids: readonly string[]) =>
  actor(
    Parent,
    async (self) => {
      await Promise.all(ids.map((id) => self.spawn(echo({ mailbox: "transient" }), { id })))
      return { ready: () => true }
    },
    { mailbox: "transient" },
  )

const memory = (): { readonly heap: number; readonly rss: number } => {
  if (globalThis.gc === undefined) throw new Error("run with --expose-gc")
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed, rss }
}

const calm = () => new Promise((resolve) => setTimeout(resolve, 200))

export const start = async (what: What, actors: number, place: Place): Promise<Started> => {
  const ids = Array.from({ length: actors }, (_, each) => String(each))
  const common = { domain: place.prefix, broker: place.url, signals: false, logLevel: "Error" } as const
  const empty = await ActorSystem.start(common)
  await calm()
  const before = memory()
  await empty.stop()

  const mailbox = what === "durable" ? "durable" : "transient"
  const children =
    what === "children" ? [child(parentOf(ids), { id: "all" })] : ids.map((id) => child(echo({ mailbox }), { id }))
  const from = performance.now()
  const system = await ActorSystem.start({
    ...common,
    tree: supervisor("many", {}, children),
    startTimeout: "5 minutes",
  })
  const startedMs = performance.now() - from
  await Promise.all(ids.map((id, number) => system.ref(One, id).ask(number)))
  const servedMs = performance.now() - from
  await calm()
  const after = memory()
  await system.stop()
  if (what === "durable") await remove(place, ids)
  return {
    startedMs,
    servedMs,
    heapPerActor: (after.heap - before.heap) / actors,
    rssPerActor: (after.rss - before.rss) / actors,
    rss: after.rss,
  }
}

const remove = async (place: Place, ids: readonly string[]): Promise<void> => {
  const connection = new Connection({ url: place.url })
  for (const id of ids) await connection.queueDelete({ queue: `warren.mailbox.${place.prefix}.one.${id}.v1` })
  await connection.close()
}
