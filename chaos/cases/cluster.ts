// Each node of a broker cluster is killed in turn, under load, and brought back. Our processes move to another one by
// themselves; the cliques and the registry are whole again. What lives on one node alone, a transient mailbox, waits for
// that node, and nothing else waits with it.

import { type BrokerCluster, startCluster } from "../../scripts/broker/index.ts"
import { mailboxQueue } from "../../src/actor/declaration.ts"
import { names } from "../../src/wire/names.ts"
import { longestGap } from "../account.ts"
import type { Case } from "../case.ts"
import { Clique, id, startSender } from "../clique.ts"
import { now } from "../clock.ts"
import { InVain } from "../patience.ts"
import type { Scene } from "../scene.ts"
import { withHeartbeat } from "../scene.ts"
import { openSide } from "../side.ts"
import { highest, summary } from "../statistics.ts"
import { burden, loadGates, merged, settle } from "../verdict.ts"
import type { Worker } from "../worker-process.ts"

const heartbeat = 2
const size = 3
/** ms between two beats. */
const interval = 500
/** ms that our processes have to move, before the broker node is brought back. */
const patience = 15_000

/** The transient mailboxes of the members: one on each node, whichever node its member is connected to. */
const layOut = async ({ prefix }: Scene, { urls }: BrokerCluster): Promise<readonly string[]> => {
  const ids = urls.map((_, index) => `m${index + 1}`)
  for (const [index, url] of urls.entries()) {
    await using side = await openSide(url)
    const address = { domain: "chaos", type: "unit", id: ids[index]!, major: 1 }
    await side.declare(mailboxQueue(names(prefix), address, { mailbox: "transient" }))
  }
  return ids
}

/** An ask is answered, if need be at the second try: a queue that changes its leader may refuse it, and says so. */
const answered = async ({ pause }: Scene, sender: Worker, entry: number): Promise<void> => {
  const deadline = now() + patience
  for (;;) {
    try {
      await sender.call("ask", { id, entry, deadline: patience }, 2 * patience)
      return
    } catch (error) {
      if (now() > deadline || !(error as Error).message.includes("MailboxFull")) throw error
      await pause(20)
    }
  }
}

/** How many of these actors answer soon. */
const answering = async (visitor: Worker, ids: readonly string[], within: number): Promise<number> => {
  const { silent } = await visitor.call("askAll", { ids, within }, 2 * patience)
  return ids.length - silent.length
}

/** Every member leads in its turn, because each leader steps down: so each of them is there, whatever a registry shows. */
const allLead = async ({ store, until }: Scene, clique: Clique): Promise<void> => {
  const deadline = now() + patience
  const led = new Set<string>()
  for (;;) {
    const leader = await until("somebody leads", () => clique.leader, { within: patience })
    led.add(leader.name)
    if (led.size === size) return
    if (now() > deadline) throw new InVain(`only ${[...led].join(", ")} of ${size} led within ${patience / 1000} s`)
    const before = store.leaderships.length
    await leader.worker.call("stepDown", { id }, patience)
    await clique.next(before, patience)
  }
}

export const cluster: Case = {
  name: "cluster",
  title: "Each node of a cluster of three is killed (-9) in turn under load, and brought back",
  minutes: 2,
  gates: ({ times }) => [
    { text: "broker nodes killed and brought back", figure: "killed", bound: { atLeast: 3 * times(2, 1) } },
    {
      text: "kills after which every process worked on without that node",
      figure: "moved",
      bound: { atLeast: 3 * times(2, 1) },
    },
    { text: "times that clique and registry were whole again", figure: "whole", bound: { atLeast: 3 * times(2, 1) } },
    { text: "longest pause of the handling", figure: "gap", bound: { atMost: 5_000 }, unit: "ms" },
    {
      text: "transient actors that answered while another node was down",
      figure: "others",
      bound: { atLeast: 2 * 3 * times(2, 1) },
    },
    {
      text: "transient actors that answered again once their node was back",
      figure: "again",
      bound: { atLeast: 3 * times(2, 1) },
    },
    ...loadGates,
  ],
  run: async (scene) => {
    const { store } = scene
    const began = now()
    const brokers = scene.own(await startCluster(scene.source))
    scene.say(`a cluster of ${brokers.nodes.length} nodes is up after ${((now() - began) / 1000).toFixed(1)} s`)
    const where = { urls: brokers.urls, heartbeat, interval }
    const units = await layOut(scene, brokers)
    const clique = new Clique(scene, { ...where, size, beside: true })
    await clique.whole()
    const sender = await startSender(scene, where)
    const visitor = scene.worker()
    const urls = brokers.urls.map((url) => withHeartbeat(url, heartbeat))
    await visitor.call("visit", { place: { urls, prefix: scene.prefix, interval } })
    await burden(sender.worker, 100, 20)

    const wholeAgain = async () => {
      const { leaders, standbys } = await sender.worker.call("roles", { id })
      return leaders === 1 && standbys === size - 1
    }
    await scene.until("the registry shows the clique", wholeAgain, { every: 50 })

    const gaps: number[] = []
    const moves: number[] = []
    let whole = 0
    let asks = 0
    let others = 0
    let again = 0
    for (let round = 0; round < scene.scale.times(2, 1); round++)
      for (const [index, node] of brokers.nodes.entries()) {
        const name = `node ${index + 1}`
        await scene.pause(1_000)
        const from = now()
        await node.kill9()
        const moved = (async () => {
          await answered(scene, sender.worker, asks++)
          await allLead(scene, clique)
          return now() - from
        })()
        const time = await moved.catch((error: Error) =>
          scene.say(`while ${name} was down: ${error.message.split("\n")[0]}`),
        )
        scene.signal.throwIfAborted()
        if (time !== undefined) moves.push(time)
        const unit = units[index]!
        const elsewhere = units.filter((id) => id !== unit)
        others += await answering(visitor, elsewhere, 5_000)
        await node.start()
        await scene.pause(3 * interval) // what nobody has beaten for since is out of every view
        await scene.until("the registry shows the clique", wholeAgain, { every: 50 })
        await allLead(scene, clique)
        whole += 1
        await scene.until("the transient actor answers again", () =>
          answering(visitor, [unit], 1_000).then((n) => n > 0),
        )
        again += 1
        gaps.push(longestGap(store.handled, from, now()))
        scene.say(`${name} was killed and is back: the longest pause was ${Math.round(gaps.at(-1)!)} ms`)
      }
    const account = await settle(scene, sender.worker)
    return merged(account, {
      figures: { killed: gaps.length, moved: moves.length, whole, others, again, gap: highest(gaps) },
      notes: [
        `longest pause of the handling: ${summary(gaps)}`,
        `an ask was answered and every member had led, with the node down: ${summary(moves)}`,
      ],
    })
  },
}
