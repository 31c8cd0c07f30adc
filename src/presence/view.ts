// What one node knows of all: a last-writer-wins map, one entry per node. Plain data and pure functions; time comes in as
// the observer's own elapsed ms.
//
// V1. Of a node the beat with the largest sequence number counts, in whatever order and however often beats come. A goodbye
//     is a beat like any other: smaller numbers do not bring its node back, nor do they bring back one that is dead.
// V2. A node is judged by its own interval: suspect after 1.5 of them in silence, dead after 1.7, so that everybody knows
//     within two. It is suspect too when its beat says that its event loop was held up for more than half of one.
// V3. The observer does not judge itself by its silence.
// V4. What is remembered is bounded: nodes, members, and the time that a node which has gone is remembered for its number.
// V5. Of a node that is cut off (obituary.ts) only a beat on another link tells that it is not: one may have been on its way.

import { type Beat, type MemberReport, majorOf } from "../wire/beat.ts"
import { differs, type Filter, type Listed, type ListedNode, matches, type Transition } from "./listed.ts"

/** What is known of a node. */
export interface Sighting {
  /** The last one, by its number. */
  readonly beat: Beat
  /** When it came. */
  readonly heard: number
  readonly standing: "alive" | "silent" | "held up" | "cut off" | "gone"
  /** When the broker told that its link had ended, if it is "cut off". */
  readonly cut?: number
}

export interface View {
  /** The id of the observer's node. */
  readonly self: string
  readonly nodes: ReadonlyMap<string, Sighting>
}

export interface Step {
  /** The same object as before when nothing was learned. */
  readonly view: View
  readonly transitions: ReadonlyArray<Transition>
  /** There was no room for a beat (V4). */
  readonly full?: true
}

/** Intervals in silence. */
const suspectAfter = 1.5
export const deadAfter = 1.7
/** Part of an interval that an event loop may be held up. */
const heldUpAfter = 0.5
/** ms for which the number of a node that has gone is remembered. */
const memory = 60_000
/** Nodes and members in a view: who may write to the exchange cannot fill the memory of those who read (V4). */
const maxNodes = 4096
const maxMembersAtAll = 200_000

export const emptyView = (self: string): View => ({ self, nodes: new Map() })

// Learning

/** @param at now, as in every function here: the observer's elapsed ms. */
export const apply = (view: View, beat: Beat, at: number): Step => {
  const before = view.nodes.get(beat.node)
  if (before !== undefined && beat.seq <= before.beat.seq) return { view, transitions: [] } // V1
  if (isFull(view, beat)) return { view, transitions: [], full: true }
  const after = sighted(before, beat, at)
  const why = beat.bye ? "its node has stopped" : "it has stopped"
  return { view: withNode(view, after, before === undefined), transitions: transitions(before, after, at, why) }
}

const sighted = (before: Sighting | undefined, beat: Beat, heard: number): Sighting => {
  if (beat.bye) return { beat, heard, standing: "gone" }
  if (before?.standing === "cut off" && beat.link === before.beat.link) return { ...before, beat, heard } // V5
  return { beat, heard, standing: beat.lag > beat.interval * heldUpAfter ? "held up" : "alive" }
}

/** V4 */
const isFull = ({ nodes }: View, { node, members }: Beat): boolean => {
  const known = nodes.get(node)
  if (known === undefined && nodes.size >= maxNodes) return true
  let all = members.length - (known?.beat.members.length ?? 0)
  if (all <= 0) return false
  for (const { beat } of nodes.values()) all += beat.members.length
  return all > maxMembersAtAll
}

/** A newcomer is the occasion to forget who has gone long ago. */
const withNode = (view: View, sighting: Sighting, isNew: boolean): View => {
  const nodes = new Map(view.nodes)
  if (isNew) {
    for (const [node, { standing, heard }] of nodes) {
      if (standing === "gone" && sighting.heard - heard >= memory) nodes.delete(node)
    }
  }
  return { ...view, nodes: nodes.set(sighting.beat.node, sighting) }
}

/** Draws the conclusions from silence. */
export const judge = (view: View, at: number): Step => {
  const nodes = new Map(view.nodes)
  const changes: Array<Transition> = []
  for (const [node, before] of view.nodes) {
    if (node === view.self || before.standing === "gone") continue // V3
    const { interval } = before.beat
    if (at >= before.heard + interval * deadAfter) {
      const after: Sighting = { beat: { ...before.beat, members: [] }, heard: at, standing: "gone" }
      nodes.set(node, after)
      changes.push(...transitions(before, after, at, silent(before.beat, at - before.heard)))
    } else if (at >= before.heard + interval * suspectAfter && !isSilent(before)) {
      const after: Sighting = { ...before, standing: "silent" }
      nodes.set(node, after)
      changes.push(...transitions(before, after, at))
    }
  }
  return { view: { ...view, nodes }, transitions: changes }
}

/** It is suspect until a beat takes that back, or it is dead. */
const isSilent = ({ standing }: Sighting): boolean => standing === "silent" || standing === "cut off"

/** Something else than a beat tells of a node. */
export const revise = (view: View, node: string, at: number, tell: (before: Sighting) => Sighting): Step => {
  const before = view.nodes.get(node)
  if (before === undefined) return { view, transitions: [] }
  const after = tell(before)
  const why = after.standing === "gone" ? verdictOf(before, at).why : undefined
  const nodes = new Map(view.nodes).set(node, after)
  return { view: { ...view, nodes }, transitions: transitions(before, after, at, why) }
}

/** Nothing is held against anybody for the last `ms`: for so long nothing could be heard. */
export const excuse = (view: View, ms: number): View =>
  changed(view, (sighting) => ({ ...sighting, heard: sighting.heard + ms }))

/** Silence is counted from now on, and counts alone: what the broker told meanwhile is not known. */
export const restart = (view: View, at: number): View =>
  changed(view, ({ beat, standing }) => ({ beat, heard: at, standing: standing === "cut off" ? "silent" : standing }))

const changed = (view: View, change: (sighting: Sighting) => Sighting): View => {
  const nodes = new Map<string, Sighting>()
  for (const [node, sighting] of view.nodes) nodes.set(node, change(sighting))
  return { ...view, nodes }
}

/** When the silence of this node has something to say next; never, when it has gone. */
export const dueOf = (sighting: Sighting): number => {
  const { beat, heard, standing } = sighting
  if (standing === "gone") return Number.POSITIVE_INFINITY
  return heard + beat.interval * (isSilent(sighting) ? deadAfter : suspectAfter)
}

/** When `judge` has something to do next; Infinity for never. */
export const due = (view: View): number => {
  let first = Number.POSITIVE_INFINITY
  for (const [node, sighting] of view.nodes) if (node !== view.self) first = Math.min(first, dueOf(sighting))
  return first
}

// Telling

const time = (ms: number): string => (ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`)

/** For people. */
export const silent = (beat: Beat, silence: number): string => `no beat for ${time(silence)}${lastWork(beat)}`

const lastWork = ({ at, members }: Beat): string => {
  const all = members.flatMap(({ address, handling }) => handling.map((work) => ({ ...work, address })))
  const [oldest] = all.sort((a, b) => a.since - b.since)
  if (oldest === undefined) return ""
  const { message, address, since } = oldest
  return `; it was handling \`${message}\` in ${address} for ${time(Math.max(0, at - since))} then`
}

type Verdict = Pick<Listed, "health" | "why">
type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const verdictOf = ({ beat, heard, standing, cut }: Sighting, at: number): Verdict => {
  if (cut !== undefined) {
    return { health: "suspect", why: `the broker saw its connection end ${time(at - cut)} ago${lastWork(beat)}` }
  }
  if (standing === "silent") return { health: "suspect", why: silent(beat, at - heard) }
  if (standing === "held up") return { health: "suspect", why: `its event loop was blocked for ${time(beat.lag)}` }
  return { health: "alive" }
}

/** Field by field: an object that is spread and then added to costs the engine twenty times as much. */
const listed = (member: MemberReport, beat: Beat, { health, why }: Verdict): Listed => {
  const { address, version, role, epoch, state, restarts, parent, handling, waiting } = member
  const { node, host, pid } = beat
  const [domain = "", type = "", id = ""] = address.split("/")
  const own = { address, domain, type, id, version, role, epoch, state, restarts, handling, waiting }
  const full: Mutable<Listed> = Object.assign(own, { node, host, pid, health })
  if (parent !== undefined) full.parent = parent
  if (why !== undefined) full.why = why
  return full
}

/** By address and major version; a node may have several of one. */
const byKey = (members: ReadonlyArray<MemberReport>): ReadonlyMap<string, MemberReport> => {
  const keyed = new Map<string, MemberReport>()
  for (const member of members) {
    const name = `${member.address} ${majorOf(member)}`
    let key = name
    for (let nth = 2; keyed.has(key); nth++) key = `${name} ${nth}`
    keyed.set(key, member)
  }
  return keyed
}

const nobody: ReadonlyMap<string, MemberReport> = new Map()

const transitions = (
  before: Sighting | undefined,
  after: Sighting,
  at: number,
  why?: string,
): ReadonlyArray<Transition> => {
  const was = before === undefined ? nobody : byKey(before.beat.members)
  const is = byKey(after.beat.members)
  const verdict = verdictOf(after, at)
  const former = before === undefined ? verdict : verdictOf(before, at)
  const then = (member: MemberReport) => listed(member, (before ?? after).beat, former)
  const now = (member: MemberReport) => listed(member, after.beat, verdict)
  const gone = why === undefined ? {} : { why }
  const changes: Array<Transition> = []
  for (const [key, member] of was) if (!is.has(key)) changes.push({ before: then(member), ...gone })
  for (const [key, member] of is) {
    const old = was.get(key)
    if (old === undefined) changes.push({ after: now(member) })
    else if (former.health !== verdict.health || differs(old, member)) {
      changes.push({ before: then(old), after: now(member) })
    }
  }
  return changes
}

/** Those who are there, the observer's own first. */
const present = ({ self, nodes }: View): ReadonlyArray<Sighting> => {
  const all = [...nodes.values()].filter(({ standing }) => standing !== "gone")
  return all.sort((a, b) => Number(b.beat.node === self) - Number(a.beat.node === self))
}

/** @param blind why nobody but the observer's own node has been heard of lately, when that is the observer's own fault. */
export const list = (view: View, filter: Filter, at: number, blind?: string): ReadonlyArray<Listed> =>
  present(view).flatMap((sighting) => {
    const { beat } = sighting
    const verdict = verdictFor(view, sighting, at, blind)
    return beat.members.map((member) => listed(member, beat, verdict)).filter((member) => matches(filter, member))
  })

export const nodes = (view: View, at: number, blind?: string): ReadonlyArray<ListedNode> =>
  present(view).map((sighting) => {
    const { node, host, pid, startedAt, warren, interval, lag, members, omitted } = sighting.beat
    const verdict = verdictFor(view, sighting, at, blind)
    return { node, host, pid, startedAt, warren, interval, lag, ...verdict, members: members.length + omitted }
  })

const verdictFor = ({ self }: View, sighting: Sighting, at: number, blind: string | undefined): Verdict =>
  blind === undefined || sighting.beat.node === self ? verdictOf(sighting, at) : { health: "suspect", why: blind }
