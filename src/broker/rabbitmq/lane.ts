// A confirm channel and what is in flight on it.
//
// A1. `basic.return` names a message by what it carries: id, exchange and key. One id may be in flight twice, so that each
//     return marks one message, the oldest that fits.

import type { Channel, Envelope } from "rabbitmq-client"
import type { Outgoing } from "../broker.ts"
import type { PublishFailure } from "../errors.ts"

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
  /** Oldest first. */
  readonly inFlight: Set<Pending>
  /** The mandatory ones by message id. */
  readonly mandatory: Map<string, Array<Pending>>
  /** What the library said when it rejected a publish: the reason of a channel's death comes that way. */
  error: unknown
  whenEmpty: (() => void) | undefined
}

export const openLane = (channel: Channel): Lane => {
  const mandatory = new Map<string, Array<Pending>>()
  channel.on("basic.return", ({ messageId, exchange, routingKey }) => {
    const found = mandatory
      .get(messageId ?? "")
      ?.find(({ returned, message }) => !returned && message.exchange === exchange && message.routingKey === routingKey)
    if (found !== undefined) found.returned = true
  })
  return { channel, inFlight: new Set(), mandatory, error: undefined, whenEmpty: undefined }
}

export const enter = (lane: Lane, pending: Pending): void => {
  lane.inFlight.add(pending)
  if (pending.message.mandatory !== true) return
  const same = lane.mandatory.get(pending.messageId!)
  if (same === undefined) lane.mandatory.set(pending.messageId!, [pending])
  else same.push(pending)
}

/** It is no longer in flight here; settling it is another matter. */
export const leave = (lane: Lane, pending: Pending): void => {
  lane.inFlight.delete(pending)
  if (pending.message.mandatory !== true) return
  const same = lane.mandatory.get(pending.messageId!)
  const index = same?.indexOf(pending) ?? -1
  if (index >= 0) same!.splice(index, 1)
  if (same?.length === 0) lane.mandatory.delete(pending.messageId!)
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

export const toEnvelope = ({ message, messageId }: Pending): Envelope => {
  const { exchange, routingKey, mandatory, persistent, headers, expiration, timestamp } = message
  const envelope = {
    exchange,
    routingKey,
    mandatory: mandatory === true,
    durable: persistent === true,
    // Said even when absent: the library would put its own clock there.
    timestamp: timestamp === undefined ? undefined : Math.floor(timestamp / 1000),
    headers,
    expiration: expiration === undefined ? undefined : String(expiration),
    contentType: message.contentType,
    contentEncoding: message.contentEncoding,
    correlationId: message.correlationId,
    replyTo: message.replyTo,
    messageId,
    type: message.type,
    appId: message.appId,
  }
  return envelope as Envelope
}
