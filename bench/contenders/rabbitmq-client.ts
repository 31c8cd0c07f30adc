// rabbitmq-client with its own RPCClient, Consumer and Publisher: tuned, and as its README has it.
//
// 1. Its RPC client never confirms: with `confirm: true` a reply that overtakes the confirm is thrown away.
// 2. A client's first call goes alone: calls that arrive while it sets itself up break its channel.

import { Connection, type ConnectionOptions, type ConsumerProps } from "rabbitmq-client"
import type {
  AskClient,
  AskLoad,
  AskServer,
  Contender,
  Durability,
  EventClient,
  ItemClient,
  Place,
  TellClient,
} from "../contender.ts"
import { working } from "../contender.ts"
import { payloadOf } from "../payload.ts"

/** What distinguishes the tuned contender from the one that takes what the library gives. */
interface Tuning {
  readonly connection: ConnectionOptions
  readonly consumer: Pick<ConsumerProps, "qos" | "concurrency" | "noAck">
}

const tuned: Tuning = {
  // Never more than the broker's 128 KiB: larger frames would arrive cut off.
  connection: { noDelay: true, frameMax: 131_072 },
  consumer: { qos: { prefetchCount: 1000 }, concurrency: Number.POSITIVE_INFINITY },
}
const defaults: Tuning = { connection: {}, consumer: {} }

/** Neither kind outlives a run that was killed: the one goes with its connection, the other a minute later. */
const queueOptions: Record<Durability, NonNullable<ConsumerProps["queueOptions"]>> = {
  durable: { durable: true, arguments: { "x-queue-type": "quorum", "x-expires": 60_000 } },
  transient: { exclusive: true, arguments: { "x-queue-type": "classic" } },
}

const askQueue = (place: Place, actor: number): string => `${place.prefix}-ask-${actor}`
const tellQueue = (place: Place): string => `${place.prefix}-tell`

const open = async (tuning: Tuning, place: Place): Promise<Connection> => {
  const connection = new Connection({ url: place.url, ...tuning.connection })
  connection.on("error", (error) => console.error("connection:", error))
  await connection.onConnect(10_000)
  return connection
}

type Handler = Parameters<Connection["createConsumer"]>[1]

/** Consumes each queue; `stop` takes the queues away again. */
const serve = async (
  tuning: Tuning,
  place: Place,
  durability: Durability,
  names: readonly string[],
  handler: Handler,
): Promise<AskServer> => {
  const connection = await open(tuning, place)
  const consumers = names.map((queue) =>
    connection.createConsumer({ queue, queueOptions: queueOptions[durability], ...tuning.consumer }, handler),
  )
  await Promise.all(
    consumers.map(
      (consumer) =>
        new Promise((resolve) => {
          consumer.on("error", (error) => console.error("consumer:", error))
          consumer.once("ready", resolve)
        }),
    ),
  )
  return {
    stop: async () => {
      await Promise.all(consumers.map((consumer) => consumer.close()))
      for (const queue of names) await connection.queueDelete({ queue })
      await connection.close()
    },
  }
}

const serveAsks =
  (tuning: Tuning) =>
  (load: AskLoad, place: Place): Promise<AskServer> => {
    const names = Array.from({ length: load.actors }, (_, actor) => askQueue(place, actor))
    return serve(tuning, place, load.durability, names, async (message, reply) => {
      const wait = working(load.work)
      if (wait) await wait
      await reply(message.body)
    })
  }

const askClient =
  (tuning: Tuning) =>
  async (load: AskLoad, place: Place): Promise<AskClient> => {
    const connection = await open(tuning, place)
    const client = connection.createRPCClient()
    const durable = load.durability === "durable"
    const targets = Array.from({ length: load.actors }, (_, actor) => ({ routingKey: askQueue(place, actor), durable }))
    const ask: AskClient["ask"] = async (actor, payload) => (await client.send(targets[actor]!, payload)).body
    await ask(0, payloadOf(load.size, 0))
    return {
      ask,
      stop: async () => {
        await client.close()
        await connection.close()
      },
    }
  }

const serveTells = (place: Place, handled: () => void): Promise<AskServer> =>
  serve(tuned, place, "durable", [tellQueue(place)], () => handled())

const tellClient = async (place: Place): Promise<TellClient> => {
  const connection = await open(tuned, place)
  const publisher = connection.createPublisher({ confirm: true })
  const target = { routingKey: tellQueue(place), durable: true }
  return {
    tell: (payload) => publisher.send(target, payload),
    stop: async () => {
      await publisher.close()
      await connection.close()
    },
  }
}

const eventExchange = (place: Place): string => `${place.prefix}-events`

/** A queue for each, without acks: the most that ten queues can do. */
const serveEvents = async (place: Place, subscribers: number, handled: () => void): Promise<AskServer> => {
  const connection = await open(tuned, place)
  const exchange = eventExchange(place)
  const consumers = Array.from({ length: subscribers }, (_, each) => {
    const queue = `${place.prefix}-events-${each}`
    return connection.createConsumer(
      {
        queue,
        queueOptions: queueOptions.transient,
        exchanges: [{ exchange, type: "topic", autoDelete: true }],
        queueBindings: [{ queue, exchange, routingKey: "ticker.0.ticked.#" }],
        noAck: true,
        concurrency: Number.POSITIVE_INFINITY,
      },
      () => handled(),
    )
  })
  await Promise.all(consumers.map((consumer) => new Promise((resolve) => consumer.once("ready", resolve))))
  return {
    stop: async () => {
      await Promise.all(consumers.map((consumer) => consumer.close()))
      await connection.close()
    },
  }
}

const eventClient = async (place: Place): Promise<EventClient> => {
  const connection = await open(tuned, place)
  const publisher = connection.createPublisher({ confirm: true })
  const target = { exchange: eventExchange(place), routingKey: "ticker.0.ticked" }
  return {
    emit: (payload) => publisher.send(target, payload),
    stop: async () => {
      await publisher.close()
      await connection.close()
    },
  }
}

const itemQueue = (place: Place): string => `${place.prefix}-items`

const serveItems = (place: Place, handled: () => void): Promise<AskServer> =>
  serve({ ...tuned, consumer: { ...tuned.consumer, noAck: true } }, place, "transient", [itemQueue(place)], () =>
    handled(),
  )

/** Messages on their way that are not confirmed: what is sent without confirms piles up at the broker. */
const inFlight = 1000

const itemClient = async (place: Place): Promise<ItemClient> => {
  const connection = await open(tuned, place)
  const publisher = connection.createPublisher({ confirm: true })
  let running = true
  const send = async () => {
    const payload = payloadOf(32, 1)
    while (running) await publisher.send(itemQueue(place), payload)
  }
  const sending = Promise.all(Array.from({ length: inFlight }, send))
  return {
    stop: async () => {
      running = false
      await sending
      await publisher.close()
      await connection.close()
    },
  }
}

export const tunedClient: Contender = {
  name: "rabbitmq-client, tuned",
  settings:
    "`noDelay`, frames of 128 KiB; `createRPCClient()` without confirms; consumers with a prefetch of 1,000 and " +
    "unlimited concurrency; tells and events by a Publisher with `confirm: true`; many actors are one consumer on one queue " +
    "each, and so are the subscribers of an event, without acks; a stream is a message per item, confirmed and without acks.",
  serveAsks: serveAsks(tuned),
  askClient: askClient(tuned),
  serveTells,
  tellClient,
  serveEvents,
  eventClient,
  serveItems,
  itemClient,
}

export const defaultClient: Contender = {
  name: "rabbitmq-client, defaults",
  settings:
    "RPCClient and Consumer as its README has them (Nagle's algorithm on), but without confirms, which lose replies.",
  serveAsks: serveAsks(defaults),
  askClient: askClient(defaults),
}
