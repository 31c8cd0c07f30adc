// What rabbitmq-client 5.0.8 keeps private and a correct link cannot do without. Everything that looks inside the library
// is in this file, and each look fails loudly when the library has changed: its version is pinned for that reason.
//
// I1. `server`: the library throws the server's properties away, so the first frame is read over its shoulder.
// I2. `adoptFrameMax`: channels split and join frames by the frame size that was asked for, not by the one that was
//     negotiated; a server with a smaller one would have its messages truncated. Called before the first channel.
// I3. `keepBodiesRaw`: the library parses bodies of `text/plain` and `application/json` that have no content encoding,
//     which loses bytes (invalid UTF-8, big numbers, white space). A mark in that field makes it pass the Buffer on.
// I4. `coalesceWrites`: the library writes every publish and every ack by itself, a system call and a packet each. Here
//     all that is written before the event loop goes on leaves together.

import type { Channel, Connection } from "rabbitmq-client"
import type { Capabilities } from "../broker.ts"

interface Inside {
  readonly _socket: { read: (bytes?: number) => Buffer | null; cork: () => void; uncork: () => void }
  readonly _opt: { frameMax: number }
  readonly _state: { readonly frameMax: number }
}

interface InsideChannel {
  _onHeader: (frame: { readonly fields: { contentEncoding?: unknown } }) => void
}

const changed = (what: string): Error =>
  new Error(`rabbitmq-client has no ${what} any more: Warren needs version 5.0.8 of it`)

/** Stands in `contentEncoding` of what arrived without one. */
const noEncoding: unique symbol = Symbol("no content encoding")

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

/** Makes every body that arrives on this channel a Buffer of exactly the bytes that were sent. */
export const keepBodiesRaw = (channel: Channel): void => {
  const inside = channel as unknown as InsideChannel
  const onHeader = inside._onHeader
  if (typeof onHeader !== "function") throw changed("Channel._onHeader")
  inside._onHeader = (frame) => {
    frame.fields.contentEncoding ||= noEncoding
    onHeader.call(channel, frame)
  }
}

/** The content encoding as it was on the wire. */
export const sentEncoding = (contentEncoding: unknown): string | undefined =>
  typeof contentEncoding === "string" ? contentEncoding : undefined
