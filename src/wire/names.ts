// Every name on the broker, built from one prefix, so that a vhost can be shared and three regular expressions grant a
// user (docs/wire.md, "Names").

import { type Address, routingKey, sharedKey } from "./address.ts"

export interface Names {
  /** Exchange (direct): asks and tells. Only mailboxes bind here, so that absence is seen. */
  readonly mail: string
  /** Exchange (direct): cancels, to every node that has a member of the address. */
  readonly control: string
  /** Exchange (topic): what nodes say of themselves, and the question who is there. */
  readonly presence: string
  /** Exchange (direct) and queue: what could not be handled. */
  readonly dead: string
  readonly deadLetters: string
  readonly mailbox: (address: Address) => string
  /** The mailbox that actors of a domain share. */
  readonly sharedMailbox: (domain: string, name: string) => string
  /** Queue: the token of a `single` clique; who holds it leads. */
  readonly leadership: (address: Address) => string
  readonly inbox: (node: string) => string
  /** Queue: the beats of all nodes, for a node that watches them. */
  readonly beats: (node: string) => string
}

/** @param prefix the first token of every name. Default `warren`. */
export const names = (prefix = "warren"): Names => ({
  mail: `${prefix}.mail`,
  control: `${prefix}.control`,
  presence: `${prefix}.presence`,
  dead: `${prefix}.dead`,
  deadLetters: `${prefix}.dead-letters`,
  mailbox: (address) => `${prefix}.mailbox.${routingKey(address)}`,
  sharedMailbox: (domain, name) => `${prefix}.mailbox.${sharedKey(domain, name)}`,
  leadership: (address) => `${prefix}.lead.${routingKey(address)}`,
  inbox: (node) => `${prefix}.inbox.${node}`,
  beats: (node) => `${prefix}.presence.${node}`,
})
