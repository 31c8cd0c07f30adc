// NestJS microservices over RabbitMQ: a controller with one message pattern, called through a ClientProxy.
//
// Nest's decorators are plain functions, and are called as such: this file has types that can be erased, no syntax.

import "reflect-metadata"
import { Controller, type INestMicroservice, Logger, Module } from "@nestjs/common"
import { NestFactory } from "@nestjs/core"
import {
  ClientProxyFactory,
  Ctx,
  MessagePattern,
  type MicroserviceOptions,
  Payload as Received,
  type RmqContext,
  type RmqOptions,
  Transport,
} from "@nestjs/microservices"
import { firstValueFrom } from "rxjs"
import type { AskClient, AskLoad, AskServer, Contender, Payload, Place } from "../contender.ts"
import { working } from "../contender.ts"

// Global in Nest, and the client would otherwise report its connection on the standard output.
Logger.overrideLogger(["error", "fatal"])

const pattern = "ask"

const oneQueue = (load: AskLoad): void => {
  if (load.actors > 1) {
    throw new Error(`not offered: a Nest microservice has one queue, and ${load.actors} were asked for; run it with 1`)
  }
}

type Settings = NonNullable<RmqOptions["options"]>

const settings = (load: AskLoad, place: Place): Settings => ({
  urls: [place.url],
  queue: `${place.prefix}-ask`,
  // Neither kind outlives a run that was killed: the one goes with its connection, the other a minute later.
  queueOptions:
    load.durability === "durable"
      ? { durable: true, expires: 60_000, arguments: { "x-queue-type": "quorum" } }
      : { durable: false, exclusive: true, arguments: { "x-queue-type": "classic" } },
  // Goes to amqp-connection-manager, which hands it on to the socket.
  socketOptions: { connectionOptions: { noDelay: true } },
})

/** The class a user would decorate; built for one load, as a handler knows its load only at run time. */
const controller = (load: AskLoad) => {
  const acks = load.durability === "durable"
  class Echo {
    async ask(payload: unknown, context: RmqContext): Promise<unknown> {
      const wait = working(load.work)
      if (wait) await wait
      // Nest replies after the handler returned, so the documented manual ack comes just before the reply.
      if (acks) context.getChannelRef().ack(context.getMessage())
      return payload
    }
  }
  Received()(Echo.prototype, "ask", 0)
  Ctx()(Echo.prototype, "ask", 1)
  MessagePattern(pattern)(Echo.prototype, "ask", Object.getOwnPropertyDescriptor(Echo.prototype, "ask")!)
  Controller()(Echo)
  return Echo
}

const serveAsks = async (load: AskLoad, place: Place): Promise<AskServer> => {
  oneQueue(load)
  class Root {}
  Module({ controllers: [controller(load)] })(Root)
  const options: Settings = {
    ...settings(load, place),
    noAck: load.durability !== "durable",
    prefetchCount: 2_000,
  }
  const service: INestMicroservice = await NestFactory.createMicroservice<MicroserviceOptions>(Root, {
    transport: Transport.RMQ,
    options,
  })
  await service.listen()
  return { stop: () => service.close() }
}

const askClient = async (load: AskLoad, place: Place): Promise<AskClient> => {
  oneQueue(load)
  const client = ClientProxyFactory.create({
    transport: Transport.RMQ,
    // The server has declared the queue, and an exclusive one may not be declared from here.
    options: { ...settings(load, place), noAssert: true, persistent: load.durability === "durable" },
  })
  await client.connect()
  return {
    ask: (_actor: number, payload: Payload) => firstValueFrom(client.send<unknown>(pattern, payload)),
    stop: async () => {
      await client.close()
    },
  }
}

export const contenders: ReadonlyArray<Contender> = [
  {
    name: "NestJS",
    settings:
      "One controller on one queue, noDelay through amqp-connection-manager, prefetch 2000; transient with noAck as Nest " +
      "comes, durable with noAck off and the documented manual ack in the handler, just before Nest sends the reply; " +
      "requests and replies go over confirm channels, which Nest has no option to turn off.",
    serveAsks,
    askClient,
  },
]
