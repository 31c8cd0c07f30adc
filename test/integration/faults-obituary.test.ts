// What nodes learn from a broker that tells of connections which end: RabbitMQ with its plugin rabbitmq_event_exchange.

import { Connection } from "rabbitmq-client"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { type BrokerNode, brokerOfThisRun, controllable, openNetwork, startNode } from "../../scripts/broker/index.ts"
import { RabbitMq } from "../../src/broker/rabbitmq/rabbitmq.ts"
import type { Change } from "../../src/presence/listed.ts"
import { endedKey, eventExchange, grace } from "../../src/presence/obituary.ts"
import { names } from "../../src/wire/names.ts"
import { aMember } from "../unit/presence-fixture.ts"
import { eventually } from "./eventually.ts"
import type { PresentSettings } from "./fixtures/present.ts"
import { type PresentNode, present } from "./presence-nodes.ts"
import { startProgram } from "./program.ts"

const { source } = brokerOfThisRun()
/** ms: a death would take 9 s to be noticed. */
const interval = 5_000
const prefix = "warren"

describe.skipIf(!controllable(source))(
  "where the broker tells of connections (skipped on one given by AMQP_URL)",
  () => {
    let broker: BrokerNode
    const afterwards: Array<() => unknown> = []
    beforeAll(async () => {
      broker = await startNode(source, { plugins: ["rabbitmq_event_exchange"] })
    })
    afterEach(async () => {
      for (const work of afterwards.splice(0).reverse()) await work()
    })
    afterAll(() => broker?.[Symbol.asyncDispose]())

    const join = async (url: string, address?: string, every = interval): Promise<PresentNode> => {
      const node = await present(RabbitMq.layer(url), names(prefix), every)
      if (address !== undefined) node.presence.add(() => aMember({ address }))
      afterwards.push(() => node.stop())
      await node.start()
      return node
    }
    /** What a node is told of others, from when it knows this one. */
    const watching = async ({ registry }: PresentNode, address: string) => {
      const changes: Array<Change & { readonly at: number }> = []
      await registry.watch({}, (change) => changes.push({ ...change, at: performance.now() }))
      await eventually("it is alive", () => changes.at(-1)?.member.address === address)
      changes.splice(0)
      return changes
    }
    const kinds = (changes: ReadonlyArray<Change>) => changes.map(({ kind }) => kind)
    /** The worker, in a process of its own. */
    const startWorker = async (every = interval) => {
      const settings: PresentSettings = { url: broker.url, prefix, address: "acme/worker/1", interval: every, block: 0 }
      const program = startProgram("present.ts", { ...settings })
      afterwards.push(() => program[Symbol.asyncDispose]())
      await eventually("it is up", () => program.diary().includes("up")).catch((error: Error) => {
        throw new Error(`${error.message}: ${program.output()}`)
      })
      return program
    }

    it("a process that is killed is suspect within a second and gone within three, whatever its interval (12)", async () => {
      const observer = await join(broker.url)
      const program = await startWorker()
      const changes = await watching(observer, "acme/worker/1")
      program.signal("SIGKILL")
      const killed = performance.now()
      await eventually("it is gone", () => kinds(changes).includes("left"))
      expect(kinds(changes)).toStrictEqual(["suspect", "left"])
      const [suspect, left] = changes
      expect(suspect).toMatchObject({ why: expect.stringMatching(/^the broker saw its connection end /) })
      expect(suspect!.at - killed).toBeLessThan(1_000)
      expect(left).toMatchObject({ why: expect.stringMatching(/^the broker saw its connection end /) })
      expect(left!.at - killed).toBeGreaterThan(grace - 100)
      expect(left!.at - killed).toBeLessThan(3_000)
    })

    it("a process that stops in good order is gone at once, and was never suspect (12)", async () => {
      const observer = await join(broker.url)
      const program = await startWorker()
      const changes = await watching(observer, "acme/worker/1")
      program.signal("SIGTERM")
      await program.ended
      await eventually("it is gone", () => kinds(changes).includes("left"))
      expect(changes).toMatchObject([{ kind: "left", why: "its node has stopped" }])
    })

    it("a link that is cut and comes back is no death (12)", async () => {
      await using network = await openNetwork(broker.url)
      const observer = await join(broker.url)
      const worker = await join(network.url, "acme/worker/1")
      const changes = await watching(observer, "acme/worker/1")
      let gone = 0
      afterwards.push(observer.presence.onGone("acme/worker/1", () => gone++))
      const isAlive = async () => (await observer.registry.list({ type: "worker" }))[0]?.health === "alive"
      for (let flap = 0; flap < 3; flap++) {
        const former = worker.node.connection.link
        network.cut()
        await eventually("it is back", () => ![undefined, former].includes(worker.node.connection.link))
      }
      const until = performance.now() + grace + 500
      await eventually("time passes", () => performance.now() > until)
      await eventually("it is alive", isAlive)
      expect(kinds(changes)).toContain("suspect")
      expect(kinds(changes)).not.toContain("left")
      expect(gone).toBe(0)
    })

    it("a message that somebody has dead-lettered to where the broker tells is not believed (7)", async () => {
      const observer = await join(broker.url)
      const worker = await join(broker.url, "acme/worker/1")
      const changes = await watching(observer, "acme/worker/1")
      const headers = { user_provided_name: `warren consuming ${worker.node.connection.link!.id}` }
      const forger = new Connection(broker.url)
      forger.on("error", () => {})
      afterwards.push(() => forger.unsafeDestroy())
      const channel = await forger.acquire()
      const proof = `${prefix}.proof`
      await channel.queueDeclare({ queue: proof, durable: true })
      await channel.queueBind({ queue: proof, exchange: eventExchange, routingKey: endedKey })
      const lethal = {
        "x-message-ttl": 0,
        "x-dead-letter-exchange": eventExchange,
        "x-dead-letter-routing-key": endedKey,
      }
      await channel.queueDeclare({ queue: `${prefix}.lethal`, durable: true, arguments: lethal })
      await channel.basicPublish({ routingKey: `${prefix}.lethal`, headers }, Buffer.alloc(0))
      await eventually("it has arrived", async () => {
        const { messageCount } = await channel.queueDeclare({ queue: proof, passive: true })
        return messageCount > 0
      })
      await observer.registry.find({ type: "worker" }) // a round trip, behind what has come
      expect(changes).toStrictEqual([])
      await channel.confirmSelect()
      const direct = channel.basicPublish({ exchange: eventExchange, routingKey: endedKey, headers }, Buffer.alloc(0))
      await expect(direct, "nor can anybody publish there").rejects.toThrow("cannot publish to internal exchange")
    })

    it("a user who may not hear of it learns of deaths by silence (12)", async () => {
      await broker.ctl(["add_user", "low", "low"])
      await broker.ctl(["set_permissions", "low", "^warren\\.", "^(warren\\.|amq\\.default$)", "^warren\\."])
      const every = 500
      const observer = await join(broker.url.replace("guest:guest", "low:low"), undefined, every)
      const program = await startWorker(every)
      const changes = await watching(observer, "acme/worker/1")
      program.signal("SIGKILL")
      await eventually("it is gone", () => kinds(changes).includes("left"))
      expect(changes.at(-1)).toMatchObject({ why: expect.stringMatching(/^no beat for/) })
    })
  },
)
