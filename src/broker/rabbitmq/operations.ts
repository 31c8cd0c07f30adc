// Runs requests, each on a channel that it has for itself: a request that fails takes its channel along, and nothing else.
//
// O1. A channel is leased to one request at a time, and lent again only if it survived.
// O2. A request without an answer means a sick link: `sick` is called, and the link is given up.
// O3. RabbitMQ from 4.0 does not say that the node of a classic queue is down: it goes on trying for a minute, in silence.
//     So a request about a queue counts as refused (`Inaccessible`) when nothing is heard of it while the broker answers
//     another one; soon, where that has happened already. It is left to itself then, and so is its channel: were both ends
//     to close that at once, the client library would give up the connection. No more than `mostLeft` are left so.

import type { Channel } from "rabbitmq-client"
import { Inaccessible } from "../errors.ts"
import type { Connection } from "./connection.ts"
import { TimedOut } from "./deadline.ts"
import { explain } from "./refusal.ts"

/** Enough for the bursts of a start; a channel costs the broker a few processes. */
const keptIdle = 8
/** ms of silence, for the first and for those after it (O3). */
const patience = { first: 1_000, later: 100 }
const mostLeft = 256

/** What it needs of a connection. */
export type RequestConnection = Pick<Connection, "channel" | "bounded">

export class Operations {
  readonly #connection: RequestConnection
  readonly #sick: (why: string) => void
  readonly #idle: Array<Channel> = []
  /** Requests that were left to themselves. */
  #left = 0

  constructor(connection: RequestConnection, sick: (why: string) => void) {
    this.#connection = connection
    this.#sick = sick
  }

  /** Rejects with a `BrokerError`. */
  run<A>(what: string, work: (channel: Channel) => Promise<A>): Promise<A> {
    return this.guard(what, async () => this.#connection.bounded(what, this.#request(await this.#lease(), work)))
  }

  /** The same for a request about a queue, whose node may be down (O3). */
  about<A>(what: string, work: (channel: Channel) => Promise<A>): Promise<A> {
    return this.guard(what, async () => {
      if (this.#left >= mostLeft) throw new Inaccessible({ what, why: `it says nothing of ${mostLeft} other queues` })
      return this.#unlessSilent(what, this.#request(await this.#lease(), work))
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

  /** However late the answer comes, the channel may be lent again then. */
  #request<A>(channel: Channel, work: (channel: Channel) => Promise<A>): Promise<A> {
    const answer = work(channel)
    const giveBack = () => {
      if (channel.active && this.#idle.length < keptIdle) this.#idle.push(channel)
      else void channel.close()
    }
    answer.then(giveBack, () => {})
    return answer
  }

  /** O3 */
  async #unlessSilent<A>(what: string, answer: Promise<A>): Promise<A> {
    const ms = this.#left === 0 ? patience.first : patience.later
    let timer: NodeJS.Timeout | undefined
    const silent = new Promise<never>((_, reject) => {
      const leave = () => {
        const back = () => void this.#left--
        this.#left++
        answer.then(back, back)
        const why = `it said nothing for ${ms} ms and answered others, as it does while the node of a queue is down`
        reject(new Inaccessible({ what, why }))
      }
      // What keeps the other request from being answered ends this one as well.
      timer = setTimeout(() => void this.#ask().then(leave, () => {}), ms)
    })
    try {
      return await Promise.race([this.#connection.bounded(what, answer), silent])
    } finally {
      clearTimeout(timer)
    }
  }

  /** A request that changes nothing, and that the broker can answer by itself. */
  #ask(): Promise<unknown> {
    return this.run("answer a request", (channel) => channel.basicQos({ prefetchCount: 0 }))
  }

  async #lease(): Promise<Channel> {
    for (;;) {
      const idle = this.#idle.pop()
      if (idle === undefined) return this.#connection.channel(() => {})
      if (idle.active) return idle
    }
  }
}
