// The registry of a system, in the words of a trial.

import type { ActorSystem } from "warren"
import type { Sighting, SightingFilter } from "../operations.ts"

export interface Registry {
  readonly list: (filter: SightingFilter) => Promise<readonly Sighting[]>
}

export const registryOf = (system: ActorSystem): Registry => ({
  list: async (filter) =>
    (await system.registry.list(filter)).map(({ node, domain, type, id, version, role }) => ({
      node,
      domain,
      type,
      id,
      version,
      role,
    })),
})

/** One line for one sighting, so that two lists of them can be compared as sets. */
export const lineOf = ({ node, domain, type, id, version, role }: Sighting): string =>
  [node, domain, type, id, version, role].join(" ")

export const fits = (sighting: Sighting, filter: SightingFilter): boolean =>
  Object.entries(filter).every(([field, value]) => sighting[field as keyof Sighting] === value)

/** What is in the one and not in the other; undefined when nothing is. */
export const difference = (seen: readonly Sighting[], truth: ReadonlySet<string>): string | undefined => {
  const lines = new Set(seen.map(lineOf))
  const extra = [...lines].find((line) => !truth.has(line))
  if (extra !== undefined) return `shows ${extra}`
  if (seen.length !== lines.size) return "shows somebody twice"
  const missing = [...truth].find((line) => !lines.has(line))
  return missing === undefined ? undefined : `does not show ${missing}`
}
