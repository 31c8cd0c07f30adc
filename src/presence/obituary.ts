// What the broker itself tells of other nodes: which connections it has seen end. Plain data and pure functions.
//
// O1. The names of a link's connections end with its id, and beats say on which link they came: so an event concerns the
//     one node that was last heard on that link, or nobody. Events come late, twice, and of strangers; none of that does harm.
// O2. A node whose link has ended is suspect at once, never more: it may be about to come back. It is dead when the broker
//     shows it without a link `grace` later (coroner.ts), or by its silence (view.ts, V2), whichever comes first.
// O3. Nobody can publish to the exchange of the broker's events, but a queue may dead-letter into it: what died is no event.

import { revise, type Step, type View } from "./view.ts"

/** Exchange (topic) of RabbitMQ's plugin `rabbitmq_event_exchange`, in the vhost for which that is configured. */
export const eventExchange = "amq.rabbitmq.event"
/** The routing key of connections that have ended. */
export const endedKey = "connection.closed"

/** ms that a node may be without a link: a reconnect takes 100 ms to a second. */
export const grace = 2_000

/** The parts of an incoming message that are read. */
export interface BrokerEvent {
  readonly exchange: string
  readonly routingKey: string
  readonly headers: Readonly<Record<string, unknown>>
}

/** The id of the link that has ended; undefined for whatever is no such event. */
export const endedLink = ({ exchange, routingKey, headers }: BrokerEvent): string | undefined => {
  if (exchange !== eventExchange || routingKey !== endedKey || headers["x-death"] !== undefined) return undefined // O3
  // The second is its name where the plugin is told to write AMQP 1.0.
  const name = headers.user_provided_name ?? headers["x-opt-user-provided-name"]
  return typeof name === "string" ? name.slice(name.lastIndexOf(" ") + 1) : undefined
}

/** O1. @param at now, as in view.ts. */
export const cutOff = (view: View, link: string, at: number): Step & { readonly node?: string } => {
  for (const [node, { beat, standing }] of view.nodes) {
    if (beat.link !== link || node === view.self) continue
    if (standing === "cut off" || standing === "gone") break // a link is two connections
    return { ...revise(view, node, at, (before) => ({ ...before, standing: "cut off", cut: at })), node }
  }
  return { view, transitions: [] }
}

/** Whether it has been cut off since then, and no beat has told otherwise. */
export const isCutOff = ({ nodes }: View, node: string, since: number): boolean => nodes.get(node)?.cut === since

/** What the broker shows of a node that has been cut off for a while; "unknown" when it does not say. */
export type Finding = "has a link" | "has none" | "unknown"

/** O2. */
export const conclude = (view: View, node: string, at: number, finding: Finding): Step =>
  revise(view, node, at, ({ beat, heard }) => {
    switch (finding) {
      case "has a link":
        return { beat, heard, standing: "alive" }
      case "has none":
        return { beat: { ...beat, members: [] }, heard: at, standing: "gone" }
      case "unknown":
        return { beat, heard, standing: "silent" } // its beats decide
    }
  })
