// What has come through a stream and is not taken yet: for programs that take one item after the other, and for Effects,
// which take an array at a time.
//
// I1. Items come out as they went in, then the end: completion or a failure. Who leaves early gets nothing more.
// I2. What was taken is reported, so that the far end may send more: an array of them, when its last item is taken; to who
//     takes whole arrays, when he comes back for the next.
// I3. Items that are there do not starve the event loop: who takes many of them in a row waits for its next turn now and
//     then.

import { Cause, Effect, Stream } from "effect"

export interface InletOptions {
  /** A value of the wire to one of the program. */
  readonly decode: (json: unknown) => unknown
  /** What `decode` threw, as the failure to end with. The rest is dropped, and nothing more is wanted. */
  readonly spoilt: (error: unknown) => unknown
  /** So much has been taken. */
  readonly used: (items: number, bytes: number) => void
  /** Who took left before the end. */
  readonly left: () => void
}

interface Portion {
  readonly items: ReadonlyArray<unknown>
  readonly bytes: number
  /** Items of it that were taken. */
  taken: number
}

type Ending = { readonly error: unknown } | "complete"

interface Waiter {
  readonly resolve: (result: IteratorResult<unknown>) => void
  readonly reject: (error: unknown) => void
}

/** ms for which items may be taken one after the other in one turn of the event loop. */
const longestTurn = 5

const done: IteratorResult<never> = { done: true, value: undefined }

export class Inlet implements AsyncIterableIterator<unknown> {
  /** The same as an Effect Stream. Both take from one store. */
  readonly stream: Stream.Stream<unknown, unknown>
  /** What a handler is given of it. */
  readonly incoming: AsyncIterable<unknown> & Pick<Inlet, "stream">
  readonly #options: InletOptions
  readonly #portions: Array<Portion> = []
  /** Given out as a whole, and not reported. */
  #out: Portion | undefined
  #ending: Ending | undefined
  #waiting: Array<Waiter> = []
  #wake: (() => void) | undefined
  /** When the first item of this turn was taken; undefined when none was. */
  #turnBegan: number | undefined

  constructor(options: InletOptions) {
    this.#options = options
    const leave = Effect.sync(() => this.#leave())
    this.stream = Stream.unwrap(
      Effect.as(
        Effect.addFinalizer(() => leave),
        Stream.fromPull(Effect.succeed(this.#pull)),
      ),
    )
    this.incoming = { stream: this.stream, [Symbol.asyncIterator]: () => this }
  }

  // What comes

  put(items: ReadonlyArray<unknown>, bytes: number): void {
    if (this.#ending !== undefined) return
    this.#portions.push({ items, bytes, taken: 0 })
    this.#serve()
  }

  /** No more will come. */
  complete(): void {
    this.#end("complete")
  }

  /** @param now at once, before what is there. */
  fail(error: unknown, now: boolean): void {
    if (now && this.#ending === undefined) this.#drop()
    this.#end({ error })
  }

  #end(ending: Ending): void {
    if (this.#ending !== undefined) return
    this.#ending = ending
    this.#serve()
  }

  #serve(): void {
    this.#wake?.()
    while (this.#waiting.length > 0) {
      const [next] = this.#waiting
      try {
        const result = this.#take()
        if (result === undefined) return
        this.#waiting.shift()
        next?.resolve(result)
      } catch (error) {
        this.#waiting.shift()
        next?.reject(error)
      }
    }
  }

  // One after the other

  next(): Promise<IteratorResult<unknown>> {
    if (this.#waiting.length === 0) {
      try {
        const result = this.#take()
        if (result !== undefined) return this.#paced(result)
      } catch (error) {
        return Promise.reject(error)
      }
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  return(): Promise<IteratorResult<unknown>> {
    this.#leave()
    return Promise.resolve(done)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Undefined when it has to be waited for. Throws the failure, once. */
  #take(): IteratorResult<unknown> | undefined {
    const portion = this.#portions[0]
    if (portion === undefined) return this.#ended()
    const json = portion.items[portion.taken++]
    if (portion.taken === portion.items.length) {
      this.#portions.shift()
      this.#options.used(portion.items.length, portion.bytes)
    }
    try {
      return { done: false, value: this.#options.decode(json) }
    } catch (error) {
      this.#spoil(error)
      return this.#ended()
    }
  }

  #ended(): IteratorResult<unknown> | undefined {
    const ending = this.#ending
    if (ending === undefined) return undefined
    this.#ending = "complete"
    if (ending === "complete") return done
    throw ending.error
  }

  /** I3 */
  #paced(result: IteratorResult<unknown>): Promise<IteratorResult<unknown>> {
    const now = performance.now()
    if (this.#turnBegan === undefined) {
      this.#turnBegan = now
      setImmediate(() => {
        this.#turnBegan = undefined
      })
    } else if (now - this.#turnBegan > longestTurn) {
      return new Promise((resolve) => setImmediate(() => resolve(result)))
    }
    return Promise.resolve(result)
  }

  // An array at a time

  readonly #pull: Effect.Effect<readonly [unknown, ...Array<unknown>], unknown> = Effect.suspend(() => {
    this.#report()
    const portion = this.#portions.shift()
    if (portion !== undefined) return this.#whole(portion)
    const ending = this.#ending
    if (ending === "complete") return Cause.done()
    if (ending !== undefined) return Effect.fail(ending.error)
    return Effect.callback<readonly [unknown, ...Array<unknown>], unknown>((resume) => {
      this.#wake = () => {
        this.#wake = undefined
        resume(this.#pull)
      }
      return Effect.sync(() => {
        this.#wake = undefined
      })
    })
  })

  #whole(portion: Portion): Effect.Effect<readonly [unknown, ...Array<unknown>], unknown> {
    const values: Array<unknown> = []
    this.#out = portion
    try {
      for (let i = portion.taken; i < portion.items.length; i++) values.push(this.#options.decode(portion.items[i]))
    } catch (error) {
      this.#spoil(error)
    }
    const [first, ...rest] = values
    return values.length === 0 ? this.#pull : Effect.succeed([first, ...rest])
  }

  /** I2 */
  #report(): void {
    const out = this.#out
    this.#out = undefined
    if (out !== undefined) this.#options.used(out.items.length, out.bytes)
  }

  // Early ends

  #leave(): void {
    const early = this.#ending === undefined
    this.#drop()
    this.#ending = "complete"
    this.#serve()
    if (early) this.#options.left()
  }

  #spoil(error: unknown): void {
    this.#drop()
    this.#ending = { error: this.#options.spoilt(error) }
  }

  #drop(): void {
    this.#portions.length = 0
    this.#out = undefined
  }
}
