// Collects what may wait a moment, so that it is done some at a time: at the latest `ms` after the first came.

export class Soon<T> {
  readonly #ms: number
  readonly #run: (things: ReadonlyArray<T>) => void
  #things: Array<T> = []
  #timer: NodeJS.Timeout | undefined

  constructor(ms: number, run: (things: ReadonlyArray<T>) => void) {
    this.#ms = ms
    this.#run = run
  }

  /** @param most of them that wait: with this one there, it is done at once. */
  add(thing: T, most: number): void {
    this.#things.push(thing)
    if (this.#things.length >= most) this.now()
    else this.#timer ??= setTimeout(() => this.now(), this.#ms)
  }

  /** Does what waits. */
  now(): void {
    this.#run(this.forget())
  }

  /** Gives up what waits. */
  forget(): ReadonlyArray<T> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const things = this.#things
    this.#things = []
    return things
  }
}
