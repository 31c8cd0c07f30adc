// Many actors in many systems of one process: who is there, what their registries say, whether they answer.

import { setTimeout as delay } from "node:timers/promises"
import { ActorSystem, type AnyProtocol, actor, child, supervisor } from "warren"
import { now } from "../clock.ts"
import type { CrowdInput, Operations, Place, Sighting } from "../operations.ts"
import { Ledger, OldUnit, Unit } from "./messages.ts"
import { domain, settings } from "./place.ts"
import { difference, fits, lineOf, registryOf } from "./registry.ts"

interface Household {
  readonly system: ActorSystem
  readonly own: () => readonly Sighting[]
}

/** ms between two looks at a registry. */
const look = 50
/** ms between two attempts to ask. */
const again = 25

const versionAt = (index: number) => (index % 2 === 0 ? Unit : OldUnit)

const house = async (input: CrowdInput, number: number): Promise<Household> => {
  const { place, actors, mailbox, ids, clique } = input
  const echo = { echo: (n: number) => n }
  const known: { protocol: AnyProtocol; id: string; role: () => Sighting["role"] }[] = []
  const units = Array.from({ length: actors }, (_, index) => {
    const id = `${ids}${number}-${index}`
    const unit = versionAt(index)
    known.push({ protocol: unit, id, role: () => "member" })
    return child(actor(unit, echo, { mailbox }), { id })
  })
  if (clique !== undefined) {
    let epoch = () => 0
    const leader = actor(
      Ledger,
      (self) => {
        epoch = () => self.epoch
        return { enter: () => {}, whoLeads: () => ({ member: ids, epoch: self.epoch }) }
      },
      { clique: "single", warm: true },
    )
    known.push({ protocol: Ledger, id: clique, role: () => (epoch() > 0 ? "leader" : "standby") })
    units.push(child(leader, { id: clique }))
  }
  const system = await ActorSystem.start({ ...settings(place), tree: supervisor("app", {}, units) })
  const own = () =>
    known.map(({ protocol: { name, version }, id, role }) => ({
      node: system.node,
      domain,
      type: name,
      id,
      version,
      role: role(),
    }))
  return { system, own }
}

export interface Crowd {
  readonly nodes: readonly string[]
  readonly own: () => readonly Sighting[]
  readonly agree: Operations["agree"]
  readonly misfits: Operations["misfits"]
}

export const gather = async (input: CrowdInput): Promise<Crowd> => {
  const households = await Promise.all(Array.from({ length: input.systems }, (_, number) => house(input, number)))
  const systems = households.map(({ system }) => system)

  const agree: Operations["agree"] = async ({ truth, within }) => {
    const lines = new Set(truth.map(lineOf))
    const deadline = now() + within
    const wrong = [...systems]
    let last: string | undefined
    for (;;) {
      // One at a time: to look at a thousand actors takes time from those who are to learn of them.
      const trouble = difference(await registryOf(wrong[0]!).list({}), lines)
      last = trouble ?? last
      if (trouble === undefined) wrong.shift()
      const at = now()
      if (wrong.length === 0 || at > deadline) return { at, wrong: wrong.length, ...(last !== undefined && { last }) }
      if (trouble !== undefined) await delay(look)
    }
  }

  const misfits: Operations["misfits"] = async ({ truth, filters }) => {
    let count = 0
    for (const filter of filters) {
      const wanted = new Set(truth.filter((sighting) => fits(sighting, filter)).map(lineOf))
      for (const system of systems)
        if (difference(await registryOf(system).list(filter), wanted) !== undefined) count += 1
    }
    return count
  }

  return {
    nodes: systems.map(({ node }) => node),
    own: () => households.flatMap(({ own }) => own()),
    agree,
    misfits,
  }
}

/** One that asks the actors of a crowd elsewhere. */
export interface Visitor {
  readonly askAll: Operations["askAll"]
}

export const visit = async (place: Place): Promise<Visitor> => {
  const system = await ActorSystem.start({ ...settings(place), signals: false })
  const askOne = async (id: string, deadline: number): Promise<number | undefined> => {
    const { echo } = system.ref(Unit, id)
    while (now() < deadline) {
      const outcome = await echo.outcome(1, { timeout: Math.max(1, deadline - now()) })
      if (outcome.ok) return now()
      await delay(again)
    }
    return undefined
  }
  return {
    askAll: async ({ ids, within }) => {
      const deadline = now() + within
      const answers = await Promise.all(ids.map((id) => askOne(id, deadline)))
      return {
        at: Math.max(...answers.map((at) => at ?? Number.NEGATIVE_INFINITY)),
        silent: ids.filter((_, index) => answers[index] === undefined),
      }
    },
  }
}
