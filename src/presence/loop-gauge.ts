// How long the event loop of this process was held up, at the longest.
//
// `monitorEventLoopDelay` of node:perf_hooks would wake the process up to a hundred times a second to fill a histogram that
// nobody reads. One number that is a little too small is enough here, and a few looks per interval give it: the measure is
// short by at most the time between two of them.

/** ms between two looks. */
const longest = 250
const shortest = 10
const looksPerInterval = 20

export class LoopGauge {
  readonly #every: number
  #timer: NodeJS.Timeout | undefined
  #looked = 0
  #max = 0

  /** @param interval ms in which a few looks are taken. */
  constructor(interval: number) {
    this.#every = Math.max(shortest, Math.min(longest, interval / looksPerInterval))
  }

  start(): void {
    this.stop()
    this.#looked = performance.now()
    this.#timer = setInterval(() => this.#look(), this.#every)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#max = 0
  }

  /** ms since the last `reset`, a look that is overdue included. */
  get read(): number {
    return this.#timer === undefined ? 0 : Math.max(this.#max, this.#late())
  }

  reset(): void {
    this.#max = 0
    this.#looked = performance.now()
  }

  #late(): number {
    return Math.max(0, Math.round(performance.now() - this.#looked - this.#every))
  }

  #look(): void {
    this.#max = Math.max(this.#max, this.#late())
    this.#looked = performance.now()
  }
}
