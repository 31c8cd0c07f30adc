// Every name on the broker, built from one prefix, so that a vhost can be shared and three regular expressions grant a
// user (docs/wire.md, "Names").

import { type Address, routingKey, sharedKey } from "./address.ts"

export interface Names {
  /** Exchange (direct): asks and tells. Only mailboxes bind here, so that absence is seen. */
  readonly mail: string
  /** Exchange (direct): cancels, to every node that has a member of the address. */
  readonly control: string
  /** Exchange (direct) and queue: what could not be handled. */
  readonly dead: string
  readonly deadLetters: string
  readonly mailbox: (address: Address) => string
  /** The mailbox that actors of a domain share. */
  readonly sharedMailbox: (domain: string, name: string) => string
  readonly inbox: (node: string) => string
}

/** @param prefix the first token of every name. Default `warren`. */
export const names = (prefix = "warren"): Names => ({
  mail: `${prefix}.mail`,
  control: `${prefix}.control`,
  dead: `${prefix}.dead`,
  deadLetters: `${prefix}.dead-letters`,
  mailbox: (address) => `${prefix}.mailbox.${routingKey(address)}`,
  sharedMailbox: (domain, name) => `${prefix}.mailbox.${sharedKey(domain, name)}`,
  inbox: (node) => `${prefix}.inbox.${node}`,
})
