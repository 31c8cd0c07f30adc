// A leader is killed with an ask in its hands; a standby takes over, gets the ask again and answers it.

import type { Case } from "../case.ts"
import { Clique, id, startSender } from "../clique.ts"
import { percentile, summary } from "../statistics.ts"

const heartbeat = 5

export const failover: Case = {
  name: "failover",
  title: "A leader is killed (-9) with an ask in flight: a standby answers it",
  minutes: 1.5,
  gates: ({ times }) => [
    { text: "kills whose ask was answered", figure: "kills", bound: { atLeast: times(100, 10) } },
    { text: "from the kill to the answer, p50", figure: "p50", bound: { atMost: 30 }, unit: "ms" },
    { text: "from the kill to the answer, p99", figure: "p99", bound: { atMost: 100 }, unit: "ms" },
    { text: "overlaps of two leaders in the fenced store", figure: "overlaps", bound: { exactly: 0 } },
  ],
  run: async (scene) => {
    const { store, broker } = scene
    const kills = scene.scale.times(100, 10)
    const clique = new Clique(scene, { urls: [broker.url], size: 3, heartbeat })
    await clique.whole()
    const sender = await startSender(scene, { urls: [broker.url], heartbeat })
    const answered: number[] = []
    const led: number[] = []
    for (let entry = 0; entry < kills; entry++) {
      await clique.whole()
      await scene.pause(100) // a process that has just started still warms up, on the processor that is to be measured
      const leader = clique.leader!
      const before = store.leaderships.length
      await leader.worker.call("hold", {})
      const asked = sender.worker.call("ask", { id, entry, deadline: 10_000 })
      asked.catch(() => {}) // it is awaited below
      await scene.until("the leader has the ask in hand", () => leader.worker.holding.has(entry))
      const killed = clique.kill(leader)
      const { at, member } = await asked
      if (member === leader.name) throw new Error(`${member} answered after it was killed`)
      answered.push(at - killed)
      led.push((await clique.next(before)).at - killed)
      scene.progress("kills", answered.length, kills)
    }
    return {
      figures: {
        kills: answered.length,
        p50: percentile(answered, 0.5),
        p99: percentile(answered, 0.99),
        overlaps: store.overlaps.length,
      },
      notes: [
        `kill to answer: ${summary(answered)}`,
        `kill to the next leader's first word to the store: ${summary(led)}`,
      ],
    }
  },
}
