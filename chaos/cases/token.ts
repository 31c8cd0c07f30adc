// The queue that decides who leads is purged and deleted under the leader: somebody leads again, and never two.

import { names } from "../../src/wire/names.ts"
import type { Case } from "../case.ts"
import { Clique, id, startSender } from "../clique.ts"
import { now } from "../clock.ts"
import { openSide, type Side } from "../side.ts"
import { highest, summary } from "../statistics.ts"
import { burden, loadGates, merged, settle } from "../verdict.ts"

const heartbeat = 5

interface Damage {
  readonly name: string
  readonly do: (side: Side, queue: string) => Promise<void>
  /** The leader dies in the same moment. */
  readonly kill: boolean
}

const damages: readonly Damage[] = [
  { name: "purged", do: (side, queue) => side.purge(queue), kill: false },
  { name: "deleted", do: (side, queue) => side.remove(queue), kill: false },
  { name: "purged, and the leader killed", do: (side, queue) => side.purge(queue), kill: true },
  { name: "deleted, and the leader killed", do: (side, queue) => side.remove(queue), kill: true },
]

export const token: Case = {
  name: "token",
  title: "The token queue is purged or deleted under the leader",
  minutes: 0.7,
  gates: ({ times }) => [
    { text: "damages", figure: "damages", bound: { atLeast: damages.length * times(6, 1) } },
    { text: "until a leader wrote again", figure: "again", bound: { atMost: 10_000 }, unit: "ms" },
    ...loadGates,
  ],
  run: async (scene) => {
    const { store, broker } = scene
    const rounds = scene.scale.times(6, 1)
    const clique = new Clique(scene, { urls: [broker.url], size: 3, heartbeat })
    await clique.whole()
    const sender = await startSender(scene, { urls: [broker.url], heartbeat })
    const side = scene.own(await openSide(broker.url))
    const queue = names(scene.prefix).leadership({ domain: "chaos", type: "ledger", id, major: 1 })
    await burden(sender.worker, 50, 10)
    const times = new Map(damages.map(({ name }) => [name, [] as number[]]))
    for (let round = 0; round < rounds; round++)
      for (const damage of damages) {
        await clique.whole()
        await scene.pause(scene.random.between(200, 1_500))
        const { leader } = clique
        const leaders = store.leaderships.length
        const at = now()
        const done = damage.do(side, queue)
        if (damage.kill && leader) clique.kill(leader)
        await done
        const from = now()
        const wrote = await scene.until(`a leader writes after the token queue was ${damage.name}`, () => {
          const last = store.handled.at(-1)
          // What the old leader still had in hand does not show that somebody leads.
          const leads = damage.name === "purged" || store.leaderships.length > leaders
          return leads && last !== undefined && last.at > from && last
        })
        times.get(damage.name)!.push(wrote.at - at)
        scene.progress("damages", [...times.values()].flat().length, rounds * damages.length)
      }
    const account = await settle(scene, sender.worker)
    const all = [...times.values()].flat()
    return merged(account, {
      figures: { damages: all.length, again: highest(all) },
      notes: [...times].map(([name, some]) => `${name}: a leader wrote again ${summary(some)}`),
    })
  },
}
