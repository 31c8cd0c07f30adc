// What people see of a run: everything goes through here, so that `--json` and a pipe get nothing else.

import type { Crash, Statistics } from "./statistics.ts"

export interface DisplayOptions {
  readonly write: (text: string) => void
  /** A line that is written over and over; otherwise a line every few seconds. */
  readonly terminal: boolean
  readonly colours: boolean
}

export interface Progress {
  readonly statistics: Statistics
  readonly inFlight: number
  /** Bytes of all files together; 0 when it is not known. */
  readonly size: number
}

/** ms between two looks at the progress. */
const interval = { terminal: 100, plain: 3_000 }

const thousands = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })
const number = (value: number): string => thousands.format(value)

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)

export const progressLine = ({ statistics, inFlight, size }: Progress, perSecond: number): string => {
  const { bytes, answered, crashes } = statistics
  const part = size === 0 ? "" : `${String(Math.min(100, Math.floor((bytes / size) * 100))).padStart(3)}%  `
  const restarts = crashes.filter(({ restartedAfter }) => restartedAfter !== undefined).length
  return (
    `${part}${megabytes(bytes)}${size === 0 ? "" : ` of ${megabytes(size)}`} MB, ${number(answered)} lines answered, ` +
    `${number(inFlight)} in flight, ${number(perSecond)} asks/s, ${restarts} ${restarts === 1 ? "restart" : "restarts"}`
  )
}

export class Display {
  readonly #options: DisplayOptions
  #onLine = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: DisplayOptions) {
    this.#options = options
  }

  line(text = ""): void {
    this.#clear()
    this.#options.write(`${text}\n`)
  }

  heading(text: string): void {
    this.line(this.#paint("1", text))
  }

  crashed({ address, why }: Crash): void {
    this.line(`${this.#paint("31", "crash")}    ${address}: ${why}`)
  }

  restarted(address: string, incarnation: number, after: number): void {
    this.line(
      `${this.#paint("32", "restart")}  ${address} is back after ${Math.round(after)} ms, as incarnation ${incarnation}`,
    )
  }

  /** Shows the progress from time to time, until `finish`. */
  follow(progress: () => Progress): void {
    let answered = 0
    let at = performance.now()
    const look = () => {
      const now = performance.now()
      const { statistics } = progress()
      const perSecond = ((statistics.answered - answered) / (now - at)) * 1000
      answered = statistics.answered
      at = now
      this.#show(progressLine(progress(), perSecond))
    }
    this.#timer = setInterval(look, this.#options.terminal ? interval.terminal : interval.plain)
  }

  finish(): void {
    clearInterval(this.#timer)
    this.#clear()
  }

  #show(text: string): void {
    if (!this.#options.terminal) return this.line(text)
    this.#clear()
    this.#options.write(text)
    this.#onLine = true
  }

  #clear(): void {
    if (this.#onLine) this.#options.write("\r\x1b[2K")
    this.#onLine = false
  }

  #paint(code: string, text: string): string {
    return this.#options.colours ? `\x1b[${code}m${text}\x1b[0m` : text
  }
}
