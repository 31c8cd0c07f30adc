// The broker is stopped, killed and started again with many actors up: all of them serve again, soon after its port opens.
//
// What the broker needs for itself is measured apart: started again with the same queues and none of our processes, until
// each queue can be asked for a message.

import { connect } from "node:net"
import { names } from "../../src/wire/names.ts"
import type { Case } from "../case.ts"
import { now } from "../clock.ts"
import type { Scene } from "../scene.ts"
import { withHeartbeat } from "../scene.ts"
import { openSide } from "../side.ts"
import { highest } from "../statistics.ts"

const heartbeat = 5
/** ms after which an actor that does not answer is given up. */
const patience = 60_000

const ways = ["stop", "kill9"] as const
type Way = (typeof ways)[number]

interface Kind {
  readonly mailbox: "transient" | "durable"
  readonly actors: number
}

const opens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port })
    const end = (open: boolean) => {
      socket.destroy()
      resolve(open)
    }
    socket.once("connect", () => end(true))
    socket.once("error", () => end(false))
  })

/** Gives the moment at which its port was open. */
const restarted = async ({ broker, until }: Scene, way: Way): Promise<number> => {
  await broker[way]()
  // Its leader has ended; the process that listens may take a moment longer.
  await until("the port is closed", async () => !(await opens(broker.port)))
  const starting = broker.start()
  starting.catch(() => {}) // it is awaited below
  await until("the port is open", () => opens(broker.port), { within: 120_000 })
  const at = now()
  await starting
  return at
}

interface Recovery {
  readonly way: Way
  /** ms from the opening of the port until every actor had answered. */
  readonly serving: number
  readonly silent: number
  /** ms from the opening of the port until every queue could be asked, without our processes. */
  readonly own: number
}

/** With our processes. */
const served = async (scene: Scene, { mailbox, actors }: Kind, ids: readonly string[], ways: readonly Way[]) => {
  const place = { urls: [withHeartbeat(scene.broker.url, heartbeat)], prefix: scene.prefix }
  const crowd = scene.worker()
  const visitor = scene.worker()
  await crowd.call("crowd", { place, systems: 1, actors, mailbox, ids: mailbox }, 120_000)
  await visitor.call("visit", { place })
  const askAll = () => visitor.call("askAll", { ids, within: patience }, 2 * patience)
  const { silent } = await askAll()
  if (silent.length > 0) throw new Error(`${silent.length} of ${actors} ${mailbox} actors do not answer from the start`)
  const all: Omit<Recovery, "own">[] = []
  for (const way of ways) {
    const open = await restarted(scene, way)
    const answers = await askAll()
    const serving = answers.at - open
    all.push({ way, serving, silent: answers.silent.length })
    scene.say(`${way}: ${actors} ${mailbox} actors answered ${Math.round(serving)} ms after the port was open`)
    await scene.pause(1_000)
  }
  await crowd[Symbol.asyncDispose]()
  await visitor[Symbol.asyncDispose]()
  return all
}

/** Without them. */
const recovered = async (scene: Scene, queues: readonly string[], way: Way): Promise<number> => {
  const open = await restarted(scene, way)
  await using side = await openSide(scene.broker.url)
  await side.serve(queues)
  return now() - open
}

const recoveries = async (scene: Scene, kind: Kind, ways: readonly Way[]): Promise<readonly Recovery[]> => {
  const { mailbox, actors } = kind
  const ids = Array.from({ length: actors }, (_, index) => `${mailbox}0-${index}`)
  const queueOf = (id: string) => names(scene.prefix).mailbox({ domain: "chaos", type: "unit", id, major: 1 })
  const queues = ids.map(queueOf)
  const all: Recovery[] = []
  for (const each of await served(scene, kind, ids, ways))
    all.push({ ...each, own: await recovered(scene, queues, each.way) })
  await using side = await openSide(scene.broker.url)
  for (const queue of queues) await side.remove(queue) // the next ones are to be recovered alone
  return all
}

const told = ({ mailbox, actors }: Kind, { way, serving, own }: Recovery): string =>
  `${actors} ${mailbox}, ${way === "stop" ? "stopped" : "killed"}: ${Math.round(serving)} ms after the port was open, of which the broker needs ${Math.round(own)} for itself`

const transient: Kind = { mailbox: "transient", actors: 1_000 }
const durable: Kind = { mailbox: "durable", actors: 200 }

export const restart: Case = {
  name: "restart",
  title:
    "The broker is stopped, killed (-9) and started again, with 1,000 actors up, and with 200 that have durable mailboxes",
  minutes: 1.5,
  gates: () => [
    {
      text: "1,000 transient ones serve, after the port is open",
      figure: "transient",
      bound: { atMost: 5_000 },
      unit: "ms",
    },
    {
      text: "200 durable ones serve, after the port is open",
      figure: "durable",
      bound: { atMost: 5_000 },
      unit: "ms",
    },
    {
      text: "200 durable ones serve, after the broker has recovered their queues",
      figure: "durableOurs",
      bound: { atMost: 5_000 },
      unit: "ms",
    },
    { text: "actors that did not answer within a minute", figure: "silent", bound: { exactly: 0 } },
  ],
  run: async (scene) => {
    const some = ways.slice(0, scene.scale.times(ways.length, 1))
    const light = await recoveries(scene, transient, some)
    const heavy = await recoveries(scene, durable, some)
    const worst = (all: readonly Recovery[], of: (one: Recovery) => number) => highest(all.map(of))
    return {
      figures: {
        transient: worst(light, ({ serving }) => serving),
        durable: worst(heavy, ({ serving }) => serving),
        durableBroker: worst(heavy, ({ own }) => own),
        durableOurs: worst(heavy, ({ serving, own }) => Math.max(0, serving - own)),
        silent: [...light, ...heavy].reduce((sum, { silent }) => sum + silent, 0),
      },
      notes: [...light.map((one) => told(transient, one)), ...heavy.map((one) => told(durable, one))],
    }
  },
}
