// Warren for programs that use Effect: the running node as Layers, clients that give Effects.

export { CurrentJob } from "./actor/current.ts"
export { emit } from "./actor/emitting.ts"
export { Broker, type Delivery, type Incoming, type Link, type Outgoing, type QueueSpec } from "./broker/broker.ts"
export { Embedded, EmbeddedBroker } from "./broker/embedded/embedded.ts"
export type { BrokerError, PublishFailure } from "./broker/errors.ts"
export type { RabbitMqOptions } from "./broker/rabbitmq/rabbitmq.ts"
export * from "./index.ts"
export type { EffectClient } from "./protocol/client.ts"
export type { EffectGoalHandle } from "./protocol/goal.ts"
export type { EffectEvents, EffectSubscriptions } from "./protocol/subscription.ts"
export { Actors, Amqp, type StartError } from "./system/actors.ts"
// For actors that work on what lies at the broker.
export {
  type DeadLetter,
  type DeadReason,
  deadReasons,
  decodeDeadLetter,
  type EncodedDeadLetter,
  encodeDeadLetter,
  replay as replayDeadLetter,
} from "./wire/dead-letter.ts"
export type { Malformed } from "./wire/malformed.ts"
export { type Names, names } from "./wire/names.ts"
