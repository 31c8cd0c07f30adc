// The frames of AMQP 0-9-1 (specification 4.2) that make up nearly all of the traffic, decoded as rabbitmq-client would:
// deliveries, confirms, the properties of a message, and bodies.
//
// F1. A frame is taken when all of it is there, and not before. What is left of a chunk waits for the next.
// F2. What is not decoded here is left to the library, which knows the rest of the protocol.

export const method = 1
export const header = 2
export const body = 3
const heartbeat = 8
/** Type, channel and size before the payload; the octet behind it. */
const before = 7
export const frameEnd = 0xce

/** Class 60, methods 60 and 80. */
export const basicDeliver = 0x003c003c
const basicAck = 0x003c0050

/** As the library's own decoder makes them. */
export type Frame =
  | { readonly type: 1; readonly channelId: number; readonly methodId: number; readonly params: unknown }
  | { readonly type: 2; readonly channelId: number; readonly bodySize: number; readonly fields: Fields }
  | { readonly type: 3; readonly channelId: number; readonly payload: Buffer }
  | { readonly type: 8; readonly channelId: 0 }

/** Properties (1.8.3) in the order of their flags, but for the table of headers. */
export interface Fields {
  contentType?: string
  contentEncoding?: string
  deliveryMode?: number
  priority?: number
  correlationId?: string
  replyTo?: string
  expiration?: string
  messageId?: string
  /** s since the epoch. */
  timestamp?: number
  type?: string
  userId?: string
  appId?: string
  clusterId?: string
}

/** Cuts what arrives into frames. */
export class Frames {
  #rest: Buffer | undefined

  add(chunk: Buffer): void {
    this.#rest = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
  }

  /** The next frame, whole, or undefined. @throws Error when it does not end where it says. */
  next(): Buffer | undefined {
    const rest = this.#rest
    if (rest === undefined || rest.length < before) return undefined
    const length = before + rest.readUInt32BE(3) + 1
    if (rest.length < length) return undefined
    if (rest[length - 1] !== frameEnd) throw new Error("a frame does not end where it says")
    this.#rest = rest.length === length ? undefined : rest.subarray(length)
    return rest.subarray(0, length)
  }
}

/** Undefined for what is left to the library (F2). */
export const decode = (frame: Buffer): Frame | undefined => {
  const channelId = frame.readUInt16BE(1)
  switch (frame[0]) {
    case method:
      return decodeMethod(frame, channelId)
    case header:
      return decodeHeader(frame, channelId)
    case body:
      return { type: body, channelId, payload: frame.subarray(before, frame.length - 1) }
    case heartbeat:
      return { type: heartbeat, channelId: 0 }
    default:
      return undefined
  }
}

const decodeMethod = (frame: Buffer, channelId: number): Frame | undefined => {
  const methodId = frame.readUInt32BE(before)
  const reader = new Reader(frame, before + 4)
  if (methodId === basicAck) {
    const deliveryTag = reader.long()
    return { type: method, channelId, methodId, params: { deliveryTag, multiple: reader.octet() !== 0 } }
  }
  if (methodId !== basicDeliver) return undefined
  const consumerTag = reader.text()
  const deliveryTag = reader.long()
  const redelivered = reader.octet() !== 0
  const exchange = reader.text()
  const routingKey = reader.text()
  return { type: method, channelId, methodId, params: { consumerTag, deliveryTag, redelivered, exchange, routingKey } }
}

/** A table of headers, or more flags than fit sixteen bits. */
const others = 0x2001

const decodeHeader = (frame: Buffer, channelId: number): Frame | undefined => {
  const reader = new Reader(frame, before + 4)
  const bodySize = reader.long()
  const flags = reader.short()
  if ((flags & others) !== 0) return undefined
  const fields: Fields = {}
  if (flags & 0x8000) fields.contentType = reader.text()
  if (flags & 0x4000) fields.contentEncoding = reader.text()
  if (flags & 0x1000) fields.deliveryMode = reader.octet()
  if (flags & 0x0800) fields.priority = reader.octet()
  if (flags & 0x0400) fields.correlationId = reader.text()
  if (flags & 0x0200) fields.replyTo = reader.text()
  if (flags & 0x0100) fields.expiration = reader.text()
  if (flags & 0x0080) fields.messageId = reader.text()
  if (flags & 0x0040) fields.timestamp = reader.long()
  if (flags & 0x0020) fields.type = reader.text()
  if (flags & 0x0010) fields.userId = reader.text()
  if (flags & 0x0008) fields.appId = reader.text()
  if (flags & 0x0004) fields.clusterId = reader.text()
  return { type: header, channelId, bodySize, fields }
}

class Reader {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.#at = at
  }
  octet(): number {
    return this.#bytes.readUInt8(this.#at++)
  }
  short(): number {
    this.#at += 2
    return this.#bytes.readUInt16BE(this.#at - 2)
  }
  /** As a number: nothing here comes near 2^53. */
  long(): number {
    this.#at += 8
    return this.#bytes.readUInt32BE(this.#at - 8) * 2 ** 32 + this.#bytes.readUInt32BE(this.#at - 4)
  }
  text(): string {
    const length = this.octet()
    this.#at += length
    return this.#bytes.toString("utf8", this.#at - length, this.#at)
  }
}
