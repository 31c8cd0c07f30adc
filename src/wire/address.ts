// Addresses: who is called. `domain/type/id`, and the major version of the protocol that is spoken there.

import { type AnyProtocol, majorVersion } from "../protocol/protocol.ts"

/** Letters, digits, `_` and `-`; 1 to 63 of them, so that a name built of four tokens fits an AMQP short string. */
const token = /^[A-Za-z0-9_-]{1,63}$/
export const isToken = (text: string): boolean => token.test(text)

export interface Address {
  readonly domain: string
  /** The protocol's name. */
  readonly type: string
  readonly id: string
  /** The major version of the protocol. */
  readonly major: number
}

/** Of the actor with this protocol and id. */
export const addressOf = (domain: string, protocol: AnyProtocol, id: string): Address => ({
  domain,
  type: protocol.name,
  id,
  major: majorVersion(protocol),
})

/** `domain/type/id`, as people read it; the major version is part of the broker's names only. */
export const format = (address: Address): string => `${address.domain}/${address.type}/${address.id}`

/** `domain.type.id.vMAJOR`: the routing key of its mailbox. */
export const routingKey = (address: Address): string =>
  `${address.domain}.${address.type}.${address.id}.v${address.major}`

/** `domain.name`: the routing key of a mailbox queue that actors of a domain share. Never that of an actor. */
export const sharedKey = (domain: string, name: string): string => `${domain}.${name}`

/** What is wrong with the tokens of an address, or undefined. */
export const invalid = (address: Address): string | undefined => {
  for (const part of ["domain", "type", "id"] as const) {
    if (!isToken(address[part])) {
      return `${part} ${JSON.stringify(address[part])} of an address must be 1 to 63 letters, digits, "_" or "-"`
    }
  }
  return Number.isInteger(address.major) && address.major >= 0
    ? undefined
    : `major version ${address.major} must be a whole number`
}

/** `type/id.vMAJOR`: what an actor is called among those of one domain in one process. */
export const localName = (protocol: AnyProtocol, id: string): string =>
  `${protocol.name}/${id}.v${majorVersion(protocol)}`

const key = /^([A-Za-z0-9_-]{1,63})\.([A-Za-z0-9_-]{1,63})\.([A-Za-z0-9_-]{1,63})\.v(0|[1-9]\d{0,8})$/

/** The other way: undefined when `text` is no routing key of a mailbox. */
export const fromRoutingKey = (text: string): Address | undefined => {
  const [, domain, type, id, major] = key.exec(text) ?? []
  return domain === undefined || type === undefined || id === undefined
    ? undefined
    : { domain, type, id, major: Number(major) }
}
