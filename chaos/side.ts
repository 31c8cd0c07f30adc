// A link of the trial's own to the broker: looks at queues, damages them, listens to the presence of others.

import { setTimeout as delay } from "node:timers/promises"
import { Connection } from "rabbitmq-client"
import type { QueueSpec } from "../src/broker/broker.ts"
import { queueArguments } from "../src/broker/rabbitmq/topology.ts"
import { names } from "../src/wire/names.ts"

export interface Side extends AsyncDisposable {
  readonly declare: (queue: QueueSpec) => Promise<void>
  readonly purge: (queue: string) => Promise<void>
  readonly remove: (queue: string) => Promise<void>
  /** Messages that are ready; 0 when there is no such queue. */
  readonly ready: (queue: string) => Promise<number>
  /** Resolves when every queue has answered as one that serves: it can be asked for a message. */
  readonly serve: (queues: readonly string[]) => Promise<void>
  /** Counts what is published to the presence exchange from now on, by sender. */
  readonly countBeats: (prefix: string) => Promise<() => ReadonlyMap<string, number>>
  /** Deletes what a case leaves at a broker that somebody else runs; what expires is left to that. */
  readonly sweep: (prefix: string) => Promise<void>
}

const isAbsent = (error: unknown): boolean => (error as { readonly code?: unknown }).code === "NOT_FOUND"

export const openSide = async (url: string): Promise<Side> => {
  const connection = new Connection({ url, noDelay: true, retryLow: 50, retryHigh: 200, acquireTimeout: 20_000 })
  connection.on("error", () => {}) // What matters rejects.
  await connection.onConnect(20_000)

  const serve = async (queue: string): Promise<void> => {
    for (;;) {
      const channel = await connection.acquire()
      try {
        const message = await channel.basicGet({ queue, noAck: false })
        if (message) channel.basicNack({ deliveryTag: message.deliveryTag, requeue: true })
        return
      } catch {
        await delay(20) // It may be there before it serves.
      } finally {
        await channel.close().catch(() => {})
      }
    }
  }
  return {
    declare: async (spec) =>
      void (await connection.queueDeclare({ queue: spec.name, durable: true, arguments: queueArguments(spec) })),
    purge: async (queue) => void (await connection.queuePurge(queue)),
    remove: async (queue) => void (await connection.queueDelete(queue)),
    ready: (queue) =>
      connection.queueDeclare({ queue, passive: true }).then(
        ({ messageCount }) => messageCount,
        (error: unknown) => {
          if (isAbsent(error)) return 0
          throw error
        },
      ),
    serve: async (queues) => void (await Promise.all(queues.map(serve))),
    countBeats: async (prefix) => {
      const counts = new Map<string, number>()
      const channel = await connection.acquire()
      const { queue } = await channel.queueDeclare({ queue: "", exclusive: true })
      await channel.queueBind({ queue, exchange: names(prefix).presence, routingKey: "#" })
      await channel.basicConsume({ queue, noAck: true }, ({ routingKey }) =>
        counts.set(routingKey, (counts.get(routingKey) ?? 0) + 1),
      )
      return () => new Map(counts)
    },
    sweep: async (prefix) => {
      const { mail, control, presence, dead, deadLetters, mailbox, leadership } = names(prefix)
      const cliques = ["main", "one"].map((id) => ({ domain: "chaos", type: "ledger", id, major: 1 }))
      const queues = [deadLetters, ...cliques.flatMap((clique) => [mailbox(clique), leadership(clique)])]
      for (const queue of queues) await connection.queueDelete(queue)
      for (const exchange of [mail, control, presence, dead]) await connection.exchangeDelete({ exchange })
    },
    [Symbol.asyncDispose]: async () => connection.unsafeDestroy(),
  }
}
