// What happens to asks, tells and actors when the broker itself is killed, or has no memory left.

import { setTimeout as delay } from "node:timers/promises"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { type BrokerNode, brokerOfThisRun, controllable, startNode } from "../../scripts/broker/index.ts"
import { ActorSystem, AskError, actor, child, Disconnected, supervisor, type Tree } from "../../src/index.ts"
import { names } from "../../src/wire/names.ts"
import { eventually } from "./eventually.ts"
import { Work } from "./fixtures/work.ts"

const { source } = brokerOfThisRun()
const upTo = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)
/** The numbers in the order in which they came first. */
const firsts = (numbers: ReadonlyArray<number>) => [...new Set(numbers)]
/** The places where a smaller number follows a larger one. */
const disorder = (numbers: ReadonlyArray<number>) =>
  numbers.flatMap((n, i) => (i > 0 && n < numbers[i - 1]! ? [`${n} after ${numbers[i - 1]}`] : []))

describe.skipIf(!controllable(source))("a broker that fails (skipped on a broker given by AMQP_URL)", () => {
  let node: BrokerNode
  const systems: Array<ActorSystem> = []
  beforeAll(async () => {
    node = await startNode(source)
  })
  afterEach(async () => {
    for (const system of systems.splice(0)) await system.stop()
  })
  afterAll(() => node?.[Symbol.asyncDispose]())

  const start = async (tree: Tree<never> = supervisor("app", {}, [])): Promise<ActorSystem> => {
    const options = { domain: "acme", broker: node.url, signals: false, logLevel: "None" } as const
    const system = await ActorSystem.start({ ...options, tree })
    systems.push(system)
    return system
  }
  /** One worker on a system of its own. `begun`: what its handlers were given, in order. */
  const startWorker = async (id: string, work: () => Promise<unknown>) => {
    const begun: Array<number> = []
    let cells = 0
    const handle = async (n: number) => {
      begun.push(n)
      await work()
      return n
    }
    const hooks = { onStart: () => void cells++ }
    const worker = actor(Work, { item: async (n) => void (await handle(n)), echo: handle }, { hooks })
    await start(supervisor("app", {}, [child(worker, { id })]))
    // A quorum queue is on disk only after a moment; a broker that dies before that loses it (seen on 4.0.5).
    await node.ctl(["eval", "[dets:sync(Table) || Table <- dets:all()]."])
    return { begun, cells: () => cells }
  }
  const killAndRestart = async () => {
    await node.kill9()
    await node.start()
  }

  it("(4)(5)(9) killed with -9 under 1,000 asks: each ends in time, in order, and nothing settled is repeated", async () => {
    const worker = await startWorker("asks", () => delay(2))
    const { echo } = (await start()).ref(Work, "asks")
    const timeout = 20_000
    const deadline = performance.now() + timeout
    const settled: Array<number> = []
    const asks = upTo(1000).map(async (n) => {
      const outcome = await echo.outcome(n, { timeout })
      settled.push(n)
      return { outcome, at: performance.now() }
    })
    await eventually("some are answered", () => settled.length > 150)
    await node.kill9()
    const [before, begunBefore] = [new Set(settled), worker.begun.length]
    expect(before.size).toBeLessThan(1000)
    await node.start()
    const ends = await Promise.all(asks)
    for (const [n, { outcome, at }] of ends.entries()) {
      expect(at).toBeLessThan(deadline + 100)
      expect(outcome.ok ? outcome.value : outcome.error instanceof AskError && n).toBe(n)
    }
    // Answers on their way are not stored by the broker: those few may be lost with it.
    expect(ends.filter(({ outcome }) => outcome.ok).length).toBeGreaterThan(850)
    expect(worker.begun.slice(begunBefore).filter((n) => before.has(n))).toEqual([])
    expect(disorder(firsts(worker.begun))).toEqual([])
    expect(worker.cells()).toBe(1)
  })

  it("(3)(5)(9) killed with -9 while durable tells are sent: none that was confirmed is lost, and order holds", async () => {
    const worker = await startWorker("tells", () => Promise.resolve())
    const { item } = (await start()).ref(Work, "tells")
    const ends: Array<Promise<number | undefined>> = []
    let killed = false
    const killing = (async () => {
      await eventually("some have arrived", () => worker.begun.length > 50)
      await killAndRestart()
      killed = true
    })()
    // Sent all the while: before, during and after.
    for (let n = 0; !killed || n % 100 !== 0; n++) {
      ends.push(item.outcome(n, { timeout: "20 seconds" }).then(({ ok }) => (ok ? n : undefined)))
      if (n % 4 === 0) await delay(5)
    }
    await killing
    const confirmed = (await Promise.all(ends)).filter((n) => n !== undefined)
    expect(confirmed.length).toBeGreaterThan(100)
    expect(confirmed.length, "a lost link is no end of a tell: it is sent again").toBe(ends.length)
    await eventually("all that was confirmed has arrived", () => {
      const arrived = new Set(worker.begun)
      return confirmed.every((n) => arrived.has(n))
    })
    expect(disorder(firsts(worker.begun))).toEqual([])
    expect(worker.cells()).toBe(1)
  })

  it("(10) with no memory left: new asks fail at once and say why, acks go on, and afterwards asks work again", async () => {
    let finish = () => {}
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    const begun: Array<number> = []
    const worker = actor(Work, {
      item: async (n) => {
        begun.push(n)
        await finished
      },
      echo: (n) => n,
    })
    // Caller and callee share the link that is blocked.
    const tree = [child(worker, { id: "alarm" }), child(worker, { id: "idle" })]
    const system = await start(supervisor("app", {}, tree))
    const { item } = system.ref(Work, "alarm")
    const { echo } = system.ref(Work, "idle")
    await item(1)
    await eventually("the handler runs", () => begun.length === 1)
    await node.blockByMemory()
    // The broker tells nobody before they publish.
    expect((await echo.outcome(0, { timeout: 1000 })).ok).toBe(false)
    await eventually("the node knows", async () => /block/.test(system.printTree()))
    for (const n of upTo(20)) {
      const began = performance.now()
      const outcome = await echo.outcome(n, { timeout: "10 seconds" })
      expect(performance.now() - began).toBeLessThan(100)
      const reason = !outcome.ok && outcome.error instanceof AskError ? outcome.error.reason : undefined
      expect(reason).toBeInstanceOf(Disconnected)
      expect(reason?.message).toMatch(/the broker blocks publishers: .*memory/)
      expect(reason?.retrySafe).toBe(true)
    }
    const queue = names().mailbox({ domain: "acme", type: "work", id: "alarm", major: 1 })
    const messages = async () => {
      const rows = await node.ctl(["list_queues", "--no-table-headers", "name", "messages"])
      return Number(new RegExp(`^${queue.replaceAll(".", "\\.")}\\s+(\\d+)`, "m").exec(rows)?.[1])
    }
    await eventually("it is unacked", async () => (await messages()) === 1)
    finish()
    await eventually("it is acked", async () => (await messages()) === 0)
    await node.unblock()
    await eventually("asks work again", async () => (await echo.outcome(7, { timeout: 1000 })).ok)
    expect(begun).toEqual([1])
  })
})
