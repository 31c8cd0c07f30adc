// A subscription as an async iterator.
//
// I1. Asking for the next says that the last is done. Who leaves instead leaves it undone: it goes back to its group.
// I2. It ends when it is left, when its actor or its system stops, and with an error when it fails; whoever waits is told.

import { Effect, Exit, Scope } from "effect"
import type { Load, Tap } from "../events/tap.ts"
import type { EventMessage, OpenSubscription } from "../protocol/subscription.ts"
import type { Subscriber } from "./subscriber.ts"

type Messages = ReadonlyArray<EventMessage<unknown>>
type Result<A> = IteratorResult<A, undefined>

/** Somebody who has asked for the next. */
interface Waiter<A> {
  readonly resolve: (result: Result<A>) => void
  readonly reject: (error: unknown) => void
}

const over: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** @typeParam A one event, or those that are handled together. */
export class EventLoop<A> implements OpenSubscription<A> {
  readonly #subscriber: Subscriber
  readonly #pick: (messages: Messages) => A
  readonly #scope = Scope.makeUnsafe()
  #opening: Promise<void> | undefined
  #tap: Tap | undefined
  #load: Load | undefined
  #closing: Promise<void> | undefined
  #serving = false
  /** In the order in which they asked. */
  readonly #waiters: Array<Waiter<A>> = []

  constructor(subscriber: Subscriber, pick: (messages: Messages) => A) {
    this.#subscriber = subscriber
    this.#pick = pick
  }

  /** Rejects with an `AskError`. */
  async open(): Promise<this> {
    await this.#open()
    return this
  }

  next(): Promise<Result<A>> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
      if (this.#tap !== undefined || this.#isOver) this.#serve()
      else this.#open().catch((error) => this.#fail(error))
    })
  }

  async return(): Promise<Result<A>> {
    await this.close()
    return over
  }

  readonly close = (): Promise<void> => {
    this.#closing ??= this.#close()
    return this.#closing
  };

  [Symbol.asyncIterator](): this {
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #isOver(): boolean {
    return this.#closing !== undefined || this.#subscriber.ended?.aborted === true
  }

  #open(): Promise<void> {
    this.#opening ??= this.#start()
    return this.#opening
  }

  async #start(): Promise<void> {
    this.#subscriber.ended?.addEventListener("abort", this.close, { once: true })
    const opening = Effect.provideService(this.#subscriber.open, Scope.Scope, this.#scope)
    const left = Effect.onError(opening, () => Scope.close(this.#scope, Exit.void)) // what it had begun goes with it
    const tap = await Effect.runPromise(left)
    this.#tap = tap
    tap.ready = () => this.#serve()
    this.#serve()
  }

  #serve(): void {
    if (this.#serving) return // being done with one may make the next one ready: the loop below goes on, not the stack
    this.#serving = true
    this.#serveAll()
    this.#serving = false
  }

  #serveAll(): void {
    for (let waiter = this.#waiters[0]; waiter !== undefined; waiter = this.#waiters[0]) {
      if (this.#isOver) return this.#end()
      this.#load?.done() // I1
      this.#load = undefined
      const load = this.#tap?.take()
      const messages = load === undefined ? [] : this.#subscriber.read(load)
      if (messages.length > 0) {
        this.#load = load
        this.#waiters.shift()
        waiter.resolve({ done: false, value: this.#pick(messages) })
      } else if (this.#tap?.ended === true) return this.#end()
      else if (load === undefined) return
    }
  }

  /** I2. */
  #end(): void {
    const failure = this.#isOver ? undefined : this.#tap?.failure
    if (failure !== undefined) this.#waiters.shift()?.reject(this.#subscriber.failure(failure))
    void this.close()
    for (const { resolve } of this.#waiters.splice(0)) resolve(over)
  }

  #fail(error: unknown): void {
    for (const { reject } of this.#waiters.splice(0)) reject(error)
  }

  async #close(): Promise<void> {
    this.#subscriber.ended?.removeEventListener("abort", this.close)
    for (const { resolve } of this.#waiters.splice(0)) resolve(over)
    await this.#opening?.catch(() => {})
    await Effect.runPromise(Scope.close(this.#scope, Exit.void))
  }
}
