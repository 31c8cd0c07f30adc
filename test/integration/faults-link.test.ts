// What asks go through when the network fails between a node and its broker.

import { setTimeout as delay } from "node:timers/promises"
import { afterEach, describe, expect, it } from "vitest"
import { brokerOfThisRun, type Network, openNetwork } from "../../scripts/broker/index.ts"
import { type ActorOptions, ActorSystem, AskError, actor, child, supervisor } from "../../src/index.ts"
import { names } from "../../src/wire/names.ts"
import { eventually } from "./eventually.ts"
import { Work } from "./fixtures/work.ts"
import { openSideLink } from "./side-link.ts"

const run = brokerOfThisRun()
const prefix = `${run.prefix}-link`
const upTo = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)

/** A caller and a callee, each with a network of its own. */
interface Pair {
  readonly caller: ActorSystem
  readonly callerNet: Network
  readonly calleeNet: Network
  readonly callee: ActorSystem
  /** What the handler has begun, in order. */
  readonly begun: ReadonlyArray<number>
  /** Cells that were started. */
  readonly cells: () => number
  readonly close: () => Promise<void>
}

/** @param work ms that an item takes. */
const openPair = async (id: string, work: number, options: ActorOptions = {}): Promise<Pair> => {
  const nets: Array<Network> = []
  const url = async () => {
    const net = await openNetwork(run.url)
    nets.push(net)
    return Object.assign(new URL(net.url), { search: "?heartbeat=1" }).href
  }
  const begun: Array<number> = []
  let cells = 0
  const handle = async (n: number) => {
    begun.push(n)
    if (work > 0) await delay(work)
    return n
  }
  const hooks = { onStart: () => void cells++ }
  const worker = actor(Work, { item: async (n) => void (await handle(n)), echo: handle }, { ...options, hooks })
  const settings = { domain: "acme", prefix, signals: false, logLevel: "None" } as const
  const tree = supervisor("app", {}, [child(worker, { id })])
  const callee = await ActorSystem.start({ ...settings, broker: await url(), tree })
  const caller = await ActorSystem.start({ ...settings, broker: await url() })
  const close = async () => {
    await caller.stop()
    await callee.stop()
    for (const net of nets) await net[Symbol.asyncDispose]()
    const side = await openSideLink(run.url)
    await side.deleteQueue(names(prefix).mailbox({ domain: "acme", type: "work", id, major: 1 }))
    await side.deleteQueue(names(prefix).sharedMailbox("acme", "shared"))
    await side.deleteQueue(names(prefix).deadLetters)
    await side[Symbol.asyncDispose]()
  }
  return { caller, callee, callerNet: nets[1]!, calleeNet: nets[0]!, begun, cells: () => cells, close }
}

describe("asks over a network that fails", () => {
  let pair: Pair
  afterEach(() => pair?.close())

  it("(4) survive cuts of the caller's link within their deadline", async () => {
    pair = await openPair("caller-cut", 5)
    const { echo } = pair.caller.ref(Work, "caller-cut")
    const asks = upTo(100).map((n) => echo(n, { timeout: "10 seconds" }))
    for (const reached of [10, 40, 70]) {
      await eventually("some are handled", () => pair.begun.length > reached)
      asks.push(echo(asks.length, { timeout: "10 seconds" })) // on its way, and not confirmed, when the link is lost
      await new Promise((sent) => setImmediate(sent))
      pair.callerNet.cut()
    }
    expect(await Promise.all(asks)).toEqual(upTo(103))
  })

  it.each([
    ["of its own", {}],
    ["that it shares", { queue: "shared" }],
  ])(
    "(4)(9) survive cuts of the callee's link, with a queue %s; nothing is handled twice, and the actor is not restarted",
    async (_, options) => {
      pair = await openPair("callee-cut", 5, options)
      const { echo } = pair.caller.ref(Work, "callee-cut")
      const asks = upTo(100).map((n) => echo(n, { timeout: "10 seconds" }))
      for (const reached of [10, 40, 70]) {
        await eventually("some are handled", () => pair.begun.length > reached)
        pair.calleeNet.cut()
      }
      expect(await Promise.all(asks)).toEqual(upTo(100))
      expect(pair.begun).toEqual(upTo(100)) // (5) in order as well
      expect(pair.cells()).toBe(1)
    },
  )

  it("(4) survive a link that goes silent, at the caller and at the callee", async () => {
    pair = await openPair("silent", 20)
    const { echo } = pair.caller.ref(Work, "silent")
    const asks = upTo(50).map((n) => echo(n, { timeout: "20 seconds" }))
    await eventually("some are handled", () => pair.begun.length > 10)
    pair.callerNet.stall()
    pair.calleeNet.stall()
    expect(await Promise.all(asks)).toEqual(upTo(50))
    expect(pair.cells()).toBe(1)
  })

  it("(4) end with TimedOut at their deadline when the reply is late, and a late reply reaches no later ask", async () => {
    pair = await openPair("late", 0, { concurrency: "unbounded" })
    pair.callerNet.latency(200)
    const { echo } = pair.caller.ref(Work, "late")
    const late = await Promise.all(
      upTo(20).map(async (n) => {
        const began = performance.now()
        const outcome = await echo.outcome(n, { timeout: 350 })
        return { outcome, after: performance.now() - began }
      }),
    )
    for (const { outcome, after } of late) {
      expect(!outcome.ok && outcome.error instanceof AskError && outcome.error.reason._tag).toBe("TimedOut")
      expect(after).toBeLessThan(500)
    }
    // Their replies are on the way while these are asked.
    const next = upTo(20).map((n) => n + 100)
    expect(await Promise.all(next.map((n) => echo(n)))).toEqual(next)
    expect(pair.begun).toEqual([...upTo(20), ...next])
  })

  it("(4) wait for the link up to their deadline when there is none, and fail then", async () => {
    pair = await openPair("gone", 0)
    const { echo } = pair.caller.ref(Work, "gone")
    await pair.callerNet[Symbol.asyncDispose]()
    const began = performance.now()
    const outcome = await echo.outcome(1, { timeout: 500 })
    expect(!outcome.ok && outcome.error instanceof AskError && outcome.error.reason._tag).toMatch(
      /^(TimedOut|Disconnected)$/,
    )
    expect(performance.now() - began).toBeLessThan(700)
    expect(pair.begun).toEqual([])
  })
})
