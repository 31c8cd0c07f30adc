// A thousand leaderships that end in every way they can, in random order, under load.

import type { Case } from "../case.ts"
import { Clique, id, type Member, startSender } from "../clique.ts"
import { now } from "../clock.ts"
import type { Random } from "../random.ts"
import type { Scene } from "../scene.ts"
import { summary } from "../statistics.ts"
import { burden, loadGates, merged, settle } from "../verdict.ts"

/** Short, so that what is frozen is found out soon. */
const heartbeat = 1
const size = 4

/** How a leadership ends, and how often of a hundred. */
const ends = {
  /** SIGKILL */
  kill: 20,
  /** SIGTERM */
  terminate: 14,
  /** The sockets are reset. */
  cut: 22,
  /** The sockets are reset, and refused for a while. */
  refuse: 14,
  stepDown: 22,
  /** SIGSTOP until somebody else leads. */
  freeze: 4,
  /** Nothing comes through, and nothing is closed, until somebody else leads. */
  silence: 4,
} as const
type End = keyof typeof ends

/** What happens besides, to those who do not lead, and how often at each end. */
const besides = {
  nothing: 80,
  /** SIGSTOP of anybody, the leader too, for less than a heartbeat. */
  blink: 5,
  killStandby: 4,
  cutStandby: 6,
  cutSender: 5,
} as const

interface Trial {
  readonly scene: Scene
  readonly clique: Clique
  readonly cutSender: () => void
}

/** Does it, and gives what is to be done once somebody leads again. */
const end = (how: End, leader: Member, { scene, clique }: Trial): (() => Promise<void>) => {
  const { random } = scene
  const later = async () => {}
  switch (how) {
    case "kill":
      clique.kill(leader)
      return later
    case "terminate":
      clique.terminate(leader).catch((error: Error) => scene.say(error.message))
      return later
    case "stepDown":
      // It may die before it answers: what matters is who leads next.
      leader.worker.call("stepDown", { id }).catch(() => {})
      return later
    case "cut":
      leader.network?.cut()
      return later
    case "refuse": {
      leader.network?.refuse(true)
      setTimeout(() => leader.network?.refuse(false), random.between(100, 1_500))
      return later
    }
    case "freeze":
      clique.freeze(leader)
      return async () => {
        await scene.pause(random.between(0, 300))
        clique.thaw(leader)
      }
    case "silence":
      leader.network?.silence(true)
      return async () => {
        await scene.pause(random.between(0, 300))
        leader.network?.silence(false)
      }
  }
}

const anyOf = <A>(random: Random, items: readonly A[]): A | undefined => items[random.below(items.length)]

const happen = (what: keyof typeof besides, { scene: { random }, clique, cutSender }: Trial): void => {
  const standby = anyOf(random, clique.standbys)
  switch (what) {
    case "nothing":
      return
    case "blink": {
      const member = anyOf(random, clique.usable)
      if (member) clique.blink(member, random.between(20, 900))
      return
    }
    case "killStandby":
      if (standby) clique.kill(standby)
      return
    case "cutStandby":
      return standby?.network?.cut()
    case "cutSender":
      return cutSender()
  }
}

export const leaderships: Case = {
  name: "leaderships",
  title: "Leaderships that end by kills, SIGTERM, freezes, cut and lost links and step-downs, in random order",
  minutes: 8,
  gates: ({ times }) => [
    { text: "leaderships", figure: "leaderships", bound: { atLeast: times(1_000, 30) } },
    ...loadGates,
    { text: "ends after which nobody led for 20 s", figure: "leaderless", bound: { exactly: 0 } },
  ],
  run: async (scene) => {
    const { store, random, broker } = scene
    const wanted = scene.scale.times(1_000, 30)
    const clique = new Clique(scene, { urls: [broker.url], size, heartbeat, work: 1, networks: true })
    await clique.whole()
    const sender = await startSender(scene, { urls: [broker.url], heartbeat, networks: true })
    const trial: Trial = { scene, clique, cutSender: () => sender.network?.cut() }
    await burden(sender.worker, 50, 10)

    const gaps: Record<End, number[]> = {
      kill: [],
      terminate: [],
      cut: [],
      refuse: [],
      stepDown: [],
      freeze: [],
      silence: [],
    }
    let leaderless = 0
    while (store.leaderships.length < wanted) {
      const leader = await scene.until(
        "a leader and a standby are there",
        () => {
          clique.refill()
          const { leader } = clique
          return leader?.usable && clique.usable.length >= 2 && leader
        },
        { within: 60_000 },
      )
      happen(random.weighted(besides), trial)
      const how = random.weighted(ends)
      const before = store.leaderships.length
      const began = now()
      const mend = end(how, leader, trial)
      const next = await clique.next(before).catch((error: Error) => {
        scene.signal.throwIfAborted()
        leaderless += 1
        scene.say(`after ${how} of ${leader.name}: ${error.message}`)
        return undefined
      })
      await mend()
      if (next === undefined) await clique.next(before, 60_000)
      else gaps[how].push(next.at - began)
      await scene.pause(random.between(0, 250))
      scene.progress("leaderships", store.leaderships.length, wanted)
    }
    const account = await settle(scene, sender.worker)
    const times = Object.entries(gaps).map(([how, gap]) => `${how}: somebody led again ${summary(gap)}`)
    return merged(account, { figures: { leaderless }, notes: times })
  },
}
