// The routing key of an event: `KEY.EVENT[.TOPIC]`, where KEY is that of the actor that emits it. It says all that a broker
// needs to choose, and all that a subscriber is told of where an event comes from.

import { type Address, fromRoutingKey, routingKey } from "./address.ts"

export interface EventKey {
  readonly source: Address
  /** The name of the event in the protocol of its source. */
  readonly event: string
  /** Words with dots between them; "" for none. */
  readonly topic: string
}

/** Bytes of a routing key, and of a binding key. */
export const maxEventKey = 255

export const eventKey = ({ source, event, topic }: EventKey): string =>
  `${routingKey(source)}.${event}${topic === "" ? "" : `.${topic}`}`

/** Whose events of one kind: of one actor, or of all with this protocol in a domain. */
export interface EventSource extends Omit<Address, "id"> {
  /** Undefined for all. */
  readonly id: string | undefined
  readonly event: string
}

/** The pattern of the keys of all these events, but for what comes behind the event's name. */
export const sourceKey = ({ id = "*", event, ...source }: EventSource): string =>
  `${routingKey({ ...source, id })}.${event}`

/** The binding key: @param topic a pattern; "" for those without a topic. */
export const bindingKey = (source: EventSource, topic: string): string =>
  `${sourceKey(source)}${topic === "" ? "" : `.${topic}`}`

const key = /^((?:[^.]+\.){3}v\d+)\.([A-Za-z_][A-Za-z0-9_]{0,126})(?:\.(.+))?$/s

const read = (text: string): EventKey | undefined => {
  const [, actor, event, topic = ""] = key.exec(text) ?? []
  const source = actor === undefined ? undefined : fromRoutingKey(actor)
  return source === undefined || event === undefined ? undefined : { source, event, topic }
}

/** Those that were read last: an actor uses few keys, again and again. */
const remembered = new Map<string, EventKey | undefined>()
const mostRemembered = 1024

/** Undefined when `text` is no key of an event. */
export const readEventKey = (text: string): EventKey | undefined => {
  if (remembered.has(text)) return remembered.get(text)
  if (remembered.size >= mostRemembered) remembered.clear()
  const found = read(text)
  remembered.set(text, found)
  return found
}
