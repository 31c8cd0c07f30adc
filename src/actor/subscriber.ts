// How a program subscribes: a tap is opened, and what it gives is decoded.
//
// B1. Opening ends: with the tap, or with an `AskError` at the latest after `askTimeout`.
// B2. What does not fit its slot is put aside by the tap, and never reaches a subscriber (promise 7).

import { Effect, type Scope } from "effect"
import type { BrokerError } from "../broker/errors.ts"
import type { Load, Taken, Tap } from "../events/tap.ts"
import { one, wanted } from "../events/wanted.ts"
import type { Portion } from "../messaging/gathering.ts"
import type { CompiledEvent } from "../protocol/codec.ts"
import { AskError, type AskReason, Disconnected, Rejected } from "../protocol/errors.ts"
import type { Headers } from "../protocol/handlers.ts"
import type { Selection } from "../protocol/selection.ts"
import type { EventMessage } from "../protocol/subscription.ts"
import type { ClientOptions } from "./client-options.ts"

export type Subscribing = Pick<ClientOptions, "node" | "events" | "askTimeout" | "ended">

/** A subscription, before it is opened. */
export class Subscriber {
  readonly #client: Subscribing
  readonly #selection: Selection
  readonly #codec: CompiledEvent
  readonly #portion: Portion

  constructor(client: Subscribing, selection: Selection, codec: CompiledEvent, portion: Portion = one) {
    this.#client = client
    this.#selection = selection
    this.#codec = codec
    this.#portion = portion
  }

  get selection(): Selection {
    return this.#selection
  }

  /** Aborts when nobody is left who could take anything. */
  get ended(): AbortSignal | undefined {
    return this.#client.ended
  }

  inBatches(portion: Portion): Subscriber {
    return new Subscriber(this.#client, this.#selection, this.#codec, portion)
  }

  /** B1. Until the Scope closes. */
  get open(): Effect.Effect<Tap, AskError, Scope.Scope> {
    const { node, events, askTimeout } = this.#client
    const late = () => {
      const why = node.connection.trouble ?? `the broker did not answer within ${askTimeout} ms`
      return Effect.fail(this.failure(new Disconnected({ why, sent: false })))
    }
    return Effect.suspend(() => {
      if (node.stopping) {
        return Effect.fail(this.failure(new Disconnected({ why: "the system is stopping", sent: false })))
      }
      return events.tap(wanted(this.#selection, events.domain, this.#portion)).pipe(
        Effect.mapError((error) => this.failure(reasonOf(error))),
        Effect.timeoutOrElse({ duration: askTimeout, orElse: late }),
        Effect.tap((tap) => Effect.sync(() => tap.attach())),
      )
    })
  }

  /** What of it can be read; when that is nothing, the load is done. */
  read(load: Load): ReadonlyArray<EventMessage<unknown>> {
    return readable(load, this.#codec)
  }

  failure(reason: AskReason): AskError {
    const { protocol, event, domain = this.#client.events.domain, id = "*" } = this.#selection
    return new AskError({ address: `${domain}/${protocol.name}/${id}`, call: event, reason })
  }
}

const reasonOf = (error: BrokerError): AskReason =>
  error._tag === "Refused"
    ? new Rejected({ why: error.message })
    : new Disconnected({ why: error.message, sent: false })

const none: Headers = Object.freeze({})

/** B2. When nothing is left, the load is done. */
export const readable = (load: Load, { body }: CompiledEvent): ReadonlyArray<EventMessage<unknown>> => {
  const messages = load.taken.flatMap((taken) => {
    const read = taken.event.body(body)
    if (read.ok) return [messageOf(taken, read.value)]
    load.refuse(taken, `${taken.event.key.event}: ${read.why}`)
    return []
  })
  if (messages.length === 0) load.done()
  return messages
}

const messageOf = ({ event, attempt, dropped, gap }: Taken, body: unknown): EventMessage<unknown> => ({
  body,
  source: event.source,
  topic: event.key.topic,
  headers: event.item.headers ?? none,
  messageId: event.messageId,
  at: event.at,
  epoch: event.item.epoch,
  attempt,
  offset: event.offset,
  dropped,
  gap,
})
