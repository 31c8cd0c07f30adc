// What goes into a stream: values of the program, as long as there is credit for them.
//
// O1. A value is written down when it is given: what its owner does to it afterwards does not change what is sent.
// O2. Who makes values without end gives way to the rest of the process now and then.

import { writeJson } from "../wire/json.ts"
import type { Session } from "./session.ts"

/** ms for which values may be made one after the other in one turn of the event loop. */
const longestTurn = 5

/** A value that its slot does not allow, or that is not JSON. */
export class Unsendable extends Error {
  override readonly name = "Unsendable"
}

export class Outlet {
  readonly #session: Session
  readonly #encode: (value: unknown) => unknown
  readonly #waiting: Array<() => void> = []
  #turnBegan: number | undefined
  #closed = false
  #onClose: (() => void) | undefined

  /** @param encode a value of the program to one of JSON. */
  constructor(session: Session, encode: (value: unknown) => unknown) {
    this.#session = session
    this.#encode = encode
  }

  /** Nobody wants any more of it. */
  get isClosed(): boolean {
    return this.#closed
  }

  /** Whether a value may be made now. */
  get isReady(): boolean {
    return !this.#closed && this.#session.hasRoom && !this.#isTired
  }

  /** O2 */
  get #isTired(): boolean {
    return this.#turnBegan !== undefined && performance.now() - this.#turnBegan > longestTurn
  }

  /** Calls back once, when it may be ready, or is closed. */
  wait(look: () => void): void {
    if (this.#closed) return look()
    this.#waiting.push(look)
    if (this.#session.hasRoom) void this.#session.turnEnd.then(this.wake)
    else this.#session.waitForRoom()
  }

  /** There may be room, or the turn is over. */
  readonly wake = (): void => {
    for (const look of this.#waiting.splice(0)) look()
  }

  /** @param value made while it was ready. @throws Unsendable */
  send(value: unknown): void {
    if (this.#closed) return
    const text = this.#write(value)
    if (this.#turnBegan === undefined) {
      this.#turnBegan = performance.now()
      void this.#session.turnEnd.then(() => {
        this.#turnBegan = undefined
      })
    }
    this.#session.offer(text)
  }

  /** O1 */
  #write(value: unknown): string {
    try {
      return writeJson(this.#encode(value)) ?? "null"
    } catch (error) {
      throw new Unsendable(`an item is not what the protocol says: ${error instanceof Error ? error.message : error}`)
    }
  }

  /** @param closed called once, when nobody wants any more of it; now, if that is so already. */
  onClose(closed: () => void): void {
    if (this.#closed) closed()
    else this.#onClose = closed
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#onClose?.()
    this.wake()
  }
}
