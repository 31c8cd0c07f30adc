// The broker contract on a real RabbitMQ, over a network that can be cut; and what only a network can do to it.

import { once } from "node:events"
import { type AddressInfo, createServer, type Server } from "node:net"
import { Effect } from "effect"
import { afterEach, describe, expect, it } from "vitest"
import { brokerOfThisRun, controllable, type Network, openNetwork, startNode } from "../../scripts/broker/index.ts"
import { Broker } from "../../src/broker/broker.ts"
import { LinkLost, NotFound, Refused } from "../../src/broker/errors.ts"
import { RabbitMq, type RabbitMqOptions } from "../../src/broker/rabbitmq/rabbitmq.ts"
import { eventually, listen, send } from "./bench.ts"
import { contract, type Rig } from "./contract.ts"

const brokerUrl = (): string => {
  const text = process.env.WARREN_TEST_AMQP_URL
  if (text === undefined || text === "") {
    throw new Error(
      "WARREN_TEST_AMQP_URL is not set: give the URL of a RabbitMQ for tests, e.g. amqp://guest:guest@127.0.0.1:5672",
    )
  }
  return text
}

/** A broker that was given by its URL is nobody's to hurt: there the alarm is not tested. */
const { source } = brokerOfThisRun()

const makeRig = async (): Promise<Rig> => {
  const node = controllable(source) ? await startNode(source) : undefined
  const network = await openNetwork(node?.url ?? brokerUrl())
  return {
    broker: RabbitMq.layer(network.url),
    cut: network.cut,
    alarm: node === undefined ? undefined : { raise: () => node.blockByMemory(), lift: () => node.unblock() },
    close: async () => {
      await network[Symbol.asyncDispose]()
      await node?.[Symbol.asyncDispose]()
    },
  }
}

contract("RabbitMQ", makeRig, { alarm: controllable(source) })

describe("RabbitMQ over a network", () => {
  const networks: Array<Network> = []
  const servers: Array<Server> = []
  afterEach(async () => {
    for (const network of networks.splice(0)) await network[Symbol.asyncDispose]()
    for (const server of servers.splice(0)) server.close()
  })

  /** Somebody accepts there, and says nothing. */
  const silentPort = async (): Promise<number> => {
    const server = createServer((socket) => void socket.on("error", () => {})).listen(0, "127.0.0.1")
    servers.push(server)
    await once(server, "listening")
    return (server.address() as AddressInfo).port
  }

  const url = async (change: (url: URL) => void = () => {}): Promise<string> => {
    const network = await openNetwork(brokerUrl())
    networks.push(network)
    const url = new URL(network.url)
    change(url)
    return url.href
  }
  const connect = Effect.flatMap(Broker, (broker) => broker.connect)
  const run = <A>(options: string | RabbitMqOptions, work: Effect.Effect<A, unknown, Broker>): Promise<A> =>
    Effect.runPromise(work.pipe(Effect.provide(RabbitMq.layer(options))) as Effect.Effect<A>)

  it.for([
    ["a wrong password", { password: "wrong" }, "password"],
    ["a user that does not exist", { username: "nobody-here" }, "user"],
    ["a vhost that does not exist", { pathname: "/nowhere" }, "vhost"],
  ] as const)("refuses %s for good, without showing a password", async ([, wrong, word]) => {
    const broken = await url((right) => void Object.assign(right, wrong))
    const refused = await run(broken, Effect.flip(Effect.scoped(connect)))
    expect(refused).toBeInstanceOf(Refused)
    expect(refused.message).toContain(word)
    expect(refused.message).not.toContain(new URL(broken).password)
  })

  it("says what the server is, and names the place without the password", async () => {
    const at = await url()
    const [name, capabilities] = await run(
      at,
      Effect.gen(function* () {
        const broker = yield* Broker
        const link = yield* broker.connect
        return [broker.name, link.capabilities] as const
      }).pipe(Effect.scoped),
    )
    expect(name).toContain("127.0.0.1")
    expect(name).not.toContain("guest")
    expect(capabilities).toEqual({ product: "RabbitMQ", version: expect.stringMatching(/^\d+\.\d+/) })
  })

  it("is worth a retry when nobody listens, when the name is unknown, and when the peer says nothing", async () => {
    const at = await url()
    const closed = new URL(at)
    await networks.pop()![Symbol.asyncDispose]()
    const unknown = new URL(at)
    unknown.hostname = "no-such-host.invalid"
    const mute = new URL(at)
    mute.port = String(await silentPort())
    for (const bad of [closed, unknown, mute]) {
      const lost = await run({ url: bad.href, connectTimeout: 500 }, Effect.flip(Effect.scoped(connect)))
      expect(lost).toBeInstanceOf(LinkLost)
    }
  })

  it("finds the one broker of several that lives, whatever the order", async () => {
    const alive = await url()
    const dead = new URL(alive)
    dead.port = "1"
    for (const random of [() => 0, () => 0.999]) {
      const layer = { url: [dead.href, alive, dead.href], random }
      expect(await run(layer, Effect.scoped(Effect.map(connect, (link) => link.capabilities.product)))).toBe("RabbitMQ")
    }
  })

  it("calls a frozen broker lost within about twice the heartbeat", async () => {
    const at = await url()
    const seconds = await run(
      { url: at, heartbeat: 1 },
      Effect.gen(function* () {
        const link = yield* connect
        networks[0]!.silence(true)
        const since = performance.now()
        const lost = yield* Effect.flip(link.lost).pipe(Effect.timeout(6000))
        expect(lost).toBeInstanceOf(LinkLost)
        return (performance.now() - since) / 1000
      }).pipe(Effect.scoped),
    )
    expect(seconds).toBeLessThan(4)
  })

  it("fails a publish whose confirm does not come, once and no later than a sweep after the time-out", async () => {
    const at = await url()
    await run(
      { url: at, heartbeat: 60, confirmTimeout: 200 },
      Effect.gen(function* () {
        const link = yield* connect
        const name = `warren-contract.timeout.${Date.now()}`
        yield* link.declareQueue({ name, type: "classic" })
        networks[0]!.silence(true)
        const failures: Array<unknown> = []
        for (let n = 0; n < 3; n++) {
          link.publish({ exchange: "", routingKey: name, body: Buffer.from("x") }, (failure) => failures.push(failure))
        }
        yield* eventually("three time-outs", () => failures.length === 3)
        expect(failures.map((failure) => (failure as { _tag: string })._tag)).toEqual(Array(3).fill("ConfirmTimedOut"))
        networks[0]!.silence(false)
        yield* send(link, name, "y")
        expect(failures).toHaveLength(3)
        yield* link.deleteQueue(name)
      }).pipe(Effect.scoped),
    )
  })

  it("tells each consumer of a channel that dies, once; what it held is put back, and the link lives", async () => {
    const at = await url()
    await run(
      at,
      Effect.gen(function* () {
        const [link, other] = [yield* connect, yield* connect]
        const name = `warren-contract.dying.${Date.now()}`
        const gone = `${name}.gone`
        yield* link.declareQueue({ name, type: "quorum" })
        yield* link.declareQueue({ name: gone, type: "classic" })
        const channel = yield* link.openChannel
        const [one, two, cancelled] = [
          yield* listen(channel, name, 1),
          yield* listen(channel, name, 1),
          yield* listen(channel, name, 1),
        ]
        yield* cancelled.consumer.cancel
        yield* send(link, name, "held")
        yield* one.nth(0)
        yield* other.deleteQueue(gone) // `link` takes it to be there still
        expect(yield* Effect.flip(listen(channel, gone, 1))).toBeInstanceOf(NotFound)
        yield* eventually("they are told", () => one.cancelled.length > 0 && two.cancelled.length > 0)
        one.deliveries[0]!.ack() // too late
        const failure = yield* Effect.flip(listen(channel, name, 1))
        expect(failure).toBeInstanceOf(LinkLost)
        expect(failure.message).toContain("open another channel")
        yield* channel.close
        const again = yield* listen(yield* link.openChannel, name, 1)
        expect((yield* again.nth(0)).redelivered).toBe(true)
        expect([one, two, cancelled, again].map((inbox) => inbox.cancelled.length)).toEqual([1, 1, 0, 0])
        yield* link.deleteQueue(name)
      }).pipe(Effect.scoped),
    )
  })

  it("gives the link up when the broker does not say that a channel is closed", async () => {
    const at = await url()
    await run(
      { url: at, heartbeat: 60, operationTimeout: 300 },
      Effect.gen(function* () {
        const link = yield* connect
        const name = `warren-contract.stuck.${Date.now()}`
        yield* link.declareQueue({ name, type: "classic", expires: 1000 })
        const channel = yield* link.openChannel
        const inbox = yield* listen(channel, name, 1)
        networks[0]!.silence(true)
        const failure = yield* Effect.flip(channel.close).pipe(Effect.timeout(1500))
        expect(failure).toBeInstanceOf(LinkLost)
        expect(failure.message).toContain("close a channel")
        expect(yield* Effect.flip(link.lost).pipe(Effect.timeout(100))).toEqual(failure)
        yield* channel.close
        expect(inbox.cancelled).toEqual([])
      }).pipe(Effect.scoped),
    )
  })

  it("closes within its bound when the broker does not answer", async () => {
    const at = await url()
    const since = await run(
      { url: at, closeTimeout: 300 },
      Effect.gen(function* () {
        const link = yield* connect
        const name = `warren-contract.close.${Date.now()}`
        yield* link.declareQueue({ name, type: "classic", expires: 1000 })
        networks[0]!.silence(true)
        return performance.now()
      }).pipe(Effect.scoped),
    )
    expect(performance.now() - since).toBeLessThan(1500)
  })

  it("leaves nothing open when it is interrupted while it connects", async () => {
    const at = new URL(brokerUrl())
    at.hostname = "127.0.0.1"
    at.port = String(await silentPort())
    const since = performance.now()
    await run(at.href, Effect.scoped(connect).pipe(Effect.timeout(100), Effect.exit))
    expect(performance.now() - since).toBeLessThan(1000)
  })
})
