// What the registry tells of members: how they are listed, which of them are asked for, and what is a change. Pure.
//
// L1. Filters are exact: `proj` is not `proj2`, and what is not said matches everything.
// L2. How much a member has to do, and a leader's epoch, which grows with each renewal, change all the time and are no
//     change: who wants to know lists. A new term is one, by its role or state.

import type { MemberReport, Role } from "../wire/beat.ts"

export type Health = "alive" | "suspect"

/** A member as its node's last beat told of it. */
export interface Listed extends MemberReport {
  readonly domain: string
  readonly type: string
  readonly id: string
  /** The id of its node. */
  readonly node: string
  readonly host: string
  readonly pid: number
  /** Of its node. */
  readonly health: Health
  /** Why it is suspect, for people. */
  readonly why?: string
}

export interface ListedNode {
  readonly node: string
  readonly host: string
  readonly pid: number
  /** ms since the epoch, by its own clock. */
  readonly startedAt: number
  /** Its version of Warren. */
  readonly warren: string
  /** ms between its beats. */
  readonly interval: number
  /** The longest time that its event loop was held up between its last two beats, ms. */
  readonly lag: number
  readonly health: Health
  /** Why it is suspect, for people. */
  readonly why?: string
  /** How many there are, those included for which its beat had no room (beyond 2048). */
  readonly members: number
}

/** All that is said must be so. */
export interface Filter {
  readonly domain?: string
  readonly type?: string
  readonly id?: string
  /** Of the protocol: `major.minor.patch`. */
  readonly version?: string
  readonly role?: Role
  /** The id of a node. */
  readonly node?: string
}

const fields = ["domain", "type", "id", "version", "role", "node"] as const satisfies ReadonlyArray<keyof Filter>

/** L1 */
export const matches = (filter: Filter, member: Listed): boolean =>
  fields.every((field) => filter[field] === undefined || filter[field] === member[field])

/** For people: `type "worker", role "leader"`. */
export const describe = (filter: Filter): string => {
  const said = fields.filter((field) => filter[field] !== undefined)
  return said.length === 0 ? "anything" : said.map((field) => `${field} ${JSON.stringify(filter[field])}`).join(", ")
}

/** A member before and after something was heard, or not heard, of its node; one of the two may be missing. */
export interface Transition {
  readonly before?: Listed
  readonly after?: Listed
  /** Why it is gone, for people. */
  readonly why?: string
}

/** What a watcher is told. `why` is for people, and set when somebody is suspect or has left. */
export type Change =
  | { readonly kind: "joined"; readonly member: Listed }
  /** Another version, role, state, restart count or parent; or it is not suspect any more. */
  | { readonly kind: "changed"; readonly member: Listed; readonly before: Listed }
  /** Its node has not been heard of for longer than it should, or was held up; it may be back soon. */
  | { readonly kind: "suspect"; readonly member: Listed; readonly why: string }
  /** As it was last. It has gone, or does not match the filter any more. */
  | { readonly kind: "left"; readonly member: Listed; readonly why: string }

const telling = ["version", "role", "state", "restarts", "parent"] as const

/** L2 */
export const differs = (before: MemberReport, after: MemberReport): boolean =>
  telling.some((field) => after[field] !== before[field])

/** What a transition is to a watcher with this filter; undefined when it is nothing (L2). */
export const changeFor = (filter: Filter, { before, after, why }: Transition): Change | undefined => {
  const was = before !== undefined && matches(filter, before) ? before : undefined
  const is = after !== undefined && matches(filter, after) ? after : undefined
  if (is === undefined) {
    return was && { kind: "left", member: was, why: why ?? `it is not ${describe(filter)} any more` }
  }
  if (was === undefined) return { kind: "joined", member: is }
  if (is.health === "suspect" && was.health === "alive") return { kind: "suspect", member: is, why: is.why ?? "" }
  return was.health !== is.health || differs(was, is) ? { kind: "changed", member: is, before: was } : undefined
}
