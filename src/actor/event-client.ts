// The functions of a client that subscribe to events.

import { Cause, Effect, type Scope, Stream } from "effect"
import type { Load } from "../events/tap.ts"
import type { Portion } from "../messaging/gathering.ts"
import { type BatchOptions, batch } from "../protocol/batch.ts"
import { type CompiledEvent, compiled } from "../protocol/codec.ts"
import type { AskError } from "../protocol/errors.ts"
import type { AnyProtocol } from "../protocol/protocol.ts"
import { eventsOf, type Selection, selection } from "../protocol/selection.ts"
import type {
  AnySubscribeOptions,
  EffectSubscriptions,
  EventMessage,
  OfOne,
  OpenSubscription,
  Subscription,
  Subscriptions,
} from "../protocol/subscription.ts"
import type { Address } from "../wire/address.ts"
import type { ClientOptions } from "./client-options.ts"
import { EventLoop } from "./event-loop.ts"
import { Subscriber, type Subscribing } from "./subscriber.ts"

type Message = EventMessage<unknown>
type Messages = ReadonlyArray<Message>
type Options = AnySubscribeOptions & OfOne

/** Checks what a batch may be. @throws RangeError */
const portionOf = (options: BatchOptions): Portion => {
  const { max, within } = batch(options, () => {})
  return { max, within }
}

const first = ([message]: Messages): Message => message!
const all = (messages: Messages): Messages => messages

// Promises

class EventSubscription implements Subscription<Message> {
  readonly selection: Selection
  readonly #subscriber: Subscriber

  constructor(subscriber: Subscriber) {
    this.selection = subscriber.selection
    this.#subscriber = subscriber
  }

  readonly open = (): Promise<OpenSubscription<Message>> => new EventLoop(this.#subscriber, first).open()

  readonly batches: Subscription<Message>["batches"] = (options) => {
    const together = this.#subscriber.inBatches(portionOf(options))
    return {
      open: () => new EventLoop(together, all).open(),
      [Symbol.asyncIterator]: () => new EventLoop(together, all),
    }
  };

  [Symbol.asyncIterator](): EventLoop<Message> {
    return new EventLoop(this.#subscriber, first)
  }
}

/** Of one actor. */
export const promiseEvent =
  (client: ClientOptions, protocol: AnyProtocol, name: string, codec: CompiledEvent) =>
  (options: AnySubscribeOptions = {}): Subscription<Message> =>
    new EventSubscription(ofOne(client, protocol, name, codec, options))

/** Of all actors with a protocol in a domain, or of some of them. */
export const promiseEvents = <P extends AnyProtocol>(
  client: Subscribing,
  protocol: P,
  domain: string,
): Subscriptions<P["messages"]> =>
  each(protocol, (name, codec) => (options: Options = {}) => {
    const selected = selection(protocol, name, options, domain)
    return new EventSubscription(new Subscriber(client, selected, codec))
  }) as Subscriptions<P["messages"]>

// Effects

const streamOf = <A>(
  subscriber: Subscriber,
  pick: (messages: Messages) => A,
): Effect.Effect<Stream.Stream<A, AskError>, AskError, Scope.Scope> =>
  Effect.map(subscriber.open, (tap) => {
    let load: Load | undefined
    const next = Effect.callback<readonly [A], AskError | Cause.Done>((resume) => {
      const look = () => {
        for (load = tap.take(); load !== undefined; load = tap.take()) {
          const messages = subscriber.read(load)
          if (messages.length > 0) return resume(Effect.succeed([pick(messages)]))
        }
        if (!tap.ended) return
        resume(tap.failure === undefined ? Cause.done() : Effect.fail(subscriber.failure(tap.failure)))
      }
      tap.ready = look
      look()
      return Effect.sync(() => {
        tap.ready = () => {}
      })
    })
    return Stream.fromPull(
      Effect.succeed(
        Effect.suspend(() => {
          load?.done() // the next is wanted: so the last is done
          load = undefined
          return next
        }),
      ),
    )
  })

const effectFunction = (make: (options: Options) => Subscriber) => {
  const open = (options: Options = {}) => Effect.suspend(() => streamOf(make(options), first))
  const batches = (together: BatchOptions, options: Options = {}) =>
    Stream.unwrap(Effect.suspend(() => streamOf(make(options).inBatches(portionOf(together)), all)))
  return Object.assign((options?: Options) => Stream.unwrap(open(options)), { open, batches })
}

/** Of one actor. */
export const effectEvent = (client: ClientOptions, protocol: AnyProtocol, name: string, codec: CompiledEvent) =>
  effectFunction((options) => ofOne(client, protocol, name, codec, options))

/** Of all actors with a protocol in a domain, or of some of them. */
export const effectEvents = <P extends AnyProtocol>(
  client: Subscribing,
  protocol: P,
  domain: string,
): EffectSubscriptions<P["messages"]> =>
  each(protocol, (name, codec) =>
    effectFunction((options) => new Subscriber(client, selection(protocol, name, options, domain), codec)),
  ) as EffectSubscriptions<P["messages"]>

const ofOne = (
  client: ClientOptions,
  protocol: AnyProtocol,
  name: string,
  codec: CompiledEvent,
  options: AnySubscribeOptions,
): Subscriber => {
  const { domain, id }: Address = client.to
  return new Subscriber(client, selection(protocol, name, { ...options, id }, domain), codec)
}

const each = (protocol: AnyProtocol, make: (name: string, codec: CompiledEvent) => unknown): unknown =>
  Object.assign(
    Object.create(null),
    Object.fromEntries(eventsOf(protocol).map((name) => [name, make(name, codecOf(protocol, name))])),
  )

/** @param name of an event of the protocol. */
export const codecOf = (protocol: AnyProtocol, name: string): CompiledEvent =>
  compiled(protocol).get(name) as CompiledEvent
