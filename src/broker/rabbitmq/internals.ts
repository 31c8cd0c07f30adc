// What rabbitmq-client 5.0.8 keeps private and a correct link cannot do without. Everything that looks inside the library
// is in this file, and each look fails loudly when the library has changed: its version is pinned for that reason.
//
// I1. `server`: the library throws the server's properties away, so the first frame is read over its shoulder.
// I2. `adoptFrameMax`: channels split and join frames by the frame size that was asked for, not by the one that was
//     negotiated; a server with a smaller one would have its messages truncated. Called before the first channel.
// I3. `takeMessages`: the library parses bodies of `text/plain` and `application/json`, which loses bytes (invalid UTF-8,
//     big numbers, white space), and hands every message over in an event-loop turn of its own, which cuts batches to
//     pieces and costs a caller a turn at each end. Here a message is handed over as it is, when its last frame is read:
//     so what arrives together is handled together, and a `basic.return` is known before its confirm.
// I4. `coalesceWrites`: the library writes every publish and every ack by itself, a system call and a packet each. Here
//     all that is written before the event loop goes on leaves together.
// I5. `readAtOnce`: the library waits for two promises with each frame, and makes some kilobytes of garbage to read one.
//     Here all frames of a chunk are read in one go (frames.ts). Those of a rare kind are still decoded by the library, and
//     nothing behind them is looked at before what waits for them has run.
// I6. `publishOn`: the library takes a publish through a stream, a generator and three promises. Here it is one piece of
//     bytes (publish-frames.ts), written at once, and what waits for its confirm is told while that is read. Nothing else
//     may publish on such a channel. A full socket keeps what is written: the outbox bounds how much that can be.

import type { Socket } from "node:net"
import type { AsyncMessage, Channel, Connection, ReturnedMessage, SyncMessage } from "rabbitmq-client"
import * as codec from "rabbitmq-client/lib/codec.js"
import type { Capabilities } from "../broker.ts"
import { basicDeliver, decode, type Frame, Frames } from "./frames.ts"
import { encodePublish, type Publish } from "./publish-frames.ts"

interface Inside {
  readonly _socket: Socket
  readonly _handleChunk: (frame: Frame) => void
  readonly _opt: { frameMax: number }
  readonly _state: { readonly frameMax: number }
}

type Fields = Partial<AsyncMessage> & { readonly deliveryMode?: number }

interface Content {
  readonly methodFrame: {
    readonly methodId: number
    readonly params: { readonly consumerTag: string } & Partial<AsyncMessage & SyncMessage & ReturnedMessage>
  }
  readonly headerFrame: { readonly fields: Fields } | undefined
  readonly chunks: Array<Buffer> | undefined
  received: number
}

interface InsideChannel {
  readonly id: number
  readonly _conn: Inside
  readonly _state: {
    incoming: Content | undefined
    readonly maxFrameSize: number
    /** By delivery tag. */
    readonly unconfirmed: Map<number, Confirm>
    /** The next delivery tag. */
    deliveryCount: number
    readonly consumers: Map<string, (message: AsyncMessage) => void>
  }
  _onBody: (frame?: { readonly payload: Buffer }) => void
  readonly _handleRPC: (methodId: number, message: SyncMessage) => void
}

const changed = (what: string): Error =>
  new Error(`rabbitmq-client has no ${what} any more: Warren needs version 5.0.8 of it`)

/** Class 10, method 10: connection.start, the first thing that a server says. */
const connectionStart = 0x000a000a

/** Calls `seen` once per dial with what the server says it is. To be called right after `new Connection`. */
export const watchServer = (connection: Connection, seen: (server: Capabilities) => void): void => {
  const socket = (connection as unknown as Inside)._socket
  if (typeof socket?.read !== "function") throw changed("_socket")
  const read = socket.read
  socket.read = (bytes) => {
    const chunk = read.call(socket, bytes)
    if (chunk !== null && chunk.length > 8 && chunk.readUInt32BE(0) === connectionStart) {
      socket.read = read
      seen({ product: textField(chunk, "product") ?? "unknown", version: textField(chunk, "version") ?? "unknown" })
    }
    return chunk
  }
}

/** Finds a long string in an AMQP table by the bytes that announce it: length and name, `S`, length, text. */
const textField = (chunk: Buffer, name: string): string | undefined => {
  const label = Buffer.concat([Buffer.of(name.length), Buffer.from(`${name}S`)])
  const at = chunk.indexOf(label)
  if (at < 0) return undefined
  const start = at + label.length + 4
  return chunk.toString("utf8", start, start + chunk.readUInt32BE(start - 4))
}

/** Decodes one frame of any kind: it asks for its head, then for the rest. */
type DecodeFrame = (read: (bytes: number) => Promise<Buffer>) => Promise<Frame>

/** To be called when it is connected: nothing may be left in the socket that the library has not read. */
export const readAtOnce = (connection: Connection): void => {
  const inside = connection as unknown as Inside
  const { decodeFrame } = codec as unknown as { readonly decodeFrame?: DecodeFrame }
  const socket = inside._socket
  if (typeof inside._handleChunk !== "function") throw changed("Connection._handleChunk")
  if (decodeFrame === undefined) throw changed("codec.decodeFrame")
  if (socket.readableLength > 0) throw new Error("the broker spoke before it was asked")
  const frames = new Frames()
  let waiting = false
  const take = () => {
    waiting = false
    try {
      for (let bytes = frames.next(); bytes !== undefined && !socket.destroyed; bytes = frames.next()) {
        const frame = decode(bytes)
        if (frame === undefined) {
          waiting = true
          return leave(bytes)
        }
        inside._handleChunk(frame)
      }
    } catch (error) {
      socket.destroy(error as Error) // as the library does
    }
  }
  const leave = (bytes: Buffer) => {
    let at = 0
    const read = async (count: number) => {
      at += count
      return bytes.subarray(at - count, at)
    }
    decodeFrame(read).then(
      (frame) => {
        try {
          if (!socket.destroyed) inside._handleChunk(frame)
        } catch (error) {
          socket.destroy(error as Error)
        }
        process.nextTick(take) // after every promise that it has settled
      },
      (error: Error) => socket.destroy(error),
    )
  }
  socket.removeAllListeners("readable")
  socket.on("data", (chunk: Buffer) => {
    frames.add(chunk)
    if (!waiting) take()
  })
}

/** Makes channels use the negotiated frame size, and returns it (bytes). */
export const adoptFrameMax = (connection: Connection): number => {
  const inside = connection as unknown as Inside
  const negotiated = inside._state?.frameMax
  if (typeof negotiated !== "number" || typeof inside._opt?.frameMax !== "number") throw changed("_state.frameMax")
  inside._opt.frameMax = negotiated
  return negotiated
}

/** To be called once it is connected. The library corks around each frame, and for as long as the broker blocks it. */
export const coalesceWrites = (connection: Connection): void => {
  const socket = (connection as unknown as Inside)._socket
  if (typeof socket?.cork !== "function") throw changed("_socket")
  const cork = socket.cork
  let holding = false
  socket.cork = () => {
    cork.call(socket)
    if (holding) return
    holding = true
    cork.call(socket)
    process.nextTick(() => {
      holding = false
      socket.uncork()
    })
  }
}

/** Class 60, methods 50 and 71: with `basicDeliver` the frames that a message follows. */
const basicReturn = 0x003c0032
const basicGetOk = 0x003c0047

/** Hands over every message that arrives on this channel as it was sent, its body a Buffer. */
export const takeMessages = (channel: Channel): void => {
  const inside = channel as unknown as InsideChannel
  const { _state: state } = inside
  if (typeof inside._onBody !== "function" || typeof inside._handleRPC !== "function") throw changed("Channel._onBody")
  if (!(state?.consumers instanceof Map)) throw changed("Channel._state.consumers")
  inside._onBody = (frame) => {
    const { incoming } = state
    if (incoming?.chunks === undefined || incoming.headerFrame === undefined) throw changed("Channel._state.incoming")
    if (frame !== undefined) incoming.chunks[incoming.received++] = frame.payload
    if (incoming.received < incoming.chunks.length) return
    state.incoming = undefined
    const { methodFrame, headerFrame, chunks } = incoming
    const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    const message = asMessage(methodFrame.params, headerFrame.fields, body)
    switch (methodFrame.methodId) {
      case basicDeliver:
        return apart(() => state.consumers.get(methodFrame.params.consumerTag)?.(message))
      case basicReturn:
        return apart(() => channel.emit("basic.return", message))
      case basicGetOk:
        return inside._handleRPC(basicGetOk, message)
    }
  }
}

/** Always of one shape, whatever properties were sent: the library's own way makes a new one for nearly every message. */
const asMessage = (params: Content["methodFrame"]["params"], fields: Fields, body: Buffer) =>
  ({
    consumerTag: params.consumerTag,
    deliveryTag: params.deliveryTag,
    redelivered: params.redelivered,
    exchange: params.exchange,
    routingKey: params.routingKey,
    messageCount: params.messageCount,
    replyCode: params.replyCode,
    replyText: params.replyText,
    contentType: fields.contentType,
    contentEncoding: fields.contentEncoding,
    headers: fields.headers,
    correlationId: fields.correlationId,
    replyTo: fields.replyTo,
    expiration: fields.expiration,
    messageId: fields.messageId,
    timestamp: fields.timestamp,
    type: fields.type,
    appId: fields.appId,
    durable: fields.deliveryMode === 2,
    body,
  }) as unknown as AsyncMessage & SyncMessage & ReturnedMessage

/** What the library calls when a publish is confirmed, or never will be. */
class Confirm {
  readonly #settled: (error: unknown) => void

  constructor(settled: (error: unknown) => void) {
    this.#settled = settled
  }
  resolve(): void {
    apart(() => this.#settled(undefined))
  }
  reject(error: unknown): void {
    apart(() => this.#settled(error))
  }
}

type ContentFrames = (channelId: number, message: object, body: Buffer, frameMax: number) => Iterable<Buffer>

/** @param settled called once: without an error when it is confirmed. */
export type PublishOn = (message: Publish, body: Buffer, settled: (error: unknown) => void) => void

/**
 * How to publish on a channel in confirm mode. What it returns throws for a message that cannot be encoded, which then
 * has cost nothing.
 */
export const publishOn = (channel: Channel): PublishOn => {
  const inside = channel as unknown as InsideChannel
  const { id, _state: state } = inside
  const socket = inside._conn?._socket
  const { genContentFrames } = codec as unknown as { readonly genContentFrames?: ContentFrames }
  if (typeof socket?.write !== "function") throw changed("Channel._conn._socket")
  if (!(state?.unconfirmed instanceof Map)) throw changed("Channel._state.unconfirmed")
  if (typeof state.deliveryCount !== "number") throw changed("Channel._state.deliveryCount")
  if (genContentFrames === undefined) throw changed("codec.genContentFrames")
  const { maxFrameSize } = state
  return (message, body, settled) => {
    const bytes =
      encodePublish(id, message, body, maxFrameSize) ??
      Buffer.concat([
        ...genContentFrames(id, { ...message, deliveryMode: message.durable ? 2 : 1, rsvp1: 0 }, body, maxFrameSize),
      ])
    state.unconfirmed.set(state.deliveryCount++, new Confirm(settled))
    socket.cork()
    socket.write(bytes)
    socket.uncork()
  }
}

/** What a listener throws is no fault of the connection, which is just reading. */
const apart = (listener: () => void): void => {
  try {
    listener()
  } catch (error) {
    setImmediate(() => {
      throw error
    })
  }
}
