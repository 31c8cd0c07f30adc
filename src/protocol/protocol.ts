// A protocol: one value that lists every message an actor understands. Types, checks, wire codecs and the typed clients
// are all derived from it.

import type { Handlers } from "./handlers.ts"
import type { Messages } from "./message.ts"

/** A protocol, whatever it lists. */
export interface AnyProtocol {
  readonly name: string
  /** `major.minor.patch`; peers of one major version understand each other. */
  readonly version: string
  readonly messages: Messages
}

export interface Protocol<Name extends string, M extends Messages> extends AnyProtocol {
  readonly name: Name
  readonly messages: M
  /** Gives handlers back as they are, with their types: for factories in which TypeScript cannot see what is expected. */
  readonly of: <R = never>(handlers: Handlers<M, R>) => Handlers<M, R>
}

/** Names that would break the client object: `await ref` calls `then`, and so on. */
type Reserved = "then" | "catch" | "finally" | "toJSON" | "constructor"

const semver = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/
const token = /^[A-Za-z0-9_-]{1,63}$/
const messageName = /^[A-Za-z_][A-Za-z0-9_]{0,126}$/
const reserved = new Set(["then", "catch", "finally", "toJSON", "constructor", "__proto__"])

/**
 * @param name 1 to 63 letters, digits, `_` or `-`: the `type` in an actor's address.
 * @param version `major.minor.patch`; raise the major when an old peer would no longer understand.
 * @throws TypeError when a name or the version is badly formed.
 */
export const protocol = <const Name extends string, const M extends Messages>(
  name: Name,
  version: string,
  messages: M & { readonly [K in Extract<keyof M, Reserved>]: never },
): Protocol<Name, M> => {
  if (!token.test(name)) throw new TypeError(`protocol name ${JSON.stringify(name)}: 1 to 63 letters, digits, _ or -`)
  if (!semver.test(version)) throw new TypeError(`version ${JSON.stringify(version)} of protocol ${name}: want 1.2.3`)
  for (const key of Object.keys(messages)) {
    if (reserved.has(key) || !messageName.test(key)) {
      throw new TypeError(
        `message name ${JSON.stringify(key)} of protocol ${name}: want an identifier, not a reserved one`,
      )
    }
  }
  return { name, version, messages, of: (handlers) => handlers }
}

/** The part of a version that decides whether two peers understand each other. */
export const majorVersion = (spec: AnyProtocol): number => Number(semver.exec(spec.version)?.[1])
