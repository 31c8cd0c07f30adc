// A hard bound on a promise of the client library: several of them never settle when the socket dies at the wrong time.

/** What did not happen in time. The peer is sick or gone; whether it did the work is not known. */
export class TimedOut extends Error {
  override readonly name = "TimedOut"

  constructor(what: string, ms: number) {
    super(`no answer within ${ms} ms to: ${what}`)
  }
}

/**
 * Follows `promise`, but rejects with `TimedOut` after `ms`. While `frozen()` holds the clock does not run out: a blocked
 * connection answers nothing, and that is no fault.
 */
export const within = <A>(ms: number, what: string, promise: Promise<A>, frozen?: () => boolean): Promise<A> =>
  new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout
    const arm = () => {
      timer = setTimeout(() => (frozen?.() ? arm() : reject(new TimedOut(what, ms))), ms)
    }
    arm()
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
