// What becomes of reminders when processes and brokers are killed, and when the broker takes back what is held for long.

import { setTimeout as delay } from "node:timers/promises"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { type BrokerNode, brokerOfThisRun, controllable, startNode } from "../../scripts/broker/index.ts"
import { ActorSystem } from "../../src/index.ts"
import { names } from "../../src/wire/names.ts"
import { eventually } from "./eventually.ts"
import { Alarm } from "./fixtures/alarm.ts"
import type { RemindingSettings, Rung } from "./fixtures/reminding.ts"
import { type Program, startProgram } from "./program.ts"
import { openSideLink, type SideLink } from "./side-link.ts"

const run = brokerOfThisRun()
const prefix = `${run.prefix}-reminders`
const address = (id: string) => ({ domain: "acme", type: "alarm", id, major: 1 })

/** What was heard, in order, each once: what is heard again has the same id, and says so. */
const rung = (...programs: ReadonlyArray<Program>): ReadonlyArray<Rung> => {
  const all = programs
    .flatMap((program) => program.diary())
    .filter((line) => line.startsWith("{"))
    .map((line): Rung => JSON.parse(line))
    .sort((a, b) => a.at - b.at)
  const heard = new Map<string, Rung>()
  for (const each of all) {
    if (!heard.has(each.id)) heard.set(each.id, each)
    // Who is killed may not have acked its last mail either.
    else expect(each.repeated || each.attempt > 1, JSON.stringify(all)).toBe(true)
  }
  return [...heard.values()]
}
const of = (name: string, ...programs: ReadonlyArray<Program>) => rung(...programs).filter((each) => each.name === name)
const second = 1_000

/** Every occurrence is told of, and none twice but by what says that it may be. */
const isComplete = (all: ReadonlyArray<Rung>, every: number): void => {
  let next = all[0]?.due ?? 0
  for (const { due, missed, repeated } of all) {
    expect(due <= next && (due === next || repeated), JSON.stringify(all)).toBe(true)
    next = due + (missed + 1) * every
  }
}

describe("the reminders of a process", () => {
  let side: SideLink
  const programs: Array<Program> = []
  const systems: Array<ActorSystem> = []
  const queues: Array<string> = []
  /** A broker that a test may hurt. */
  let node: BrokerNode | undefined

  beforeAll(async () => {
    side = await openSideLink(run.url)
  })
  afterEach(async () => {
    for (const program of programs.splice(0)) await program[Symbol.asyncDispose]()
    for (const system of systems.splice(0)) await system.stop()
    for (const queue of queues.splice(0)) await side.deleteQueue(queue)
    await node?.[Symbol.asyncDispose]()
    node = undefined
  })
  afterAll(async () => {
    await side?.deleteQueue(names(prefix).deadLetters)
    await side?.[Symbol.asyncDispose]()
  })

  const start = async (settings: RemindingSettings): Promise<Program> => {
    const program = startProgram("reminding.ts", { ...settings })
    programs.push(program)
    await eventually("it is up", async () => program.diary().includes("up")).catch((error: Error) => {
      throw new Error(`${error.message}: ${program.output()}`)
    })
    return program
  }
  /** An alarm clock at a broker: its processes, and a client for it. */
  const clock = async (id: string, url = run.url) => {
    queues.push(names(prefix).mailbox(address(id)), names(prefix).reminders(address(id)))
    const system = await ActorSystem.start({ domain: "acme", broker: url, prefix, signals: false, logLevel: "None" })
    systems.push(system)
    return { process: () => start({ url, prefix, id }), ref: system.ref(Alarm, id) }
  }

  it("outlive it: killed with -9, what fell due meanwhile comes once to the next, late, with what was missed", async () => {
    const { process, ref } = await clock("killed")
    const first = await process()
    await ref.set({ name: "beat", after: second, every: second })
    await ref.set({ name: "once", after: 2_500 })
    await eventually("it rings", () => rung(first).length === 2)
    first.signal("SIGKILL")
    await first.ended
    await delay(4_000)
    const next = await process()
    await eventually("it rings again", () => of("beat", next).length >= 3)
    const late = of("beat", next).find(({ missed }) => missed > 0)
    expect(late?.missed).toBeGreaterThanOrEqual(3)
    expect(of("beat", first, next).filter(({ missed }) => missed >= 3)).toHaveLength(1)
    isComplete(of("beat", first, next), second)
    expect(of("once", first, next)).toMatchObject([{ missed: 0, payload: "once" }])
    expect(await ref.list()).toEqual(["beat"])
  })

  it("are kept by the other one when one of two is killed with -9: each comes once", async () => {
    const { process, ref } = await clock("two")
    const [keeper, other] = [await process(), await process()]
    await ref.set({ name: "beat", after: second, every: second })
    for (let n = 0; n < 20; n++) await ref.set({ name: `once ${n}`, after: 3_000 + 10 * n })
    await eventually("it rings", () => of("beat", keeper, other).length >= 2)
    keeper.signal("SIGKILL")
    await keeper.ended
    await eventually("all have rung", () => rung(keeper, other).length >= 6 + 20)
    expect(rung(keeper, other).filter(({ name }) => name !== "beat")).toHaveLength(20)
    isComplete(of("beat", keeper, other), second)
    expect(Math.max(...of("beat", keeper, other).map(({ at, due }) => at - due))).toBeLessThan(second)
  })

  it("come once, from the other one, when the one that keeps them is frozen", async () => {
    const { process, ref } = await clock("frozen", `${run.url}?heartbeat=1`)
    const [frozen, other] = [await process(), await process()]
    await ref.set({ name: "once", after: 3_000 })
    frozen.signal("SIGSTOP")
    await eventually("the other one rings", () => rung(other).length === 1, 30_000)
    frozen.signal("SIGCONT")
    await delay(1_000)
    const all = rung(frozen, other)
    expect(all.map(({ name }) => name)).toEqual(["once"])
  })

  describe.skipIf(!controllable(run.source))("at a broker of their own (skipped on a broker given by AMQP_URL)", () => {
    it("outlive it: killed with -9 and started again, it has them, and each comes once", async () => {
      node = await startNode(run.source)
      const { process, ref } = await clock("broker", node.url)
      const program = await process()
      await ref.set({ name: "beat", after: second, every: second })
      await ref.set({ name: "once", after: 4_000 })
      await eventually("it rings", () => rung(program).length === 2)
      await node.ctl(["eval", "[dets:sync(Table) || Table <- dets:all()]."])
      await node.kill9()
      await node.start()
      const before = rung(program).length
      await eventually("it rings again", () => rung(program).length >= before + 4, 30_000)
      isComplete(of("beat", program), second)
      expect(of("once", program)).toHaveLength(1)
    })

    it("survive that it takes back what is held for long, and come once", async () => {
      node = await startNode(run.source)
      for (const [name, ms] of Object.entries({ consumer_timeout: 3_000, channel_tick_interval: 1_000 })) {
        await node.ctl(["eval", `application:set_env(rabbit, ${name}, ${ms}).`])
      }
      const { process, ref } = await clock("timeout", node.url)
      const program = await process()
      await ref.set({ name: "once", after: 12_000 })
      await ref.set({ name: "beat", after: 11_000, every: 2_000 })
      await eventually("they ring", () => of("beat", program).length === 2, 30_000)
      expect(of("once", program)).toMatchObject([{ missed: 0 }])
      isComplete(of("beat", program), 2_000)
    })
  })
})
