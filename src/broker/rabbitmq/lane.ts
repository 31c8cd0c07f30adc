// A confirm channel and what is in flight on it.
//
// A1. `basic.return` names a message by what it carries: id, exchange and key. One id may be in flight twice, so that each
//     return marks one message, the oldest that fits.

import type { Channel } from "rabbitmq-client"
import type { Outgoing } from "../broker.ts"
import type { PublishFailure } from "../errors.ts"
import type { PublishOn } from "./internals.ts"
import type { Publish } from "./publish-frames.ts"

export interface Pending {
  message: Outgoing
  /** Always there for a mandatory message. */
  readonly messageId: string | undefined
  settled: (failure: PublishFailure | undefined) => void
  /** ms, on the publisher's clock. */
  readonly at: number
  returned: boolean
  done: boolean
}

export interface Lane {
  readonly channel: Channel
  readonly publish: PublishOn
  /** Oldest first. */
  readonly inFlight: Set<Pending>
  /** What the library said when it rejected a publish: the reason of a channel's death comes that way. */
  error: unknown
  whenEmpty: (() => void) | undefined
}

export const openLane = (channel: Channel, publish: PublishOn): Lane => {
  const inFlight = new Set<Pending>()
  channel.on("basic.return", ({ messageId, exchange, routingKey }) => {
    // Its confirm comes next, so that it is among the oldest.
    for (const pending of inFlight) {
      if (pending.returned || pending.messageId !== messageId) continue
      const { message } = pending
      if (message.mandatory !== true || message.exchange !== exchange || message.routingKey !== routingKey) continue
      pending.returned = true
      return
    }
  })
  return { channel, publish, inFlight, error: undefined, whenEmpty: undefined }
}

export const finish = (pending: Pending, failure: PublishFailure | undefined): void => {
  if (pending.done) return
  pending.done = true
  const { settled } = pending
  // A set through which much passes keeps it for a while: what hangs on it shall go now.
  pending.message = nothing
  pending.settled = ignore
  settled(failure)
}

const nothing: Outgoing = { exchange: "", routingKey: "", body: new Uint8Array() }
const ignore = () => {}

export const toPublish = ({ message, messageId }: Pending): Publish => ({
  exchange: message.exchange,
  routingKey: message.routingKey,
  mandatory: message.mandatory === true,
  durable: message.persistent === true,
  contentType: message.contentType,
  contentEncoding: message.contentEncoding,
  headers: message.headers,
  correlationId: message.correlationId,
  replyTo: message.replyTo,
  expiration: message.expiration === undefined ? undefined : String(message.expiration),
  messageId,
  timestamp: message.timestamp === undefined ? undefined : Math.floor(message.timestamp / 1000),
  type: message.type,
  appId: message.appId,
})
