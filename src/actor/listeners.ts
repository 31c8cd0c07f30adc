// What an actor listens to, besides its mail.
//
// H1. An event takes its turn among the messages (promise 1). What its handler throws crashes the cell; the event is handled
//     again by the next one, as often as a message would be (promise 6).
// H2. A subscription outlives a crash of the cell: what comes meanwhile waits for the next one, which takes it up when it
//     listens to the same. It ends with the part that the member plays: when the member stops, or leads no longer.
// H3. All that the factory listens to is open before the first mail is handled.
// H4. A subscription that fails crashes the cell; the next one subscribes anew.

import { Context, Effect } from "effect"
import type { BrokerError } from "../broker/errors.ts"
import type { Load, Tap } from "../events/tap.ts"
import { one, type Wanted, wanted } from "../events/wanted.ts"
import type { Mailbox } from "../messaging/mailbox.ts"
import type { Node } from "../messaging/node.ts"
import { asError } from "../messaging/thrown.ts"
import { Turn } from "../messaging/turn.ts"
import { Batch } from "../protocol/batch.ts"
import type { CompiledEvent } from "../protocol/codec.ts"
import type { Selection, Source } from "../protocol/selection.ts"
import type { EventMessage } from "../protocol/subscription.ts"
import { CurrentJob, runAs } from "./current.ts"
import { codecOf } from "./event-client.ts"
import type { Needs } from "./needs.ts"
import { resultSort } from "./result.ts"
import { readable } from "./subscriber.ts"
import type { Taps } from "./taps.ts"

type Message = EventMessage<unknown>

/** What is given to `self.on`, without its types. */
export type AnyEventHandler = ((body: unknown, event: Message) => unknown) | Batch<unknown, unknown, Message>

/** What one cell listens to with one handler. */
interface Listening {
  readonly key: string
  readonly want: Wanted
  readonly codec: CompiledEvent
  readonly handler: AnyEventHandler
  tap: Tap | undefined
  /** The actor has taken it back. */
  over: boolean
}

export interface ListenersOptions {
  readonly node: Node
  readonly mailbox: Mailbox
  readonly taps: Taps
  readonly needs: Needs
  /** The cell has crashed, and is over. */
  readonly crashed: (error: unknown) => void
}

/** The listeners of one cell. */
export class Listeners {
  readonly #options: ListenersOptions
  readonly #listenings = new Set<Listening>()
  /** Handlers of what is needed, by key. */
  readonly #followers = new Map<string, Set<AnyEventHandler>>()
  #count = 0
  #context: Context.Context<never> = Context.empty()
  readonly #end = new AbortController()
  #state: "made" | "open" | "stopped" | "ended" = "made"

  constructor(options: ListenersOptions) {
    this.#options = options
  }

  /** The result takes it back. */
  readonly on = ({ selection }: Source<unknown>, handler: AnyEventHandler): (() => void) => {
    const { needs, node } = this.#options
    if (needs.has(selection) && Object.keys(selection.options).length === 0) return this.#follow(selection, handler)
    const listening = this.#listening(selection, handler)
    this.#listenings.add(listening)
    if (this.#state === "open") {
      node.run(Effect.catch(this.#open(listening), (error) => Effect.sync(() => this.#options.crashed(error))))
    }
    return () => {
      listening.over = true
      this.#listenings.delete(listening)
      listening.tap?.release()
      if (this.#state === "open") node.run(this.#options.taps.keep(this.#keys()))
    }
  }

  #listening(selection: Selection, handler: AnyEventHandler): Listening {
    const { mailbox, taps } = this.#options
    const portion = handler instanceof Batch ? handler : one
    const want = wanted(selection, taps.domain, portion, mailbox.options.concurrency)
    // The same call in the next cell gets the same key.
    const key = JSON.stringify([this.#count++, want.binding, want.options, portion.max, portion.within])
    const codec = codecOf(selection.protocol, selection.event)
    return { key, want, codec, handler, tap: undefined, over: false }
  }

  #follow(selection: Selection, handler: AnyEventHandler): () => void {
    const key = this.#options.needs.key(selection)
    const handlers = this.#followers.get(key) ?? new Set()
    this.#followers.set(key, handlers)
    handlers.add(handler)
    return () => handlers.delete(handler)
  }

  #keys(): ReadonlySet<string> {
    return new Set([...this.#listenings].map(({ key }) => key))
  }

  /** H3. @param context the services of the cell. */
  open(context: Context.Context<never>): Effect.Effect<void, BrokerError> {
    return Effect.gen({ self: this }, function* () {
      const { taps, needs } = this.#options
      this.#context = context
      yield* taps.keep(this.#keys())
      yield* Effect.forEach([...this.#listenings], (listening) => this.#open(listening), {
        concurrency: "unbounded",
        discard: true,
      })
      this.#state = "open"
      needs.follow({
        turn: (run) => this.#turn(run),
        changed: async (key, event) => {
          for (const handler of this.#followers.get(key) ?? []) await this.#guarded(() => this.#run(handler, [event]))
        },
      })
    })
  }

  #open(listening: Listening): Effect.Effect<void, BrokerError> {
    return Effect.map(this.#options.taps.get(listening.key, listening.want), (tap) => {
      if (listening.over || this.#state === "ended") return
      listening.tap = tap
      tap.ready = () => this.#drain(listening, tap)
      tap.attach()
      this.#drain(listening, tap)
    })
  }

  /** Takes nothing more: what has been taken is handled still. */
  stop(): void {
    if (this.#state !== "ended") this.#state = "stopped"
  }

  /** @param crashed the next cell goes on. */
  end(crashed: boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#state = "ended"
      this.#end.abort()
      for (const { tap } of this.#listenings) {
        if (tap === undefined) continue
        tap.ready = () => {}
        tap.release()
      }
      this.#options.needs.unfollow()
      return crashed ? Effect.void : this.#options.taps.closeAll
    })
  }

  // Events

  #drain(listening: Listening, tap: Tap): void {
    while (this.#state === "made" || this.#state === "open") {
      const load = listening.over ? undefined : tap.take()
      if (load === undefined) break
      this.#turn(() => this.#handle(listening, load))
    }
    if (tap.failure !== undefined && this.#state !== "ended") this.#options.crashed(tap.failure) // H4
  }

  #turn(run: () => Promise<void>): void {
    this.#options.mailbox.take(new Turn(run, () => this.#state !== "ended"))
  }

  async #handle({ codec, handler, over }: Listening, load: Load): Promise<void> {
    if (over) return
    const events = readable(load, codec)
    if (events.length === 0) return
    const { job } = load
    await this.#guarded(async () => {
      try {
        await (job === undefined ? this.#run(handler, events) : runAs(job, () => this.#run(handler, events, load)))
      } catch (error) {
        load.crash(asError(error))
        throw error
      }
      load.done()
    })
  }

  /** H1. Never rejects. */
  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (this.#state !== "ended") this.#options.crashed(error)
    }
  }

  async #run(handler: AnyEventHandler, events: ReadonlyArray<Message>, load?: Load): Promise<void> {
    const result = give(handler, events)
    if (resultSort(result) !== "effect") return void (await result)
    const context = Context.add(this.#context, CurrentJob, load?.job)
    const { signal } = this.#end // an Effect does not outlive its cell
    await Effect.runPromiseWith(context)(result as Effect.Effect<unknown>, { signal })
  }
}

const give = (handler: AnyEventHandler, events: ReadonlyArray<Message>): unknown => {
  if (handler instanceof Batch)
    return handler.handle(
      events.map(({ body }) => body),
      events,
    )
  const [event] = events
  return event && handler(event.body, event)
}
