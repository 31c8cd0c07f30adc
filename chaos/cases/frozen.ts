// A leader stops (SIGSTOP) with work in hand, is replaced, and goes on (SIGCONT) as if nothing had been.

import type { Case } from "../case.ts"
import { Clique, startSender } from "../clique.ts"
import { highest, summary } from "../statistics.ts"
import { burden, loadGates, merged, settle } from "../verdict.ts"

/** Seconds. */
const heartbeat = 2
/** ms for the fail-over itself, once the broker has noticed. */
const handOver = 100
/** ms: so long that it is frozen in the midst of it. */
const work = 20

export const frozen: Case = {
  name: "frozen",
  title: "A frozen leader is replaced; thawed, it does nothing that a fenced store takes",
  minutes: 1.2,
  gates: ({ times }) => [
    { text: "leaders frozen and thawed", figure: "rounds", bound: { atLeast: times(8, 2) } },
    {
      text: "until another one led: 3 heartbeats, and the hand-over",
      figure: "replaced",
      bound: { atMost: 3 * heartbeat * 1_000 + handOver },
      unit: "ms",
    },
    { text: "writes of a thawed leader that the store took", figure: "zombies", bound: { exactly: 0 } },
    {
      text: "thawed leaders that are members again, and led again",
      figure: "back",
      bound: { atLeast: times(8, 2) - 1 },
    },
    ...loadGates,
  ],
  run: async (scene) => {
    const { store, broker } = scene
    const rounds = scene.scale.times(8, 2)
    // Two, so that the one that was frozen before must lead when the other one is.
    const clique = new Clique(scene, { urls: [broker.url], size: 2, heartbeat, work })
    await clique.whole()
    const sender = await startSender(scene, { urls: [broker.url], heartbeat })
    await burden(sender.worker, 12, 5)
    const times: number[] = []
    const thawed = new Set<string>()
    let zombies = 0
    let back = 0
    for (let round = 0; round < rounds; round++) {
      await scene.pause(scene.random.between(1_000, 2_500))
      const leader = clique.leader!
      const { term } = store.leaderships.at(-1)!
      const before = store.leaderships.length
      const at = clique.freeze(leader)
      const next = await clique.next(before, 60_000)
      times.push(next.at - at)
      if (thawed.has(next.member)) back += 1
      await scene.pause(scene.random.between(0, 500))
      const taken = store.handled.length
      clique.thaw(leader)
      thawed.add(leader.name)
      await scene.pause(1_500)
      zombies += store.handled.slice(taken).filter((write) => write.term === term).length
      scene.progress("freezes", round + 1, rounds)
    }
    const account = await settle(scene, sender.worker)
    return merged(account, {
      figures: { rounds: times.length, replaced: highest(times), zombies, back },
      notes: [`heartbeat ${heartbeat} s; another one led ${summary(times)}`],
    })
  },
}
