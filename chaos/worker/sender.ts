// The caller of a clique: single asks, rows of tells, and a load of both that goes on while things break.
//
// 1. An entry is told once, whatever becomes of it: an application that tells it again would hide what was lost.
// 2. An ask must end by its own deadline; by how much the worst one missed it is measured here, where it waits.

import { setTimeout as delay } from "node:timers/promises"
import { ActorSystem, AskError } from "warren"
import { now } from "../clock.ts"
import type { Asked, Load, LoadReport, Place, Roles } from "../operations.ts"
import { Ledger } from "./messages.ts"
import { settings } from "./place.ts"
import { registryOf } from "./registry.ts"

export interface Sender {
  readonly ask: (input: { id: string; entry: number; deadline: number }) => Promise<Asked>
  readonly tell: (input: { id: string; first: number; count: number; every: number }) => Promise<readonly number[]>
  readonly load: (load: Load) => void
  readonly unload: () => Promise<LoadReport>
  readonly roles: (id: string) => Promise<Roles>
}

/** ms between two looks at what is due. */
const tick = 5
/** ms after their deadlines for asks that hang. */
const patience = 10_000

const reasonOf = (error: unknown): string => (error instanceof AskError ? error.reason._tag : String(error))

export const connect = async (place: Place): Promise<Sender> => {
  const system = await ActorSystem.start({ ...settings(place), signals: false })
  let unload: (() => Promise<LoadReport>) | undefined

  const ask: Sender["ask"] = async ({ id, entry, deadline }) => {
    const answer = await system.ref(Ledger, id).whoLeads(entry, { timeout: deadline })
    return { ...answer, at: now() }
  }

  const tell: Sender["tell"] = async ({ id, first, count, every }) => {
    const ref = system.ref(Ledger, id)
    const began = now()
    const refused: number[] = []
    const sent: Promise<void>[] = []
    for (let index = 0; index < count; index++) {
      sent.push(ref.enter(first + index).catch(() => void refused.push(first + index)))
      const due = began + (index + 1) * every - now()
      if (due > 0) await delay(due)
    }
    await Promise.all(sent)
    return refused
  }

  const load = ({ id, tells, asks, deadline, tolerance }: Load): void => {
    const ref = system.ref(Ledger, id)
    const refused: number[] = []
    const reasons: Record<string, number> = {}
    const open = new Set<Promise<void>>()
    const began = now()
    let told = 0
    let asked = 0
    let answered = 0
    let inTime = 0
    let overrun = 0
    const keep = (promise: Promise<void>) => {
      const kept = promise.finally(() => open.delete(kept))
      open.add(kept)
    }
    const askOnce = async (entry: number) => {
      const due = now() + deadline
      await ref.whoLeads(entry, { timeout: deadline }).then(
        () => {
          answered += 1
        },
        (error: unknown) => {
          const reason = reasonOf(error)
          reasons[reason] = (reasons[reason] ?? 0) + 1
        },
      )
      const over = now() - due
      if (over <= tolerance) inTime += 1
      overrun = Math.max(overrun, over)
    }
    const timer = setInterval(() => {
      const seconds = (now() - began) / 1000
      for (; told < seconds * tells; told++) {
        const entry = told
        keep(ref.enter(entry).catch(() => void refused.push(entry)))
      }
      for (; asked < seconds * asks; asked++) keep(askOnce(asked))
    }, tick)
    unload = async () => {
      clearInterval(timer)
      await Promise.race([Promise.all(open), delay(deadline + patience, undefined, { ref: false })])
      return { told, refused, asked, answered, reasons, overrun, late: asked - inTime }
    }
  }

  return {
    ask,
    tell,
    load,
    unload: () => {
      if (unload === undefined) throw new Error("there is no load")
      return unload()
    },
    roles: async (id) => {
      const sightings = await registryOf(system).list({ type: Ledger.name, id })
      const having = (role: string) => sightings.filter((one) => one.role === role).length
      return {
        leaders: having("leader"),
        standbys: having("standby"),
        nodes: new Set(sightings.map(({ node }) => node)).size,
      }
    },
  }
}
