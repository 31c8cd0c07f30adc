// The registry: who is there, as this node knows it. Any node can answer; none is special.
//
// G1. The first answer waits until the other nodes have said who they are (lookout.ts, W2); later ones are at hand.
// G2. While the broker is away, what was known is told, and all but the own node's members are suspect for that reason.
// G3. Who serves is who takes mail: a leader, or a member of a shared clique, on a node that is not suspect.

import { Duration } from "effect"
import type { BrokerError } from "../broker/errors.ts"
import type { Node } from "../messaging/node.ts"
import { Alarm, elapsed } from "./alarm.ts"
import { NobodyServes, RegistryClosed } from "./errors.ts"
import { type Change, changeFor, describe, type Filter, type Listed, type ListedNode } from "./listed.ts"
import type { Lookout } from "./lookout.ts"
import * as View from "./view.ts"

export interface FindOptions {
  /** How long to wait. Default 30 seconds. */
  readonly timeout?: Duration.Input
  /** Gives up when it aborts; `find` then rejects with its reason. */
  readonly signal?: AbortSignal
}

export interface Registry {
  /**
   * The members that match, those of this node first. Rejects with `RegistryClosed` when the broker was not reached within
   * 5 seconds, or with what it refused.
   */
  readonly list: (filter?: Filter) => Promise<ReadonlyArray<Listed>>
  readonly nodes: () => Promise<ReadonlyArray<ListedNode>>
  /**
   * Tells of every change among the members that match; of those that are there already first, as "joined". Resolves when
   * that has been told, with a function that ends it. Rejects as `list` does.
   */
  readonly watch: (filter: Filter, listener: (change: Change) => void) => Promise<() => void>
  /**
   * Waits until somebody serves: a leader, or a member of a shared clique; a standby does not. Rejects with `NobodyServes`
   * at the timeout.
   */
  readonly find: (filter: Filter, options?: FindOptions) => Promise<Listed>
}

/** ms that the first answer waits for the broker. */
const patience = 5_000

export const registry = (node: Node, lookout: Lookout): Registry => {
  const now = () => elapsed(node.clock)
  const here = (filter: Filter): ReadonlyArray<Listed> => {
    lookout.refresh()
    return View.list(lookout.view, filter, now(), lookout.blind)
  }

  /** G1, G2. */
  const ready = (): Promise<void> =>
    new Promise((resolve, reject) => {
      if (lookout.stopped) return reject(hasStopped())
      if (lookout.settled || lookout.blind !== undefined) return resolve()
      const end = (failure?: BrokerError | RegistryClosed) => {
        alarm.cancel()
        release()
        if (failure === undefined) resolve()
        else reject(failure)
      }
      const alarm = new Alarm(node.clock, () => end(unreached(node)))
      const release = lookout.hold({ settled: end })
      alarm.set(patience)
    })

  const withView = async <A>(ask: () => A): Promise<A> => {
    const release = lookout.hold()
    try {
      await ready()
      return ask()
    } finally {
      release()
    }
  }

  return {
    list: (filter = {}) => withView(() => here(filter)),
    nodes: () =>
      withView(() => {
        lookout.refresh()
        return View.nodes(lookout.view, now(), lookout.blind)
      }),
    watch: (filter, listener) =>
      withView(() => {
        for (const member of here(filter)) listener({ kind: "joined", member })
        return lookout.hold({
          transitions: (transitions) => {
            for (const transition of transitions) {
              const change = changeFor(filter, transition)
              if (change !== undefined) listener(change)
            }
          },
        })
      }),
    find: (filter, options = {}) =>
      new Promise((resolve, reject) => {
        const { signal } = options
        if (signal?.aborted) return reject(signal.reason)
        if (lookout.stopped) return reject(hasStopped())
        const after = Duration.toMillis(options.timeout ?? "30 seconds")
        const look = () => {
          const server = serving(here(filter))
          if (server === undefined) return
          end()
          resolve(server)
        }
        const give = (why: unknown) => {
          end()
          reject(why)
        }
        const abort = () => give(signal?.reason)
        const end = () => {
          alarm.cancel()
          signal?.removeEventListener("abort", abort)
          release()
        }
        const alarm = new Alarm(node.clock, () => {
          const why = instead(here(filter)) ?? node.connection.trouble ?? "nobody is on the list"
          give(new NobodyServes({ wanted: describe(filter), after, why }))
        })
        const release = lookout.hold({ transitions: look, settled: (failure) => (failure ? give(failure) : look()) })
        signal?.addEventListener("abort", abort, { once: true })
        alarm.set(after)
        look()
      }),
  }
}

const hasStopped = (): RegistryClosed => new RegistryClosed({ why: "the system has stopped" })

const unreached = (node: Node): RegistryClosed =>
  new RegistryClosed({ why: node.connection.trouble ?? `no answer from ${node.connection.name}` })

/** G3 */
const serving = (members: ReadonlyArray<Listed>): Listed | undefined => {
  const able = members.filter(({ role, health }) => role !== "standby" && health === "alive")
  return able.find(({ role }) => role === "leader") ?? able[0]
}

/** What is there of what nobody serves, for people. */
const instead = (members: ReadonlyArray<Listed>): string | undefined => {
  const suspect = members.find(({ role, health }) => role !== "standby" && health === "suspect")
  if (suspect !== undefined) return `${suspect.address} on ${suspect.host} is suspect: ${suspect.why}`
  return members.length === 0 ? undefined : `${members.length} standing by, and nobody leads`
}
