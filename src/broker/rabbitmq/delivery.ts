// What the client library hands out, as the port's `Delivery`.
//
// D1. The second ack or nack of a delivery does nothing: a tag that the broker does not know costs the channel.
// D2. Neither does one after the channel or the link is gone: the broker has already put the message back.

import type { AsyncMessage, Channel, SyncMessage } from "rabbitmq-client"
import type { Delivery, Incoming, QueueSpec } from "../broker.ts"

type Received = AsyncMessage | SyncMessage
type Writable<A> = { -readonly [Key in keyof A]: A[Key] }

export interface Origin {
  readonly channel: Channel
  /** Undefined for a queue that was not declared on this link. */
  readonly queueType: QueueSpec["type"] | undefined
  /** False once the link is lost or closed. */
  readonly alive: () => boolean
}

export const toDelivery = (received: Received, origin: Origin): Delivery => {
  const { channel, alive } = origin
  const { deliveryTag } = received
  const message = toIncoming(received)
  const redelivered = received.redelivered === true
  let settled = false
  const settle = (): boolean => {
    if (settled || !channel.active || !alive()) return false
    settled = true
    return true
  }
  return {
    message,
    redelivered,
    returns: countReturns(message.headers["x-delivery-count"], redelivered, origin.queueType),
    ack: () => {
      if (settle()) channel.basicAck({ deliveryTag })
    },
    nack: ({ requeue }) => {
      if (settle()) channel.basicNack({ deliveryTag, requeue })
    },
  }
}

/**
 * A quorum queue counts in `x-delivery-count`, from the first return on; on a first delivery the header can only be the
 * sender's. From 4.3 a nack is not counted, only a lost consumer is.
 */
export const countReturns = (
  header: unknown,
  redelivered: boolean,
  type: QueueSpec["type"] | undefined,
): number | undefined => {
  if (type === "classic" || type === "stream") return undefined
  if (type === "quorum" && !redelivered) return 0
  if (typeof header === "number" && Number.isSafeInteger(header) && header >= 0) return header
  return type === "quorum" ? 0 : undefined
}

const toIncoming = (received: Received): Incoming => {
  const message: Writable<Incoming> = {
    exchange: received.exchange,
    routingKey: received.routingKey,
    body: received.body as Buffer,
    headers: received.headers ?? {},
    persistent: received.durable === true,
  }
  const { contentType, contentEncoding, correlationId, replyTo, messageId, type, appId, timestamp, expiration } =
    received
  if (contentType !== undefined) message.contentType = contentType
  if (contentEncoding !== undefined) message.contentEncoding = contentEncoding
  if (correlationId !== undefined) message.correlationId = correlationId
  if (replyTo !== undefined) message.replyTo = replyTo
  if (messageId !== undefined) message.messageId = messageId
  if (type !== undefined) message.type = type
  if (appId !== undefined) message.appId = appId
  if (timestamp !== undefined) message.timestamp = timestamp * 1000
  if (expiration !== undefined && /^\d+$/.test(expiration)) message.expiration = Number(expiration)
  return message
}
