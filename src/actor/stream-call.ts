// One stream that a client has opened, whatever face it shows: its session, the items on their way, and how it ends.
//
// K1. It ends once: with the last item, a declared error, or an `AskError`. What its own payload throws ends it, too.
// K2. It ends with what it belongs to: the handler that opened it, the cell, and the signal of the call.

import type { Job } from "../messaging/job.ts"
import type { Route } from "../messaging/route.ts"
import { asError } from "../messaging/thrown.ts"
import type { CallOptions, Outcome } from "../protocol/client.ts"
import type { CompiledStream } from "../protocol/codec.ts"
import { AskError, type AskReason, Cancelled, Rejected, TimedOut } from "../protocol/errors.ts"
import { Inlet } from "../streams/inlet.ts"
import { Outlet, Unsendable } from "../streams/outlet.ts"
import type { Session, User } from "../streams/session.ts"
import type { Outcome as WireOutcome } from "../wire/item.ts"
import type { ClientOptions } from "./client-options.ts"

/** What is called. */
export interface Target {
  readonly client: ClientOptions
  readonly to: Route
  readonly name: string
  readonly codec: CompiledStream
}

export interface StreamCallOptions {
  /** One payload; not of a stream of them. */
  readonly payload: unknown
  readonly options: CallOptions | undefined
  /** ms until somebody has to have taken it on. */
  readonly timeout: number
  readonly parent: Job | undefined
  /** Called once. */
  readonly settle: (outcome: Outcome<unknown, unknown>) => void
}

export class StreamCall {
  /** What comes; undefined where one reply is wanted. */
  readonly inlet: Inlet | undefined
  /** What goes; undefined where there is one payload. */
  outlet: Outlet | undefined
  readonly #target: Target
  readonly #settle: (outcome: Outcome<unknown, unknown>) => void
  readonly #began: number
  readonly #release: Array<() => void> = []
  #session: Session | undefined
  #isOver = false
  /** Its own end, not the far one's, has ended it: nothing that came before is wanted any more. */
  #own = false
  /** What its own payload threw. */
  #thrown: { readonly error: unknown } | undefined

  constructor(target: Target, { payload, options, timeout, parent, settle }: StreamCallOptions) {
    this.#target = target
    this.#settle = settle
    this.#began = target.client.node.now()
    const { client, to, name, codec } = target
    if (codec.down) {
      this.inlet = new Inlet({
        decode: codec.reply.decode,
        spoilt: (error) => this.#spoilt(error),
        used: (items, bytes) => this.#session?.used(items, bytes),
        left: () => this.abort(new Cancelled({})),
      })
    }
    let json: unknown
    try {
      json = codec.up ? undefined : codec.payload.encode(payload)
    } catch (error) {
      this.#fail(new Rejected({ why: asError(error).message }))
      return
    }
    if (options?.signal?.aborted || client.ended?.aborted) {
      this.#fail(new Cancelled({}))
      return
    }
    const call = { to, name, payload: json, timeout, headers: options?.headers, parent, sender: client.sender }
    client.sessions.open(call, codec, (session) => this.#use(session))
    if (this.#isOver) return
    this.#endWith(options?.signal)
    this.#endWith(client.ended)
    if (parent !== undefined) this.#endWith(parent.signal, () => this.#reasonOf(parent))
  }

  #use(session: Session): User {
    this.#session = session
    const { codec } = this.#target
    if (codec.up) this.outlet = new Outlet(session, codec.payload.encode)
    return {
      items: (items, bytes) => this.inlet?.put(items, bytes),
      complete: () => {},
      room: () => this.outlet?.wake(),
      unwanted: () => this.outlet?.close(),
      over: (outcome) => this.#over(outcome),
    }
  }

  /** K2 */
  #endWith(signal: AbortSignal | undefined, reason: () => AskReason = () => new Cancelled({})): void {
    if (signal === undefined) return
    const abort = () => this.abort(reason())
    signal.addEventListener("abort", abort, { once: true })
    this.#release.push(() => signal.removeEventListener("abort", abort))
  }

  /** A deadline is looked at every 10 ms, and may be a little early. */
  #reasonOf({ ask }: Job): AskReason {
    const now = this.#target.client.node.now()
    const isDue = ask !== undefined && ask.deadline - now < 20
    return isDue ? new TimedOut({ after: now - this.#began }) : new Cancelled({})
  }

  /** Ends it from here; the far end is told. */
  abort(reason: AskReason): void {
    if (this.#isOver) return
    this.#own = true
    if (this.#session === undefined) this.#fail(reason)
    else this.#session.abort(reason)
  }

  /** Its payload is complete. */
  complete(): void {
    this.#session?.complete()
  }

  /** Its payload threw, or holds what cannot be sent: the call ends with that. */
  throw(error: unknown): void {
    if (this.#isOver) return
    this.#thrown = { error: error instanceof Unsendable ? this.#error(new Rejected({ why: error.message })) : error }
    this.abort(new Cancelled({}))
  }

  #spoilt(error: unknown): AskError {
    const reason = new Rejected({ why: `an item is not what the protocol says: ${asError(error).message}` })
    this.abort(reason)
    return this.#error(reason)
  }

  #error(reason: AskReason): AskError {
    return new AskError({ address: `${this.#target.to}`, call: this.#target.name, reason })
  }

  #fail(reason: AskReason): void {
    this.#over({ tag: "failed", reason })
  }

  /** K1 */
  #over(outcome: WireOutcome): void {
    this.#isOver = true
    for (const release of this.#release.splice(0)) release()
    this.outlet?.close()
    const end = this.#thrown === undefined ? this.#decoded(outcome) : { ok: false as const, ...this.#thrown }
    if (end.ok) this.inlet?.complete()
    else this.inlet?.fail(end.error, this.#own)
    this.#settle(end)
  }

  #decoded(outcome: WireOutcome): Outcome<unknown, unknown> {
    if (outcome.tag === "failed") return { ok: false, error: this.#error(outcome.reason) }
    const { codec } = this.#target
    try {
      if (outcome.tag === "declared") return { ok: false, error: codec.error.decode(outcome.error) }
      return { ok: true, value: codec.down ? undefined : codec.reply.decode(outcome.value) }
    } catch (error) {
      const why = `the reply is not what the protocol says: ${asError(error).message}`
      return { ok: false, error: this.#error(new Rejected({ why })) }
    }
  }
}
