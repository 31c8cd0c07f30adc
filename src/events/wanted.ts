// What one subscriber wants: a description of events, resolved for a node. Pure.

import { createHash } from "node:crypto"
import type { Portion } from "../messaging/gathering.ts"
import type { Event } from "../protocol/message.ts"
import { majorVersion } from "../protocol/protocol.ts"
import type { Selection } from "../protocol/selection.ts"
import type { AnySubscribeOptions } from "../protocol/subscription.ts"
import { matches, wordsOf } from "../protocol/topic.ts"
import { bindingKey, type EventSource } from "../wire/event-key.ts"
import type { Headers } from "../wire/item.ts"

export interface Wanted {
  readonly source: EventSource
  /** The pattern of the keys of what is wanted. */
  readonly binding: string
  readonly options: AnySubscribeOptions
  readonly retain: Event<never>["options"]["retain"]
  /** Of the subscriber: where the names of groups and positions belong. */
  readonly domain: string
  /** Events that are handled together. */
  readonly portion: Portion
  /** Loads that are handled side by side; of a group alone. */
  readonly concurrency: number
}

export const one: Portion = { max: 1, within: 0 }

/** @param domain of the subscriber. */
export const wanted = (
  { protocol, event, domain: of, id, options }: Selection,
  domain: string,
  portion: Portion = one,
  concurrency = 1,
): Wanted => {
  const source = { domain: of ?? domain, type: protocol.name, id, major: majorVersion(protocol), event }
  const { retain } = (protocol.messages[event] as Event<never>).options
  const binding = bindingKey(source, options.topic ?? "#")
  return { source, binding, options, retain, domain, portion, concurrency }
}

/** Whether a key is one of those that are wanted. */
export const keyMatcher = ({ binding }: Pick<Wanted, "binding">): ((key: string) => boolean) => {
  const pattern = wordsOf(binding)
  return (key) => matches(pattern, wordsOf(key))
}

/** Whether the headers of an event are those that are wanted; undefined when all are. */
export const headerMatcher = ({ headers, match }: AnySubscribeOptions): ((given: Headers) => boolean) | undefined => {
  const all = Object.entries(headers ?? {})
  if (all.length === 0) return undefined
  const has = (given: Headers) => (entry: readonly [name: string, value: unknown]) =>
    Object.hasOwn(given, entry[0]) && given[entry[0]] === entry[1]
  return match === "any" ? (given) => all.some(has(given)) : (given) => all.every(has(given))
}

/** Bytes of a text that says what the filter is. */
const longest = 150

/** The filter in one line, the same for all who filter alike; "" when nothing is left out. */
export const filterText = ({ topic = "#", headers = {}, match = "all" }: AnySubscribeOptions): string => {
  const named = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1))
  const parts = named.map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  const text = [
    ...(topic === "#" ? [] : [`topic=${topic}`]),
    ...(parts.length === 0 ? [] : [`${match}(${parts.join(",")})`]),
  ].join("&")
  return Buffer.byteLength(text) <= longest ? text : `sha1=${createHash("sha1").update(text).digest("hex")}`
}
