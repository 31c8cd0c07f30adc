// What is written to the broker in one turn of the event loop leaves in one piece.

import { Writable } from "node:stream"
import type { Connection } from "rabbitmq-client"
import { describe, expect, it } from "vitest"
import { coalesceWrites } from "../../src/broker/rabbitmq/internals.ts"

/** A socket as the library uses it, and how many pieces each write to the network had. */
const open = () => {
  const written: Array<number> = []
  const socket = new Writable({
    write: (_chunk, _encoding, done) => {
      written.push(1)
      done()
    },
    writev: (chunks, done) => {
      written.push(chunks.length)
      done()
    },
  })
  coalesceWrites({ _socket: socket } as unknown as Connection)
  const frame = () => {
    socket.cork()
    socket.write("method")
    socket.write("body")
    socket.uncork()
  }
  return { socket, written, frame }
}

const tick = () => new Promise<void>((resolve) => process.nextTick(resolve))

describe("frames", () => {
  it("that are written in one turn leave together, without waiting for the next", async () => {
    const { written, frame } = open()
    for (let n = 0; n < 5; n++) frame()
    expect(written).toStrictEqual([])
    await tick()
    expect(written).toStrictEqual([10])
    frame()
    await tick()
    expect(written).toStrictEqual([10, 2])
  })

  it("wait while the broker blocks the connection, and leave when it does no longer (10)", async () => {
    const { socket, written, frame } = open()
    socket.cork() // what the library does at connection.blocked
    frame()
    await tick()
    frame()
    await tick()
    expect(written).toStrictEqual([])
    socket.uncork()
    expect(written).toStrictEqual([4])
  })
})
