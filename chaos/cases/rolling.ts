// A rolling deploy: each of three processes is stopped by SIGTERM and followed by a new one, under load.

import { longestGap } from "../account.ts"
import type { Case } from "../case.ts"
import { Clique, startSender } from "../clique.ts"
import { now } from "../clock.ts"
import { highest, summary } from "../statistics.ts"
import { burden, loadGates, merged, settle } from "../verdict.ts"

const heartbeat = 5
const size = 3

export const rolling: Case = {
  name: "rolling",
  title: "A rolling deploy: three processes replaced one after the other",
  minutes: 0.7,
  gates: ({ times }) => [
    { text: "deploys", figure: "deploys", bound: { atLeast: times(5, 1) } },
    { text: "moves of the leadership, less the processes that led", figure: "extraMoves", bound: { exactly: 0 } },
    { text: "tells handled twice", figure: "duplicates", bound: { exactly: 0 } },
    { text: "asks that were not answered", figure: "unanswered", bound: { exactly: 0 } },
    ...loadGates,
  ],
  run: async (scene) => {
    const { store, broker } = scene
    const deploys = scene.scale.times(5, 1)
    const clique = new Clique(scene, { urls: [broker.url], size, heartbeat, work: 1 })
    await clique.whole()
    const sender = await startSender(scene, { urls: [broker.url], heartbeat })
    await burden(sender.worker, 100, 20)
    const gaps: number[] = []
    let led = 0
    const before = store.leaderships.length
    for (let deploy = 0; deploy < deploys; deploy++) {
      for (const member of clique.members) {
        await scene.pause(500)
        if (clique.leader === member) led += 1
        const from = now()
        await clique.terminate(member)
        await clique.whole()
        await scene.pause(100)
        gaps.push(longestGap(store.handled, from, now()))
      }
      scene.progress("deploys", deploy + 1, deploys)
    }
    const moves = store.leaderships.length - before
    const account = await settle(scene, sender.worker)
    return merged(account, {
      figures: { deploys, extraMoves: moves - led },
      notes: [
        `${deploys * size} processes were replaced, ${led} of which led; the leadership moved ${moves} times`,
        `longest pause of the handling at a replacement: ${summary(gaps)} (the worst: ${Math.round(highest(gaps))} ms)`,
      ],
    })
  },
}
