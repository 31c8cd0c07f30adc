// What becomes of goals when processes are killed or frozen, links are cut and inboxes lost, when the broker dies, and when
// it allows no message to be handled for long (docs/semantics.md, "Actions").

import { Effect, Exit, Scope } from "effect"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import {
  type BrokerNode,
  brokerOfThisRun,
  controllable,
  type Network,
  openNetwork,
  startNode,
} from "../../scripts/broker/index.ts"
import { Broker } from "../../src/broker/broker.ts"
import { RabbitMq } from "../../src/broker/rabbitmq/rabbitmq.ts"
import { ActorSystem, AskError, child, type GoalHandle, type GoalOutcome, supervisor } from "../../src/index.ts"
import { names } from "../../src/wire/names.ts"
import { eventually } from "./eventually.ts"
import { type Broken, Factory, factory } from "./fixtures/factory.ts"
import type { FactorySettings } from "./fixtures/factory-member.ts"
import { type Program, startProgram } from "./program.ts"
import { rejection } from "./rejection.ts"
import { openSideLink, type SideLink } from "./side-link.ts"

const run = brokerOfThisRun()
const prefix = `${run.prefix}-goals`
/** ms */
const interval = 500
const upTo = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)

type Counting = GoalHandle<number, ReadonlyArray<number>, Broken>

const reaches = async (goal: Counting, step: number): Promise<void> => {
  for await (const at of goal.feedback) if (at >= step) return
  throw new Error(`it ended (${goal.status}) before step ${step}`)
}

const whyAborted = (outcome: GoalOutcome<unknown, Broken>): AskError["reason"] => {
  if (outcome.status === "aborted" && outcome.error instanceof AskError) return outcome.error.reason
  throw new Error(`it ended otherwise: ${JSON.stringify(outcome)}`)
}

describe("a goal", () => {
  let side: SideLink
  const programs: Array<Program> = []
  const systems: Array<ActorSystem> = []
  const nets: Array<Network> = []
  const queues = new Set<string>()

  beforeAll(async () => {
    side = await openSideLink(run.url)
  })
  afterEach(async () => {
    for (const program of programs.splice(0)) await program[Symbol.asyncDispose]()
    for (const system of systems.splice(0).reverse()) await system.stop()
    for (const net of nets.splice(0)) await net[Symbol.asyncDispose]()
    for (const queue of queues) await side.deleteQueue(queue)
    queues.clear()
  })
  afterAll(async () => {
    await side?.deleteQueue(names(prefix).deadLetters)
    await side?.[Symbol.asyncDispose]()
  })

  const claim = (id: string): string => {
    queues.add(names(prefix).mailbox({ domain: "acme", type: "factory", id, major: 1 }))
    return id
  }
  const startSystem = async (url = run.url, executes?: { readonly id: string; readonly log: Array<string> }) => {
    const options = { domain: "acme", prefix, presence: { interval }, signals: false, logLevel: "None" } as const
    const tree = executes && supervisor("app", {}, [child(factory(executes.log), { id: claim(executes.id) })])
    const system = await ActorSystem.start({ ...options, broker: url, ...(tree && { tree }) })
    systems.push(system)
    return system
  }
  const startNet = async (): Promise<Network> => {
    const net = await openNetwork(run.url)
    nets.push(net)
    return net
  }
  const start = async (fixture: string, settings: Partial<FactorySettings>): Promise<Program> => {
    const program = startProgram(fixture, { url: run.url, prefix, interval, ...settings })
    programs.push(program)
    return program
  }
  const startMember = async (id: string): Promise<Program> => {
    const program = await start("factory-member.ts", { id: claim(id) })
    await eventually("the member is up", () => program.diary().some((line) => line.startsWith("up"))).catch(
      (error: Error) => {
        throw new Error(`${error.message}: ${program.output()}`)
      },
    )
    return program
  }

  it("whose executor is killed with -9 is aborted within two intervals, and says why", async () => {
    const member = await startMember("killed")
    const ref = (await startSystem()).ref(Factory, "killed")
    const goals = [await ref.count({ steps: 10_000, each: 10 }), await ref.count({ steps: 10_000, each: 10 })]
    for (const goal of goals) await reaches(goal, 2)
    member.signal("SIGKILL")
    const killed = performance.now()
    for (const goal of goals) {
      const reason = whyAborted(await goal.outcome)
      expect(reason).toMatchObject({ _tag: "Disconnected", sent: true, why: expect.stringContaining("is gone") })
    }
    expect(performance.now() - killed).toBeLessThan(2 * interval + 250)
    expect(await rejection(ref.count.goal(goals[0]!.id))).toMatchObject({ reason: { _tag: "Disconnected" } })
    await startMember("killed")
    const next = await ref.count({ steps: 2, each: 1 })
    expect(await next.result).toEqual([0, 1])
    // What was accepted was acked. If it was killed in the moment between, the next member is given that, and told to stop.
    await eventually("nothing else goes on", async () => {
      const goals = await ref.count.goals()
      return goals.length > 0 && goals.every(({ id, status }) => id === next.id || status === "canceled")
    })
  })

  it("whose executor is frozen is aborted, and does not go on when that thaws: it is canceled there", async () => {
    const member = await startMember("frozen")
    const ref = (await startSystem()).ref(Factory, "frozen")
    const goal = await ref.count({ steps: 10_000, each: 10 })
    await reaches(goal, 2)
    member.signal("SIGSTOP")
    expect(whyAborted(await goal.outcome)).toMatchObject({ _tag: "Disconnected" })
    member.signal("SIGCONT")
    await eventually("it is canceled", () => member.diary().some((line) => line.startsWith(`stop ${goal.id}`)))
  })

  it("whose client is killed with -9 goes on and is found again by its id; unless it asked for the opposite", async () => {
    const member = await startMember("left")
    const client = await start("factory-client.ts", { id: "left" })
    await eventually("its goals are accepted", () => client.diary().length === 2)
    const [kept, left] = client.diary() as [string, string]
    client.signal("SIGKILL")
    const killed = performance.now()
    await eventually("one is canceled", () => member.diary().some((line) => line.startsWith(`stop ${left}`)))
    expect(performance.now() - killed).toBeLessThan(2 * interval + 500)
    const ref = (await startSystem()).ref(Factory, "left")
    const found = await ref.count.goal(kept)
    expect(found.status).toBe("executing")
    expect(await found.result).toEqual(upTo(200))
    expect((await ref.count.goals()).map(({ id, status }) => [id, status])).toEqual([
      [kept, "succeeded"],
      [left, "canceled"],
    ])
  })

  it("survives cuts of both links: its handler runs once, its feedback goes on, its result arrives (9)", async () => {
    const [clientNet, executorNet] = [await startNet(), await startNet()]
    const log: Array<string> = []
    await startSystem(executorNet.url, { id: "cut", log })
    const ref = (await startSystem(clientNet.url)).ref(Factory, "cut")
    const goal = await ref.count({ steps: 300, each: 10 })
    const seen: Array<number> = []
    const reading = (async () => {
      for await (const step of goal.feedback) seen.push(step)
    })()
    for (const [step, net] of [
      [20, clientNet],
      [60, executorNet],
      [100, clientNet],
    ] as const) {
      await eventually(`step ${step}`, () => (seen.at(-1) ?? 0) >= step)
      net.cut()
    }
    clientNet.cut()
    executorNet.cut()
    expect(await goal.result).toEqual(upTo(300))
    await reading
    expect(seen.at(-1)).toBe(299)
    expect(seen, "never back").toEqual([...seen].sort((a, b) => a - b))
    expect(log).toEqual([`begin ${goal.id}`, `end ${goal.id}`])
  })

  it("is cancelled over a link that was away when the cancel was called (9)", async () => {
    const [clientNet, executorNet] = [await startNet(), await startNet()]
    const log: Array<string> = []
    await startSystem(executorNet.url, { id: "away", log })
    const ref = (await startSystem(clientNet.url)).ref(Factory, "away")
    const goal = await ref.count({ steps: 10_000, each: 10 })
    await reaches(goal, 2)
    executorNet.cut()
    clientNet.cut()
    await goal.cancel()
    expect(await goal.outcome).toMatchObject({ status: "canceled" })
  })

  it.for(["client", "executor"] as const)(
    "survives the loss of the inbox of its %s, also when its end or a cancel was in it",
    async (whose) => {
      const log: Array<string> = []
      const id = `inbox-${whose}`
      const executor = await startSystem(run.url, { id, log })
      const client = await startSystem()
      const ref = client.ref(Factory, id)
      const inbox = names(prefix).inbox((whose === "client" ? client : executor).node, 1)
      const goal = await ref.count({ steps: 30, each: 10 })
      await reaches(goal, 2)
      await side.deleteQueue(inbox) // for a moment reports, or orders, go nowhere
      if (whose === "executor") void goal.cancel()
      const began = performance.now()
      expect((await goal.outcome).status).toBe(whose === "client" ? "succeeded" : "canceled")
      expect(performance.now() - began, "it did not wait to be asked again in time").toBeLessThan(10_000)
    },
  )
})

describe.skipIf(!controllable(run.source))("a goal on a broker of its own (skipped on one given by AMQP_URL)", () => {
  let broker: BrokerNode
  const systems: Array<ActorSystem> = []
  /** ms that the broker lets a message be unacked, scaled down; it looks twice a second. */
  const timeout = 1_500

  beforeAll(async () => {
    broker = await startNode(run.source, { config: `consumer_timeout = ${timeout}` })
    await broker.ctl(["eval", "application:set_env(rabbit, channel_tick_interval, 500)."])
  })
  afterEach(async () => {
    for (const system of systems.splice(0).reverse()) await system.stop()
  })
  afterAll(() => broker?.[Symbol.asyncDispose]())

  const startSystem = async (executes?: { readonly id: string; readonly log: Array<string> }) => {
    const options = { domain: "acme", broker: broker.url, signals: false, logLevel: "None" } as const
    const tree = executes && supervisor("app", {}, [child(factory(executes.log), { id: executes.id })])
    const system = await ActorSystem.start({ ...options, ...(tree && { tree }) })
    systems.push(system)
    return system
  }

  it("takes as long as it takes, twenty times what the broker allows for a message", async () => {
    const log: Array<string> = []
    await startSystem({ id: "long", log })
    const ref = (await startSystem()).ref(Factory, "long")
    const began = performance.now()
    const goal = await ref.count({ steps: 300, each: 100 })
    expect(await consumerTimesOut(broker.url), "the broker means it").toBe(true)
    expect(await goal.result).toEqual(upTo(300))
    expect(performance.now() - began).toBeGreaterThan(20 * timeout)
    expect(log).toEqual([`begin ${goal.id}`, `end ${goal.id}`])
    expect(await ref.incarnation()).toBe(1)
  })

  it("survives the broker, killed with -9 and started again", async () => {
    const log: Array<string> = []
    await startSystem({ id: "restart", log })
    const ref = (await startSystem()).ref(Factory, "restart")
    // A quorum queue is on disk only after a moment; a broker that dies before that loses it (seen on 4.0.5).
    await broker.ctl(["eval", "[dets:sync(Table) || Table <- dets:all()]."])
    const goal = await ref.count({ steps: 200, each: 10 })
    await reaches(goal, 5)
    await broker.kill9()
    await eventually("it ends meanwhile", () => log.includes(`end ${goal.id}`))
    await broker.start()
    expect(await goal.result).toEqual(upTo(200))
  })
})

/** Whether the broker ends a consumer that keeps a message unacked. */
const consumerTimesOut = async (url: string): Promise<boolean> => {
  const scope = Scope.makeUnsafe()
  const opening = Effect.flatMap(Broker, (broker) => broker.connect)
  const link = await Effect.runPromise(
    opening.pipe(Effect.provide(RabbitMq.layer(url)), Effect.provideService(Scope.Scope, scope)),
  )
  let ended = false
  const queue = { name: "unacked", type: "quorum", deliveryLimit: 10 } as const
  await Effect.runPromise(link.declareQueue(queue))
  const cancelled = () => {
    ended = true
  }
  await Effect.runPromise(link.consume(queue.name, { prefetch: 1 }, { delivery: () => {}, cancelled }))
  link.publish({ exchange: "", routingKey: queue.name, body: Buffer.from("x"), persistent: true }, () => {})
  await eventually("the broker ends the consumer", () => ended, 30_000).catch(() => {})
  await Effect.runPromise(Effect.ignore(link.deleteQueue(queue.name)))
  await Effect.runPromise(Scope.close(scope, Exit.void))
  return ended
}
