// One sender tells a `single` clique two thousand entries, while one leader after the other is killed.

import { confirmedOf, disorder, lost, repetitions } from "../account.ts"
import type { Case } from "../case.ts"
import { Clique, id, settled, startSender } from "../clique.ts"

const heartbeat = 5
const perFailover = 100

export const order: Case = {
  name: "order",
  title: "Tells of one sender across fail-overs: in order, none missing, repetitions marked",
  minutes: 0.7,
  gates: ({ times }) => [
    { text: "tells", figure: "told", bound: { atLeast: times(20, 3) * perFailover } },
    { text: "fail-overs", figure: "failovers", bound: { atLeast: times(20, 3) } },
    { text: "missing", figure: "missing", bound: { exactly: 0 } },
    { text: "not confirmed", figure: "refused", bound: { exactly: 0 } },
    { text: "handled after a later one", figure: "disorder", bound: { exactly: 0 } },
    { text: "handled again without a mark", figure: "unmarked", bound: { exactly: 0 } },
    { text: "overlaps of two leaders in the fenced store", figure: "overlaps", bound: { exactly: 0 } },
  ],
  run: async (scene) => {
    const { store, broker, random } = scene
    const failovers = scene.scale.times(20, 3)
    const count = failovers * perFailover
    const clique = new Clique(scene, { urls: [broker.url], size: 3, heartbeat, work: 1 })
    await clique.whole()
    const sender = await startSender(scene, { urls: [broker.url], heartbeat })
    const refused: number[] = []
    for (let first = 0; first < count; first += perFailover) {
      await clique.whole()
      const leader = clique.leader!
      const before = store.leaderships.length
      const done = store.handled.length
      // Together or one by one: a batch is handled again as a whole, a message alone.
      const every = random.pick([0, 1, 4])
      const told = sender.worker.call("tell", { id, first, count: perFailover, every })
      await scene.until("some of them are handled", () => store.handled.length >= done + random.below(60) + 5)
      clique.kill(leader)
      refused.push(...(await told))
      await clique.next(before)
      scene.progress("tells", first + perFailover, count)
    }
    const confirmed = confirmedOf(count, refused)
    await settled(scene, confirmed)
    const again = repetitions(store.handled)
    return {
      figures: {
        told: count,
        failovers: store.leaderships.length - 1,
        missing: lost(confirmed, store.handled).length,
        refused: refused.length,
        disorder: disorder(store.handled).length,
        unmarked: again.unmarked,
        overlaps: store.overlaps.length,
      },
      notes: [`${again.all} were handled twice`, ...store.overlaps.slice(0, 5)],
    }
  },
}
