// Runs requests, each on a channel that it has for itself: a request that fails takes its channel along, and nothing else.
//
// O1. A channel is leased to one request at a time, and lent again only if it survived.
// O2. A request without an answer means a sick link: `sick` is called, and the link is given up.

import type { Channel } from "rabbitmq-client"
import type { Connection } from "./connection.ts"
import { TimedOut } from "./deadline.ts"
import { explain } from "./refusal.ts"

/** Enough for the bursts of a start; a channel costs the broker a few processes. */
const keptIdle = 8

export class Operations {
  readonly #connection: Connection
  readonly #sick: (why: string) => void
  readonly #idle: Array<Channel> = []

  constructor(connection: Connection, sick: (why: string) => void) {
    this.#connection = connection
    this.#sick = sick
  }

  /** Rejects with a `BrokerError`. */
  async run<A>(what: string, work: (channel: Channel) => Promise<A>): Promise<A> {
    return this.guard(what, async () => {
      const channel = await this.#lease()
      const answer = await this.#connection.bounded(what, work(channel))
      if (channel.active && this.#idle.length < keptIdle) this.#idle.push(channel)
      else void channel.close()
      return answer
    })
  }

  /** Turns whatever `work` rejects with into a `BrokerError`, and notices a sick link. */
  async guard<A>(what: string, work: () => Promise<A>): Promise<A> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof TimedOut) this.#sick(error.message)
      throw explain(what, error)
    }
  }

  /** What is to be closed with the connection. */
  get channels(): ReadonlyArray<Channel> {
    return this.#idle
  }

  async #lease(): Promise<Channel> {
    for (;;) {
      const idle = this.#idle.pop()
      if (idle === undefined) return this.#connection.channel(() => {})
      if (idle.active) return idle
    }
  }
}
