// A publish as one piece of bytes: basic.publish, the properties and the body (AMQP 0-9-1, 2.3.5 and 4.2.6).
//
// E1. The bytes are those that rabbitmq-client would write, frame by frame, for the same message.
// E2. What is rare is left to the library: a table of headers, a body of no frame or of several.

import * as frames from "./frames.ts"

/** What a publish says, each text at most 255 bytes of UTF-8. */
export interface Publish {
  readonly exchange: string
  readonly routingKey: string
  readonly mandatory: boolean
  readonly durable: boolean
  readonly contentType: string | undefined
  readonly contentEncoding: string | undefined
  readonly headers: Readonly<Record<string, unknown>> | undefined
  readonly correlationId: string | undefined
  readonly replyTo: string | undefined
  /** ms, in digits. */
  readonly expiration: string | undefined
  readonly messageId: string | undefined
  /** s since the epoch. */
  readonly timestamp: number | undefined
  readonly type: string | undefined
  readonly appId: string | undefined
}

const basicPublish = 0x003c0028
const classBasic = 0x003c0000
/** Type, channel and size before the payload, the octet behind it. */
const envelope = 8
/** The method's id, two reserved octets, the flags; and without the two texts. */
const methodRest = 4 + 2 + 1
/** Class, weight, the size of the body, the flags of the properties, the delivery mode. */
const headerRest = 4 + 8 + 2 + 1

/** Undefined for what is left to the library (E2). @param frameMax bytes. */
export const encodePublish = (
  channelId: number,
  message: Publish,
  body: Uint8Array,
  frameMax: number,
): Buffer | undefined => {
  const content = body.byteLength
  if (message.headers !== undefined || content === 0 || content > frameMax - envelope) return undefined
  const { exchange, routingKey, contentType, contentEncoding, correlationId, replyTo } = message
  const { expiration, messageId, timestamp, type, appId } = message
  const method = methodRest + sizeOf(exchange) + sizeOf(routingKey)
  const header =
    headerRest +
    sizeOf(contentType) +
    sizeOf(contentEncoding) +
    sizeOf(correlationId) +
    sizeOf(replyTo) +
    sizeOf(expiration) +
    sizeOf(messageId) +
    (timestamp === undefined ? 0 : 8) +
    sizeOf(type) +
    sizeOf(appId)
  const bytes = Buffer.allocUnsafe(3 * envelope + method + header + content)

  let at = begin(bytes, 0, frames.method, channelId, method)
  bytes.writeUInt32BE(basicPublish, at)
  bytes.writeUInt16BE(0, at + 4)
  at = writeText(bytes, at + 6, exchange)
  at = writeText(bytes, at, routingKey)
  bytes[at] = message.mandatory ? 1 : 0
  at = end(bytes, at + 1)

  at = begin(bytes, at, frames.header, channelId, header)
  bytes.writeUInt32BE(classBasic, at)
  bytes.writeUInt32BE(0, at + 4)
  bytes.writeUInt32BE(content, at + 8)
  const flags =
    (contentType === undefined ? 0 : 0x8000) |
    (contentEncoding === undefined ? 0 : 0x4000) |
    0x1000 |
    (correlationId === undefined ? 0 : 0x0400) |
    (replyTo === undefined ? 0 : 0x0200) |
    (expiration === undefined ? 0 : 0x0100) |
    (messageId === undefined ? 0 : 0x0080) |
    (timestamp === undefined ? 0 : 0x0040) |
    (type === undefined ? 0 : 0x0020) |
    (appId === undefined ? 0 : 0x0008)
  bytes.writeUInt16BE(flags, at + 12)
  at = writeText(bytes, at + 14, contentType)
  at = writeText(bytes, at, contentEncoding)
  bytes[at++] = message.durable ? 2 : 1
  at = writeText(bytes, at, correlationId)
  at = writeText(bytes, at, replyTo)
  at = writeText(bytes, at, expiration)
  at = writeText(bytes, at, messageId)
  if (timestamp !== undefined) at = bytes.writeBigUInt64BE(BigInt(timestamp), at)
  at = writeText(bytes, at, type)
  at = writeText(bytes, at, appId)
  at = end(bytes, at)

  at = begin(bytes, at, frames.body, channelId, content)
  bytes.set(body, at)
  end(bytes, at + content)
  return bytes
}

const begin = (bytes: Buffer, at: number, type: number, channelId: number, size: number): number => {
  bytes[at] = type
  bytes.writeUInt16BE(channelId, at + 1)
  return bytes.writeUInt32BE(size, at + 3)
}

const end = (bytes: Buffer, at: number): number => {
  bytes[at] = frames.frameEnd
  return at + 1
}

const sizeOf = (text: string | undefined): number => (text === undefined ? 0 : 1 + Buffer.byteLength(text))

const writeText = (bytes: Buffer, at: number, text: string | undefined): number => {
  if (text === undefined) return at
  const length = bytes.write(text, at + 1)
  bytes[at] = length
  return at + 1 + length
}
