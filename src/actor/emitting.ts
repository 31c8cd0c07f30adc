// How an actor emits the events of its protocol.

import { Effect } from "effect"
import type { Events } from "../events/events.ts"
import type { Sender } from "../messaging/calls.ts"
import type { Job } from "../messaging/job.ts"
import { asError } from "../messaging/thrown.ts"
import { compiled } from "../protocol/codec.ts"
import { AskError, Rejected } from "../protocol/errors.ts"
import type { Emitted } from "../protocol/handlers.ts"
import type { Event, Messages } from "../protocol/message.ts"
import type { AnyProtocol } from "../protocol/protocol.ts"
import type { Sent } from "../protocol/slot.ts"
import type { Address } from "../wire/address.ts"
import { currentJob, jobOf } from "./current.ts"
import type { EmitOptions, Self } from "./self.ts"

type Emit = (
  name: string,
  body: unknown,
  options: EmitOptions | undefined,
  parent: Job | undefined,
  settle: (error: AskError | undefined) => void,
) => void

export interface EmitterOptions {
  readonly events: Events
  readonly protocol: AnyProtocol
  readonly address: Address
  readonly sender: Sender
  /** ms. */
  readonly timeout: number
}

/** By the `self` of an actor. */
const emitters = new WeakMap<object, Emit>()

const emitter = ({ events, protocol, address, sender, timeout }: EmitterOptions): Emit => {
  const messages = compiled(protocol)
  return (name, body, options = {}, parent, settle) => {
    const fail = (reason: AskError["reason"]) => settle(new AskError({ address: sender.address, call: name, reason }))
    const codec = messages.get(name)
    if (codec?.kind !== "event")
      return fail(new Rejected({ why: `${protocol.name} has no event ${JSON.stringify(name)}` }))
    let payload: unknown
    try {
      payload = codec.body.encode(body)
    } catch (error) {
      return fail(new Rejected({ why: asError(error).message }))
    }
    const { retain, plain = false } = (protocol.messages[name] as Event<never>).options
    const { topic = "", headers } = options
    const source = { ...address, event: name }
    events.emit(
      {
        key: { source: address, event: name, topic },
        payload,
        headers,
        epoch: sender.epoch,
        plain: plain || retain !== undefined,
        retained: retain === undefined ? undefined : events.restore(source, retain),
        timeout,
        parent,
      },
      (reason) => (reason === undefined ? settle(undefined) : fail(reason)),
    )
  }
}

/** Gives an actor its `emit`. */
export const withEmit = <S extends object>(self: S, options: EmitterOptions): S & Pick<Self<{}>, "emit"> => {
  const emit = emitter(options)
  const emitting = Object.assign(self, {
    emit: (name: string, body: unknown, more?: EmitOptions) =>
      new Promise<void>((resolve, reject) => {
        emit(name, body, more, currentJob(), (error) => (error === undefined ? resolve() : reject(error)))
      }),
  })
  emitters.set(emitting, emit)
  return emitting
}

/**
 * `self.emit` for Effect code: on behalf of the message that the fiber handles, so that this is acked when the broker has
 * the event.
 */
export const emit = <M extends Messages, K extends Emitted<M> & string>(
  self: Self<M>,
  name: K,
  body: M[K] extends Event<infer B> ? Sent<B> : never,
  options?: EmitOptions,
): Effect.Effect<void, AskError> =>
  Effect.withFiber((fiber) =>
    Effect.callback((resume) => {
      emitters.get(self)?.(name, body, options, jobOf(fiber), (error) =>
        resume(error === undefined ? Effect.void : Effect.fail(error)),
      )
    }),
  )
