// The beat: what a node says of itself and of its members, once per interval, to whoever listens; and the goodbye, which
// is its last. JSON with the AMQP routing key `beat.NODE`; docs/wire.md is the reference.
//
// T1. Whatever a member reports, the beat that is written can be read: texts are cut, numbers brought into range, and what
//     is beyond the bounds is counted in `omitted`.
// T2. Reading checks the type and the size of every field, builds new objects, and never throws. A field that is wrong
//     costs the whole beat: half a truth about a node would be taken for the whole.
// T3. A beat is believed only under the routing key of its node. Fields that a newer version adds are ignored.

import { isToken } from "./address.ts"
import { readJson } from "./json.ts"
import { isMalformed, type Malformed, malformed } from "./malformed.ts"

/** What a member is in its clique. "member": one of a shared clique. */
export type Role = "member" | "leader" | "standby"

/** A message that is being handled. */
export interface Handling {
  /** Its name in the protocol. */
  readonly message: string
  /** ms since the epoch, by the clock of the member's node. */
  readonly since: number
}

/** What a member says of itself. */
export interface MemberReport {
  /** `domain/type/id`. */
  readonly address: string
  /** Of its protocol: `major.minor.patch`. */
  readonly version: string
  readonly role: Role
  /** Of a leader's term; 0 where there is none. */
  readonly epoch: number
  /** The phase of its life: `running`, `standby`, `leading.running`, `draining` ... */
  readonly state: string
  /** How often its cell was started again. */
  readonly restarts: number
  /** The address of the actor that spawned it. */
  readonly parent?: string
  /** Oldest first; some of them, when there are many. */
  readonly handling: ReadonlyArray<Handling>
  /** Messages in hand that wait for their turn. */
  readonly waiting: number
}

export interface Beat {
  /** The id of the node. */
  readonly node: string
  /** Grows with every beat of the node. */
  readonly seq: number
  /** ms between two beats of the node; each may come a tenth sooner or later. */
  readonly interval: number
  /** When it was sent, ms since the epoch, by the node's clock. */
  readonly at: number
  readonly host: string
  readonly pid: number
  /** ms since the epoch. */
  readonly startedAt: number
  /** The version of Warren. */
  readonly warren: string
  /** The id of the link that it was sent on, which the names of the link's connections end with; unless the node is older. */
  readonly link?: string
  /** The queue from which the node takes what is for itself, while it has that link; unless the node is older. */
  readonly inbox?: string
  /** The longest time that the node's event loop was held up since its last beat, ms. */
  readonly lag: number
  /** The node has stopped: this is its last beat, and it has no members. */
  readonly bye: boolean
  readonly members: ReadonlyArray<MemberReport>
  /** Members for which there was no room. */
  readonly omitted: number
}

export const beatType = "application/vnd.warren.beat.v1+json"
/** The routing key of the question who is there; its body is empty. */
export const whoKey = "who"
export const beatKey = (node: string): string => `beat.${node}`
/** The binding key of all beats. */
export const beatPattern = "beat.*"

/** Members in one beat, and messages that one of them is said to handle. */
export const maxMembers = 2048
export const maxHandling = 4
/** ms. Nobody is waited for twice that long. */
export const minInterval = 10
export const maxInterval = 600_000
/** Bytes. What is larger is not looked at; no beat of ours comes near it. */
const maxBody = 12 * 1024 * 1024
/** Characters. */
const maxAddress = 3 * 63 + 2
const maxHost = 255
const maxState = 128
const maxVersion = 64
const maxMessage = 127
const maxLink = 64
const maxQueue = 255

const roles: ReadonlySet<unknown> = new Set<Role>(["member", "leader", "standby"])
const version = /^(0|[1-9]\d{0,8})\.\S+$/
/** What would break a line, or a terminal. */
const control = /\p{Cc}/gu

/** The major version of a member's protocol. */
export const majorOf = ({ version: text }: Pick<MemberReport, "version">): number => Number(text.split(".", 1)[0])

const isAddress = (value: unknown): value is string => {
  if (typeof value !== "string" || value.length > maxAddress) return false
  const parts = value.split("/")
  return parts.length === 3 && parts.every(isToken)
}

const isVersion = (value: unknown): value is string =>
  typeof value === "string" && value.length <= maxVersion && version.test(value) && !hasControl(value)

const hasControl = (text: string): boolean => text.search(control) >= 0

// Writing

const count = (value: number): number => (value > 0 ? Math.min(Math.round(value), Number.MAX_SAFE_INTEGER) : 0)
const text = (value: string, max: number): string => value.slice(0, max).replace(control, " ") || "?"

/** Fields that say nothing are left out. Undefined for what has no place in a list: T1. */
const write = (member: MemberReport): object | undefined => {
  const { address, version, role, epoch, state, restarts, parent, handling, waiting } = member
  if (!isAddress(address) || !isVersion(version)) return undefined
  return {
    address,
    version,
    role,
    state: text(state, maxState),
    ...(count(epoch) > 0 && { epoch: count(epoch) }),
    ...(count(restarts) > 0 && { restarts: count(restarts) }),
    ...(isAddress(parent) && { parent }),
    ...(handling.length > 0 && {
      handling: handling.slice(0, maxHandling).map(({ message, since }) => ({
        message: text(message, maxMessage),
        since: count(since),
      })),
    }),
    ...(count(waiting) > 0 && { waiting: count(waiting) }),
  }
}

/** The AMQP properties and body of a beat; it goes to the exchange `warren.presence` with the key `beatKey(node)`. */
export interface EncodedBeat {
  readonly contentType: typeof beatType
  readonly contentEncoding: "utf-8"
  readonly body: Buffer
}

export const encodeBeat = (beat: Beat): EncodedBeat => {
  const { node, bye, members, omitted } = beat
  const written = bye ? [] : members.slice(0, maxMembers).map(write)
  const listed = written.filter((member) => member !== undefined)
  const left = bye ? 0 : omitted + members.length - listed.length
  const json = {
    node,
    seq: count(beat.seq),
    interval: count(beat.interval),
    at: count(beat.at),
    host: text(beat.host, maxHost),
    pid: count(beat.pid),
    startedAt: count(beat.startedAt),
    warren: text(beat.warren, maxVersion),
    ...(beat.link !== undefined && { link: text(beat.link, maxLink) }),
    ...(beat.inbox !== undefined && { inbox: text(beat.inbox, maxQueue) }),
    lag: count(beat.lag),
    ...(bye && { bye }),
    ...(left > 0 && { omitted: left }),
    members: listed,
  }
  return { contentType: beatType, contentEncoding: "utf-8", body: Buffer.from(JSON.stringify(json)) }
}

// Reading

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isLine = (value: unknown, max: number): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= max && !hasControl(value)

/** What is wrong with the fields that every beat has, or undefined. */
const wrongHead = (raw: Json): string | undefined => {
  if (!isCount(raw.seq)) return '"seq" must be a whole number'
  if (!isCount(raw.interval) || raw.interval < minInterval || raw.interval > maxInterval) {
    return `"interval" must be ${minInterval} to ${maxInterval} ms`
  }
  for (const name of ["at", "startedAt", "pid", "lag"])
    if (!isCount(raw[name])) return `"${name}" must be a whole number`
  if (!isLine(raw.host, maxHost)) return `"host" must be a line of 1 to ${maxHost} characters`
  if (!isLine(raw.warren, maxVersion)) return `"warren" must be a line of 1 to ${maxVersion} characters`
  if (raw.link !== undefined && !isLine(raw.link, maxLink)) return `"link" must be a line of 1 to ${maxLink} characters`
  if (raw.inbox !== undefined && !isLine(raw.inbox, maxQueue)) {
    return `"inbox" must be a line of 1 to ${maxQueue} characters`
  }
  if (raw.bye !== undefined && typeof raw.bye !== "boolean") return '"bye" must be true or absent'
  if (raw.omitted !== undefined && !isCount(raw.omitted)) return '"omitted" must be a whole number'
  if (!Array.isArray(raw.members) || raw.members.length > maxMembers) {
    return `"members" must be a list of at most ${maxMembers}`
  }
  return raw.bye === true && raw.members.length > 0 ? "a goodbye has no members" : undefined
}

const readHandling = (json: unknown): ReadonlyArray<Handling> | undefined => {
  if (json === undefined) return []
  if (!Array.isArray(json) || json.length > maxHandling) return undefined
  const handling: Array<Handling> = []
  for (const entry of json) {
    if (!isObject(entry)) return undefined
    const { message, since } = entry
    if (!isLine(message, maxMessage) || !isCount(since)) return undefined
    handling.push({ message, since })
  }
  return handling
}

/** The member, or what is wrong with it. */
const readMember = (json: unknown): MemberReport | string => {
  if (!isObject(json)) return "it must be an object"
  const { address, version, role, state, parent, epoch = 0, restarts = 0, waiting = 0 } = json
  const handling = readHandling(json.handling)
  if (!isAddress(address)) return '"address" must be domain/type/id'
  if (!isVersion(version)) return '"version" must be major.minor.patch'
  if (!roles.has(role)) return '"role" must be "member", "leader" or "standby"'
  if (!isLine(state, maxState)) return `"state" must be a line of 1 to ${maxState} characters`
  if (parent !== undefined && !isAddress(parent)) return '"parent" must be domain/type/id'
  if (!isCount(epoch) || !isCount(restarts) || !isCount(waiting)) {
    return '"epoch", "restarts" and "waiting" must be whole numbers'
  }
  if (handling === undefined) return `"handling" must be at most ${maxHandling} of message and since`
  const of = parent === undefined ? {} : { parent }
  return { address, version, role: role as Role, epoch, state, restarts, ...of, handling, waiting }
}

/** The parts of an incoming message that are read. */
export interface BeatMessage {
  readonly contentType?: string
  readonly routingKey: string
  readonly body: Buffer
}

export const decodeBeat = (message: BeatMessage): Beat | Malformed => {
  const { contentType, routingKey, body } = message
  if (contentType !== beatType) return malformed(`content type ${JSON.stringify(contentType ?? "")} is not ${beatType}`)
  if (body.length > maxBody) return malformed(`a beat of ${body.length} bytes; ${maxBody} are allowed`)
  const read = readJson(body)
  if (isMalformed(read)) return read
  if (!isObject(read.value)) return malformed("a beat must be an object")
  const raw = read.value
  const { node } = raw
  if (typeof node !== "string" || !isToken(node)) return malformed('"node" must be 1 to 63 letters, digits, "_" or "-"')
  if (routingKey !== beatKey(node)) return malformed(`a beat of node ${node} under the key ${routingKey}`) // T3
  const wrong = wrongHead(raw)
  if (wrong !== undefined) return malformed(wrong)
  const members: Array<MemberReport> = []
  for (const json of raw.members as ReadonlyArray<unknown>) {
    const member = readMember(json)
    if (typeof member === "string") return malformed(`a member in a beat: ${member}`)
    members.push(member)
  }
  const { seq, interval, at, host, pid, startedAt, warren, link, inbox, lag, bye = false, omitted = 0 } = raw
  const head = { node, seq, interval, at, host, pid, startedAt, warren, lag, bye, omitted } as Omit<Beat, "members">
  const way = {
    ...(link !== undefined && { link: link as string }),
    ...(inbox !== undefined && { inbox: inbox as string }),
  }
  return { ...head, ...way, members }
}
