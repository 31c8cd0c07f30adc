// Moleculer over its AMQP transporter: a service with one action, called through a broker on the other side.

import { ServiceBroker, Transporters } from "moleculer"
import type { AskClient, AskLoad, AskServer, Contender, Durability, Payload, Place } from "../contender.ts"
import { working } from "../contender.ts"

const service = "echo"

const oneQueue = (load: AskLoad): void => {
  if (load.actors > 1) {
    throw new Error(
      `not offered: a Moleculer node takes its requests from one queue, and ${load.actors} were asked for; run it with 1`,
    )
  }
}

/** The packet that carries a call, as Moleculer's protocol names it. */
const request = "REQ"

type Meta = Parameters<InstanceType<typeof Transporters.AMQP>["send"]>[2]

/** Its options reach all queues and all messages alike; this transporter stores the requests and nothing else. */
class StoredRequests extends Transporters.AMQP {
  override _getQueueOptions(packet: string, balanced?: boolean) {
    const options = super._getQueueOptions(packet, balanced)
    return packet === request ? { ...options, arguments: { "x-queue-type": "quorum" } } : options
  }

  override async send(topic: string, data: Buffer, meta: Meta): Promise<void> {
    if (meta.packet.type !== request || this.channel === null) return super.send(topic, data, meta)
    this.channel.sendToQueue(topic, data, { persistent: true })
  }
}

// The default balancing stays on: RabbitMQ's (disableBalancer) is no faster, and loses calls made just after the start,
// because the node subscribes to the shared queue only some hundred ms later.
const broker = (durability: Durability, place: Place, role: "server" | "client"): ServiceBroker => {
  const options = {
    url: place.url,
    prefetch: 2_000,
    socketOptions: { noDelay: true },
    // Gone with the last node; the queues go by themselves two minutes later.
    exchangeOptions: { autoDelete: true },
  }
  return new ServiceBroker({
    namespace: place.prefix,
    nodeID: role,
    logger: { type: "Console", options: { level: "error" } },
    transporter: durability === "durable" ? new StoredRequests(options) : new Transporters.AMQP(options),
  })
}

const serveAsks = async (load: AskLoad, place: Place): Promise<AskServer> => {
  oneQueue(load)
  const server = broker(load.durability, place, "server")
  server.createService({
    name: service,
    actions: {
      ask: async (context) => {
        const wait = working(load.work)
        if (wait) await wait
        return context.params
      },
    },
  })
  await server.start()
  return { stop: () => server.stop() }
}

const askClient = async (load: AskLoad, place: Place): Promise<AskClient> => {
  oneQueue(load)
  const client = broker(load.durability, place, "client")
  await client.start()
  await client.waitForServices(service, 10_000)
  return {
    ask: (_actor: number, payload: Payload) => client.call(`${service}.ask`, payload),
    stop: () => client.stop(),
  }
}

export const contenders: ReadonlyArray<Contender> = [
  {
    name: "Moleculer",
    settings:
      "One action, noDelay, prefetch 2000 (its default is 1), else as it comes: JSON, no request timeout, each request " +
      "acked after its reply in both durabilities, replies over a classic queue per node; durable takes a small subclass " +
      "of its AMQP transporter, as its own options would store replies and heartbeats along with the requests.",
    serveAsks,
    askClient,
  },
]
