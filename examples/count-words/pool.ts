// Asks a pool of counters, many lines at a time.
//
// P1. What is in flight is bounded, in lines and in bytes: whoever adds to it waits for `room` first.
// P2. A line whose ask ended without an answer is asked again. Counting is idempotent, so this holds even where
//     `retrySafe` is false and the line may have been counted before; its answer comes once, and only that is added.

import { setTimeout as sleep } from "node:timers/promises"
import type { AskError, CallOptions, Outcome, Ref } from "warren"
import { stumble } from "./counter.ts"
import type { Counter, Part } from "./protocol.ts"
import type { Statistics } from "./statistics.ts"

type Client = Ref<typeof Counter>

interface Worker {
  readonly client: Client
  inFlight: number
}

/** More would not be faster: one turn of the event loop fills a batch for each of a few counters. */
const mostLines = 256
const mostBytes = 4 * 1024 * 1024
/** With the pause this is half a minute of a broker that takes nothing. */
const mostTries = 60
/** ms before a line is asked again that never came as far as a counter. */
const pause = 500

/** What asking again cannot help. */
const isFinal = ({ reason }: AskError): boolean => reason._tag === "Rejected" || reason._tag === "Cancelled"

export class Pool {
  readonly #workers: ReadonlyArray<Worker>
  readonly #statistics: Statistics
  #lines = 0
  #bytes = 0
  #failure: { readonly error: unknown } | undefined
  readonly #waiting: Array<() => void> = []

  constructor(clients: ReadonlyArray<Client>, statistics: Statistics) {
    this.#workers = clients.map((client) => ({ client, inFlight: 0 }))
    this.#statistics = statistics
  }

  /** Lines and parts that are not answered yet. */
  get inFlight(): number {
    return this.#lines
  }

  get full(): boolean {
    return this.#lines >= mostLines || this.#bytes >= mostBytes
  }

  /** The words of a line. @param trip whether the counter is to crash at the first try. */
  line(text: string, trip: boolean): Promise<number> {
    return this.#insist(text, trip, (client, options) => client.line.outcome(text, options))
  }

  part(text: string, trip: boolean): Promise<Part> {
    return this.#insist(text, trip, (client, options) => client.part.outcome(text, options))
  }

  /** Resolves when there is room. @throws the first failure of a line. */
  async room(): Promise<void> {
    await this.#until(() => !this.full)
  }

  /** Resolves when every line is answered. @throws the first failure of a line. */
  async idle(): Promise<void> {
    await this.#until(() => this.#lines === 0)
  }

  async #insist<A>(
    text: string,
    trip: boolean,
    ask: (client: Client, options?: CallOptions) => Promise<Outcome<A, AskError>>,
  ): Promise<A> {
    this.#lines++
    this.#bytes += text.length
    try {
      for (let attempt = 1; ; attempt++) {
        const worker = this.#leastBusy()
        worker.inFlight++
        const outcome = await ask(worker.client, trip && attempt === 1 ? { headers: { [stumble]: true } } : undefined)
        worker.inFlight--
        if (outcome.ok) {
          this.#statistics.answered++
          return outcome.value
        }
        if (isFinal(outcome.error) || attempt === mostTries) throw outcome.error
        this.#statistics.again++
        if (outcome.error.retrySafe) await sleep(pause)
      }
    } catch (error) {
      this.#failure ??= { error }
      throw error
    } finally {
      this.#lines--
      this.#bytes -= text.length
      for (const wake of this.#waiting.splice(0)) wake()
    }
  }

  #leastBusy(): Worker {
    return this.#workers.reduce((least, worker) => (worker.inFlight < least.inFlight ? worker : least))
  }

  async #until(holds: () => boolean): Promise<void> {
    while (this.#failure === undefined && !holds()) await new Promise<void>((wake) => this.#waiting.push(wake))
    if (this.#failure !== undefined) throw this.#failure.error
  }
}
