// What streams go through when networks fail and processes are killed, and what a long one costs a process.

import { afterEach, describe, expect, it } from "vitest"
import { brokerOfThisRun, type Network, openNetwork } from "../../scripts/broker/index.ts"
import { ActorSystem, AskError, actor, child, supervisor, type Tree } from "../../src/index.ts"
import { window } from "../../src/streams/credit.ts"
import { eventually } from "./eventually.ts"
import { Flow } from "./fixtures/flow.ts"
import type { SourceSettings } from "./fixtures/source.ts"
import { type Program, startProgram } from "./program.ts"

const run = brokerOfThisRun()
const prefix = `${run.prefix}-streams`
const settings = { domain: "acme", prefix, signals: false, logLevel: "None" } as const
const MiB = 1024 * 1024

/** ms that a process takes to make one number, if there is nothing else to do with it. */
const costOfMaking = async (): Promise<number> => {
  const numbers = async function* () {
    for (let n = 0; n < 200_000; n++) yield n
  }
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    const began = performance.now()
    for await (const _ of numbers());
    best = Math.min(best, (performance.now() - began) / 200_000)
  }
  return best
}

describe("streams over a network that fails", () => {
  const nets: Array<Network> = []
  const systems: Array<ActorSystem> = []
  afterEach(async () => {
    for (const system of systems.splice(0).reverse()) await system.stop()
    for (const net of nets.splice(0)) await net[Symbol.asyncDispose]()
  })

  /** A caller and a callee, each with a network of its own. */
  const openPair = async (id: string) => {
    const start = async (tree?: Tree<never>) => {
      const net = await openNetwork(run.url)
      nets.push(net)
      const broker = Object.assign(new URL(net.url), { search: "?heartbeat=1" }).href
      const system = await ActorSystem.start({ ...settings, broker, ...(tree === undefined ? {} : { tree }) })
      systems.push(system)
      return { net, system }
    }
    let [begun, cells] = [0, 0]
    const flow = actor(
      Flow,
      {
        async *count(to) {
          begun++
          for (let n = 0; n < to; n++) yield n
        },
        idle: () => [1],
        check: async (items) => {
          let next = 0
          for await (const n of items) if (n !== next++) return -1
          return next
        },
      },
      { mailbox: "transient", hooks: { onStart: () => void cells++ } },
    )
    const callee = await start(supervisor("app", {}, [child(flow, { id })]))
    const caller = await start()
    const ref = caller.system.ref(Flow, id)
    return { ref, callerNet: caller.net, calleeNet: callee.net, begun: () => begun, cells: () => cells }
  }

  /** All of it, with something done in the middle; or what came before a failure, which has to be one that says so. */
  const take = async (items: AsyncIterable<number>, middle: (n: number) => void) => {
    let next = 0
    try {
      for await (const n of items) {
        expect(n, "nothing is missing, nothing comes twice").toBe(next++)
        middle(n)
      }
    } catch (error) {
      expect(error).toBeInstanceOf(AskError)
      return (error as AskError).reason._tag
    }
    return next
  }

  it.each(["callerNet", "calleeNet"] as const)(
    "(9) bring all 100,000 items once and in order when connections are cut in the middle (%s)",
    async (which) => {
      const pair = await openPair(`cut-${which}`)
      const end = await take(pair.ref.count(100_000), (n) => {
        if (n % 30_000 === 10_000) pair[which].cut()
      })
      expect(end).toBe(100_000)
      expect([pair.begun(), pair.cells()]).toEqual([1, 1])
    },
  )

  it("(9) bring the payload when both ends are cut", async () => {
    const { ref, callerNet, calleeNet } = await openPair("up")
    const numbers = async function* () {
      for (let n = 0; n < 100_000; n++) {
        if (n % 30_000 === 10_000) callerNet.cut()
        if (n % 30_000 === 20_000) calleeNet.cut()
        yield n
      }
    }
    expect(await ref.check(numbers())).toBe(100_000)
  })

  it.each(["callerNet", "calleeNet"] as const)(
    "(9) bring every item once, or end with a failure that says so, when a connection goes silent (%s)",
    async (which) => {
      const pair = await openPair(`silent-${which}`)
      const end = await take(pair.ref.count(50_000), (n) => {
        if (n === 10_000) pair[which].stall()
      })
      expect([50_000, "Disconnected"]).toContain(end)
    },
  )
})

describe("a process that makes a stream", () => {
  /** ms */
  const interval = 1_000
  const programs: Array<Program> = []
  let system: ActorSystem | undefined
  afterEach(async () => {
    await system?.stop()
    for (const program of programs.splice(0)) await program[Symbol.asyncDispose]()
  })
  const source = async (id: string) => {
    const own: SourceSettings = { url: run.url, prefix, id, interval }
    const program = startProgram("source.ts", { ...own })
    programs.push(program)
    await eventually("it is up", () => program.diary().includes("up")).catch((error: Error) => {
      throw new Error(`${error.message}: ${program.output()}`)
    })
    system = await ActorSystem.start({ ...settings, broker: run.url, presence: { interval } })
    return { program, ref: system.ref(Flow, id) }
  }

  it.each(["SIGKILL", "SIGSTOP"] as const)(
    "(12) ends its caller's loop with a failure that says so within two intervals of presence after a %s",
    async (signal) => {
      const { program, ref } = await source(`killed-${signal}`)
      const items = ref.idle()[Symbol.asyncIterator]()
      expect((await items.next()).value).toBe(1)
      const next = items.next().then(
        () => undefined,
        (error: unknown) => ({ error, at: performance.now() }),
      )
      const killed = performance.now()
      program.signal(signal)
      const end = await next
      expect(end?.error).toMatchObject({ reason: { _tag: "Disconnected", sent: true }, retrySafe: false })
      expect(end!.at - killed).toBeLessThan(2 * interval + 250)
      program.signal("SIGCONT")
      if (signal === "SIGSTOP") await eventually("thawed, it hears of it", () => program.diary().includes("ended"))
    },
  )

  it("(12) ends it in the middle, too: all that came is in order", async () => {
    const { program, ref } = await source("killed-busy")
    let next = 0
    const failure = await (async () => {
      for await (const n of ref.count(100_000_000)) {
        expect(n).toBe(next++)
        if (n === 200_000) program.signal("SIGKILL")
      }
      return undefined
    })().catch((error: unknown) => error)
    expect(failure).toMatchObject({ reason: { _tag: "Disconnected" } })
    expect(next).toBeGreaterThan(200_000)
  })

  it("(12) ends within two intervals when its caller is killed; its clean-up runs", async () => {
    let ended = 0
    const flow = actor(
      Flow,
      {
        count: () => [],
        async *idle(_, { signal }) {
          try {
            yield 1
            await new Promise((resolve) => signal.addEventListener("abort", resolve))
          } finally {
            ended = performance.now()
          }
        },
        check: () => 0,
      },
      { mailbox: "transient" },
    )
    const tree = supervisor("app", {}, [child(flow, { id: "left" })])
    system = await ActorSystem.start({ ...settings, broker: run.url, presence: { interval }, tree })
    const own: SourceSettings = { url: run.url, prefix, id: "left", interval }
    const caller = startProgram("sink.ts", { ...own })
    programs.push(caller)
    await eventually("it takes", () => caller.diary().includes("got 1"))
    const killed = performance.now()
    caller.signal("SIGKILL")
    await eventually("the far end has ended", () => ended > 0)
    expect(ended - killed).toBeLessThan(2 * interval + 250)
  })

  it("(10) needs no more memory for 1,000,000 items to a consumer 100 times slower, and is never more than its window ahead", async () => {
    const { program, ref } = await source("flat")
    const each = 100 * (await costOfMaking())
    const began = performance.now()
    const made = () => Number(/made (\d+)/.exec(program.diary().at(-1) ?? "")?.[1] ?? 0)
    let [taken, ahead] = [0, 0]
    for await (const _ of ref.count(1_000_000)) {
      taken++
      if (taken % 1_000 !== 0) continue
      ahead = Math.max(ahead, made() - taken)
      const early = began + taken * each - performance.now()
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
    }
    expect(taken).toBe(1_000_000)
    expect(ahead).toBeLessThanOrEqual(window.items)
    const heaps = program.diary().flatMap((line) => /heap (\d+)/.exec(line)?.slice(1).map(Number) ?? [])
    expect(heaps).toHaveLength(10)
    // The first two are of a process that has not warmed up.
    const [low, high] = [Math.min(...heaps.slice(2)), Math.max(...heaps.slice(2))]
    expect(high - low).toBeLessThan(8 * MiB)
  }, 120_000)
})
