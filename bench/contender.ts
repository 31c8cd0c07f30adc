// What the suite asks of everybody who takes part: a server and a client for asks, and if they can, for stored tells and
// for events and streams.
//
// Both run in a process of their own. A contender gets its best settings, and says in `settings` which those are.

/** `durable`: a quorum queue, persistent messages, acks after handling. `transient`: a classic queue, nothing persistent. */
export type Durability = "durable" | "transient"

/** How long a handler takes: no time at all, a timer of 0 to 5 ms, or one of 20 ms. */
export type Work = "none" | "0-5ms" | "20ms"

export interface AskLoad {
  readonly durability: Durability
  /** Bytes of the payload as JSON; the reply is the same payload. */
  readonly size: 32 | 1024
  readonly work: Work
  /** Actors (or queues) on the server: the client addresses them by number, from 0. */
  readonly actors: number
}

/** Where it happens: one broker, and names that no other measurement uses. */
export interface Place {
  readonly url: string
  /** Letters, digits and dashes: goes in front of every queue. */
  readonly prefix: string
}

export interface Payload {
  readonly id: number
  readonly name: string
  readonly [more: string]: unknown
}

export interface AskServer {
  readonly stop: () => Promise<void>
}

export interface AskClient {
  /** One round trip: resolves with the reply. */
  readonly ask: (actor: number, payload: Payload) => Promise<unknown>
  readonly stop: () => Promise<void>
}

export interface TellClient {
  /** Resolves when the broker has stored it. */
  readonly tell: (payload: Payload) => Promise<unknown>
  readonly stop: () => Promise<void>
}

export interface EventClient {
  /** Resolves when the broker has it for all who listen. */
  readonly emit: (payload: Payload) => Promise<unknown>
  readonly stop: () => Promise<void>
}

/** It sends until it is stopped. */
export interface ItemClient {
  readonly stop: () => Promise<void>
}

export interface Contender {
  /** As in the tables. */
  readonly name: string
  /** What was set, for docs/performance.md: one sentence with its full stop. */
  readonly settings: string
  /** Resolves once it consumes. */
  readonly serveAsks: (load: AskLoad, place: Place) => Promise<AskServer>
  readonly askClient: (load: AskLoad, place: Place) => Promise<AskClient>
  /** A quorum queue, persistent, confirmed, acked after handling; `handled` is called for each. */
  readonly serveTells?: (place: Place, handled: () => void) => Promise<AskServer>
  readonly tellClient?: (place: Place) => Promise<TellClient>
  /** So many subscribers, each of which gets every event; `handled` is called for each of theirs. */
  readonly serveEvents?: (place: Place, subscribers: number, handled: () => void) => Promise<AskServer>
  readonly eventClient?: (place: Place) => Promise<EventClient>
  /** Takes small payloads one after the other, as fast as they come; `handled` is called for each. */
  readonly serveItems?: (place: Place, handled: () => void) => Promise<AskServer>
  /** Sends them without end, but never faster than they are taken. */
  readonly itemClient?: (place: Place) => Promise<ItemClient>
}

let handled = 0

/** How many asks this process has begun to handle. */
export const handledSoFar = (): number => handled

/** What a handler does with its time; every handler calls it once. */
export const working = (work: Work): Promise<void> | undefined => {
  handled += 1
  if (work === "none") return undefined
  const ms = work === "20ms" ? 20 : Math.random() * 5
  return new Promise((resolve) => setTimeout(resolve, ms))
}
