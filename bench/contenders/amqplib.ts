// Amqplib by hand: what a good engineer writes on the bare library, with nothing in between.
//
// 1. One connection and one channel on each side; replies come by direct reply-to and find their caller in a Map.
// 2. A request is acked after its reply is on its way, so that a server that dies loses none.
// 3. A call has no timer of its own: one coarse sweep rejects what has waited too long.

import { type Channel, type ChannelModel, type ConsumeMessage, connect, type Options } from "amqplib"
import type { AskClient, AskLoad, AskServer, Contender, Durability, Payload, Place, TellClient } from "../contender.ts"
import { working } from "../contender.ts"

/** Unacked messages a consumer may hold: more than any load has in flight. */
const prefetch = 2_000

/** Milliseconds between two sweeps; a call is given up after one to two of them. */
const sweepEvery = 10_000

const replyTo = "amq.rabbitmq.reply-to"

/** Neither kind outlives a run that was killed: the one goes with its connection, the other a minute later. */
const queues: Record<Durability, Options.AssertQueue> = {
  durable: { durable: true, expires: 60_000, arguments: { "x-queue-type": "quorum" } },
  transient: { durable: false, exclusive: true, arguments: { "x-queue-type": "classic" } },
}

const askQueue = (place: Place, actor: number): string => `${place.prefix}-ask-${actor}`
const tellQueue = (place: Place): string => `${place.prefix}-tell`

// Nagle off: a reply and its ack are two small writes, and would cost 40 ms together.
const open = (place: Place): Promise<ChannelModel> => connect(place.url, { noDelay: true })

const encode = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const decode = (message: ConsumeMessage): unknown => JSON.parse(message.content.toString())

/** Declares the queues and consumes each; `stop` takes them away again. */
const serve = async (
  place: Place,
  durability: Durability,
  names: ReadonlyArray<string>,
  receive: (channel: Channel, message: ConsumeMessage) => void,
): Promise<AskServer> => {
  const connection = await open(place)
  const channel = await connection.createChannel()
  let stopping = false
  await channel.prefetch(prefetch)
  for (const name of names) {
    await channel.assertQueue(name, queues[durability])
    await channel.consume(name, (message) => {
      if (message !== null) receive(channel, message)
      else if (!stopping) throw new Error(`the broker cancelled the consumer of ${name}: somebody deleted the queue`)
    })
  }
  const stop = async (): Promise<void> => {
    stopping = true
    for (const name of names) await channel.deleteQueue(name)
    await connection.close()
  }
  return { stop }
}

const serveAsks = (load: AskLoad, place: Place): Promise<AskServer> => {
  const handle = async (payload: unknown): Promise<unknown> => {
    const wait = working(load.work)
    if (wait) await wait
    return payload
  }
  const answer = async (channel: Channel, message: ConsumeMessage): Promise<void> => {
    const reply = await handle(decode(message))
    const { correlationId, replyTo: caller } = message.properties
    channel.sendToQueue(caller, encode(reply), { correlationId })
    channel.ack(message)
  }
  const names = Array.from({ length: load.actors }, (_, actor) => askQueue(place, actor))
  return serve(place, load.durability, names, (channel, message) => void answer(channel, message))
}

interface Call {
  readonly resolve: (reply: unknown) => void
  readonly reject: (reason: Error) => void
  /** How many sweeps there had been when it was sent. */
  readonly sweep: number
}

const askClient = async (load: AskLoad, place: Place): Promise<AskClient> => {
  const connection = await open(place)
  const channel = await connection.createChannel()
  const calls = new Map<string, Call>()
  const persistent = load.durability === "durable"
  const names = Array.from({ length: load.actors }, (_, actor) => askQueue(place, actor))
  let sweeps = 0
  let calledSoFar = 0

  const giveUp = (reason: string, when: (call: Call) => boolean): void => {
    for (const [id, call] of calls) {
      if (!when(call)) continue
      calls.delete(id)
      call.reject(new Error(reason))
    }
  }
  const sweeping = setInterval(() => {
    giveUp(`no reply within ${sweepEvery} ms`, (call) => call.sweep < sweeps)
    sweeps += 1
  }, sweepEvery)
  channel.on("close", () => giveUp("the channel closed before the reply came", () => true))

  const receive = (message: ConsumeMessage | null): void => {
    if (message === null) return
    const id: string = message.properties.correlationId
    const call = calls.get(id)
    if (call === undefined) return
    calls.delete(id)
    call.resolve(decode(message))
  }
  await channel.consume(replyTo, receive, { noAck: true })

  const ask = (actor: number, payload: Payload): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const correlationId = String(calledSoFar++)
      calls.set(correlationId, { resolve, reject, sweep: sweeps })
      channel.sendToQueue(names[actor]!, encode(payload), { correlationId, replyTo, persistent })
    })
  const stop = async (): Promise<void> => {
    clearInterval(sweeping)
    await connection.close()
  }
  return { ask, stop }
}

const serveTells = (place: Place, handled: () => void): Promise<AskServer> =>
  serve(place, "durable", [tellQueue(place)], (channel, message) => {
    decode(message)
    handled()
    channel.ack(message)
  })

const tellClient = async (place: Place): Promise<TellClient> => {
  const connection = await open(place)
  const channel = await connection.createConfirmChannel()
  const queue = tellQueue(place)
  const tell = (payload: Payload): Promise<unknown> =>
    new Promise<void>((resolve, reject) => {
      channel.sendToQueue(queue, encode(payload), { persistent: true }, (refused) => {
        if (refused) reject(refused)
        else resolve()
      })
    })
  return { tell, stop: () => connection.close() }
}

export const contenders: ReadonlyArray<Contender> = [
  {
    name: "amqplib",
    settings:
      "By hand on the bare library: noDelay, one channel a side, direct reply-to and a Map of calls, " +
      "a sweep instead of timers, prefetch 2000, each request acked after its reply is written in both durabilities, " +
      "tells on a confirm channel with one callback each.",
    serveAsks,
    askClient,
    serveTells,
    tellClient,
  },
]
