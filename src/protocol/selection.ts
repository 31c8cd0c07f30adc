// Events described as a value: `events(Protocol).name(options)`.
//
// S1. A description is checked when it is made: what cannot be meant is a TypeError there, not a silence later.

import type { Emitted } from "./handlers.ts"
import type { Event, Messages } from "./message.ts"
import type { AnyProtocol } from "./protocol.ts"
import type { AnySubscribeOptions, BodyOf, EventMessage, OfOne, SubscribeOptions } from "./subscription.ts"
import { patternProblem } from "./topic.ts"

/** What a subscription describes, without its types. */
export interface Selection {
  readonly protocol: AnyProtocol
  readonly event: string
  /** Of the source; undefined for that of the subscriber. */
  readonly domain: string | undefined
  /** Of the source; undefined for all. */
  readonly id: string | undefined
  readonly options: AnySubscribeOptions
}

/** Some events, described: what `self.on` and `needs` take. @typeParam A what its subscribers get. */
export interface Source<out A> {
  readonly selection: Selection
  /** Never there: it carries the type. */
  readonly "~event"?: A
}

/** The events of a protocol, as descriptions. */
export type Sources<M extends Messages> = {
  readonly [K in Emitted<M>]: (options?: SubscribeOptions & OfOne) => Source<EventMessage<BodyOf<M[K]>>>
}

const token = /^[A-Za-z0-9_-]{1,63}$/

const wholeNumbers = ["buffer", "maxDeliveries", "capacity"] as const

/** What is wrong with the options of a subscription, or undefined. */
const problem = (event: Event<never>, options: AnySubscribeOptions & OfOne): string | undefined => {
  const { topic, group, from, resume, id } = options
  const wrongTopic = topic === undefined ? undefined : patternProblem(topic)
  if (wrongTopic !== undefined) return wrongTopic
  for (const [what, name] of Object.entries({ group, resume, id })) {
    if (name !== undefined && !token.test(name)) {
      return `${what} ${JSON.stringify(name)}: want 1 to 63 letters, digits, "_" or "-"`
    }
  }
  for (const name of wholeNumbers) {
    const value = options[name]
    if (value !== undefined && !(Number.isInteger(value) && value >= 1)) {
      return `${name} must be a whole number of at least 1, not ${value}`
    }
  }
  const replays = from !== undefined || resume !== undefined
  if (replays && group !== undefined)
    return "a group shares what is emitted: it cannot be combined with `from` or `resume`"
  if (!replays) return undefined
  if (event.options.retain === undefined) return "`from` and `resume` need an event with `retain`"
  if (event.options.retain === "last" && id === undefined)
    return "the newest event is kept for each actor: say of which, `id`"
  if (typeof from === "number" && !(Number.isSafeInteger(from) && from >= 0))
    return `from: ${from} is no number of an event`
  return from instanceof Date && Number.isNaN(from.getTime()) ? "from: an invalid Date" : undefined
}

/** @throws TypeError when it cannot be meant. */
export const selection = (
  protocol: AnyProtocol,
  event: string,
  { id, ...options }: AnySubscribeOptions & OfOne,
  domain: string | undefined,
): Selection => {
  const why = problem(protocol.messages[event] as Event<never>, { id: id!, ...options })
  if (why !== undefined) throw new TypeError(`${protocol.name}.${event}: ${why}`)
  return { protocol, event, domain, id, options }
}

/**
 * Describes events of a protocol, for `self.on` and `needs`: `events(Till).sold({ topic: "eu.#" })`. Each function throws a
 * TypeError when its options cannot be meant.
 *
 * @param where the domain of the actors that emit them. Default: that of the actor that subscribes.
 */
export const events = <P extends AnyProtocol>(
  protocol: P,
  where: { readonly domain?: string } = {},
): Sources<P["messages"]> => {
  const sources: Record<string, unknown> = Object.create(null)
  for (const name of eventsOf(protocol)) {
    sources[name] = (options: AnySubscribeOptions & OfOne = {}): Source<unknown> => ({
      selection: selection(protocol, name, options, where.domain),
    })
  }
  return sources as Sources<P["messages"]>
}

/** The names of the events of a protocol. */
export const eventsOf = (protocol: AnyProtocol): ReadonlyArray<string> =>
  Object.keys(protocol.messages).filter((name) => protocol.messages[name]?.kind === "event")
