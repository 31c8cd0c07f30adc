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
  /** Queue: the reminders of an actor; who consumes it keeps them. */
  readonly reminders: (address: Address) => string
  /** Queue. @param generation counts from 1, and grows when the broker cannot give back the last one. */
  readonly inbox: (node: string, generation: number) => string
  /** Queue: the beats of all nodes, for a node that watches them. @param nth counts from 1: there is one for each link. */
  readonly beats: (node: string, nth: number) => string
  /** Exchange (topic): events. */
  readonly events: string
  /** Queue: the events that somebody on a node has subscribed to. @param life counts from 1. */
  readonly eventsOf: (node: string, life: number) => string
  /** Queue: the events that the subscribers of a group share. @param source a `sourceKey`. */
  readonly group: (domain: string, name: string, source: string) => string
  /** Stream: events that are kept. @param source a `sourceKey`. */
  readonly retained: (source: string) => string
  /** Queue: how far somebody has read of a stream. @param source a `sourceKey`. */
  readonly position: (domain: string, name: string, source: string) => string
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
  reminders: (address) => `${prefix}.remind.${routingKey(address)}`,
  inbox: (node, generation) => `${prefix}.inbox.${node}.${generation}`,
  beats: (node, nth) => `${prefix}.presence.${node}.${nth}`,
  events: `${prefix}.events`,
  eventsOf: (node, life) => `${prefix}.events.${node}.${life}`,
  group: (domain, name, source) => `${prefix}.group.${domain}.${name}.${source}`,
  retained: (source) => `${prefix}.retained.${source}`,
  position: (domain, name, source) => `${prefix}.position.${domain}.${name}.${source}`,
})
