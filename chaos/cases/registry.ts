// Fifty nodes with twenty actors each: what every registry shows is the truth, soon after nodes join, die and leave.
//
// The truth is what the processes know of themselves, put together here: no registry is asked for it.

import type { Case } from "../case.ts"
import { now } from "../clock.ts"
import type { Sighting, SightingFilter } from "../operations.ts"
import type { Scene } from "../scene.ts"
import { withHeartbeat } from "../scene.ts"
import { openSide } from "../side.ts"
import { highest, summary } from "../statistics.ts"
import type { Worker } from "../worker-process.ts"

const heartbeat = 5
/** ms between two beats. */
const interval = 2_000
const processes = 5
const systems = 10
/** In each system, the member of the clique included. */
const actors = 20

class Town {
  readonly #scene: Scene
  readonly #workers = new Set<Worker>()
  #names = 0

  constructor(scene: Scene) {
    this.#scene = scene
  }

  get workers(): readonly Worker[] {
    return [...this.#workers]
  }

  /** One more process with its systems. */
  async grow(): Promise<void> {
    const scene = this.#scene
    const worker = scene.worker()
    const place = { urls: [withHeartbeat(scene.broker.url, heartbeat)], prefix: scene.prefix, interval }
    const ids = `p${++this.#names}-`
    await worker.call(
      "crowd",
      { place, systems, actors: actors - 1, mailbox: "transient", ids, clique: "one" },
      180_000,
    )
    this.#workers.add(worker)
  }

  lose(worker: Worker): void {
    this.#workers.delete(worker)
  }

  /** Resolves once the clique has its leader. */
  truth(): Promise<readonly Sighting[]> {
    return this.#scene.until(
      "the clique of all nodes has one leader",
      async () => {
        const all = (await Promise.all(this.workers.map((worker) => worker.call("own", {})))).flat()
        return all.filter(({ role }) => role === "leader").length === 1 && all
      },
      { every: 20 },
    )
  }

  /** Waits until everybody's view is the truth, and gives the moment, and what was wrong until then. */
  async agreed(what: string): Promise<{ readonly at: number; readonly last: string }> {
    const truth = await this.truth()
    const views = await Promise.all(
      this.workers.map((worker) => worker.call("agree", { truth, within: 20 * interval }, 60_000)),
    )
    const wrong = views.reduce((sum, view) => sum + view.wrong, 0)
    const latest = views.reduce((one, other) => (other.at > one.at ? other : one))
    const { at, last = "was right from the first look" } = latest
    if (wrong > 0) throw new Error(`${wrong} views are not the truth 20 intervals after ${what}: one ${last}`)
    return { at, last }
  }
}

/** Filters that fit some, one and none; the last ones are the beginning of something that fits. */
const filtersFor = (truth: readonly Sighting[]): readonly SightingFilter[] => {
  const { id, node } = truth.find(({ type }) => type === "unit")!
  return [
    {},
    { domain: "chaos" },
    { type: "unit" },
    { type: "ledger" },
    { id },
    { node },
    { version: "1.2.0" },
    { version: "1.1.3" },
    { role: "member" },
    { role: "leader" },
    { role: "standby" },
    { type: "unit", version: "1.1.3", node },
    { role: "standby", node },
    { role: "leader", type: "unit" },
    { domain: "chao" },
    { type: "uni" },
    { id: id.slice(0, -1) },
    { version: "1.2" },
    { node: node.slice(0, 8) },
  ]
}

export const registry: Case = {
  name: "registry",
  title: "50 nodes with 20 actors each, in 5 processes: everyone's view is the truth",
  minutes: 1.5,
  gates: ({ times }) => [
    { text: "joins, kills and goodbyes", figure: "events", bound: { atLeast: 3 * times(3, 1) } },
    {
      text: "until every view is the truth",
      figure: "agreed",
      bound: { atMost: 2 },
      unit: "intervals",
    },
    { text: "lists by a filter that are not exact", figure: "misfits", bound: { exactly: 0 } },
    { text: "messages per node and interval, 1 with a tenth for jitter", figure: "beats", bound: { atMost: 1.1 } },
  ],
  run: async (scene) => {
    const town = new Town(scene)
    const times: Record<"join" | "kill" | "goodbye", number[]> = { join: [], kill: [], goodbye: [] }
    const timed = async (what: keyof typeof times, from: number) => {
      const { at, last } = await town.agreed(what)
      times[what].push(at - from)
      scene.say(`${what}: every view is the truth after ${Math.round(at - from)} ms; until then one ${last}`)
    }

    const began = now()
    await Promise.all(Array.from({ length: processes }, () => town.grow()))
    scene.say(
      `${processes * systems} nodes with ${processes * systems * actors} actors are up after ${((now() - began) / 1000).toFixed(1)} s`,
    )
    await town.agreed("the start")
    await scene.pause(2 * interval)

    for (let round = 0; round < scene.scale.times(3, 1); round++) {
      await town.grow()
      await timed("join", now())
      const [killed, leaving] = town.workers as [Worker, Worker]
      await scene.pause(interval) // one thing at a time: those who have just come still warm up
      town.lose(killed)
      await timed("kill", killed.signal("SIGKILL"))
      await town.grow()
      await town.agreed("a join")
      await scene.pause(interval)
      town.lose(leaving)
      leaving.signal("SIGTERM")
      await leaving.ended
      await timed("goodbye", now())
      scene.progress("rounds", round + 1, scene.scale.times(3, 1))
    }

    while (town.workers.length < processes) await town.grow()
    await town.agreed("a join")
    const truth = await town.truth()
    const filters = filtersFor(truth)
    const misfits = await Promise.all(town.workers.map((worker) => worker.call("misfits", { truth, filters })))

    const intervals = scene.scale.times(10, 4)
    const side = scene.own(await openSide(scene.broker.url))
    await scene.pause(2 * interval)
    const beatsOf = await side.countBeats(scene.prefix)
    await scene.pause(intervals * interval)
    const beats = [...beatsOf().values()]
    const nodes = town.workers.length * systems

    const all = Object.values(times).flat()
    return {
      figures: {
        events: all.length,
        agreed: highest(all) / interval,
        misfits: misfits.reduce((sum, count) => sum + count, 0),
        beats: beats.reduce((sum, count) => sum + count, 0) / (nodes * intervals),
      },
      notes: [
        `interval ${interval} ms; every view was the truth after a process with ${systems} nodes joined ${summary(times.join)}; was killed ${summary(times.kill)}; said goodbye ${summary(times.goodbye)}`,
        `${beats.length} senders of presence messages for ${nodes} nodes; of one in ${intervals} intervals ${Math.min(...beats)} to ${Math.max(...beats)}`,
      ],
    }
  },
}
