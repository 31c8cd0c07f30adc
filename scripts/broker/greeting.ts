// Asks a broker who it is: opens a TCP connection, says "AMQP 0-9-1" and reads the version out of the first frame.

import { connect } from "node:net"
import { connect as connectTls } from "node:tls"

const hello = Buffer.from("AMQP\0\0\x09\x01", "latin1")
const versionKey = Buffer.from("\x07versionS", "latin1")

/** The version in a connection.start frame, `unknown` when the server does not say it; undefined when it is none. */
export const versionOf = (frame: Buffer): string | undefined => {
  const isConnectionStart = frame.length >= 11 && frame[0] === 1 && frame.readUInt32BE(7) === 0x000a000a
  if (!isConnectionStart) return undefined
  const at = frame.indexOf(versionKey)
  if (at < 0) return "unknown"
  const start = at + versionKey.length + 4
  return frame.toString("utf8", start, start + frame.readUInt32BE(start - 4))
}

/** The version of the broker at a URL. Rejects when none answers within `timeout` ms (default 5000). */
export const greet = (url: string, timeout = 5_000): Promise<string> =>
  new Promise((resolve, reject) => {
    const { protocol, hostname, port } = new URL(url)
    const secure = protocol === "amqps:"
    const host = hostname.replace(/^\[|\]$/g, "") || "localhost"
    // Nothing secret is sent, so whose certificate it is does not matter here.
    const socket = secure
      ? connectTls({ host, port: Number(port) || 5671, servername: host, rejectUnauthorized: false })
      : connect({ host, port: Number(port) || 5672 })
    const fail = (reason: string) => {
      socket.destroy()
      reject(new Error(`no AMQP broker answers at ${host}:${port || (secure ? 5671 : 5672)}: ${reason}`))
    }
    let frame = Buffer.alloc(0)
    socket.setTimeout(timeout, () => fail(`silent for ${timeout} ms`))
    socket.on("error", (error) => fail(error.message))
    socket.on("close", () => fail("it closed the connection"))
    socket.once(secure ? "secureConnect" : "connect", () => socket.write(hello))
    socket.on("data", (data) => {
      frame = Buffer.concat([frame, data])
      const whole = frame.length >= 7 && frame.length >= frame.readUInt32BE(3) + 8
      if (!whole) return
      const version = versionOf(frame)
      if (version === undefined) return fail("it speaks something else")
      socket.destroy()
      resolve(version)
    })
  })

/** Waits until the broker on a local port greets; `alive` tells early that it will not. Gives its version. */
export const awaitGreeting = async (port: number, alive: () => boolean, timeout = 90_000): Promise<string> => {
  const deadline = Date.now() + timeout
  for (;;) {
    try {
      return await greet(`amqp://127.0.0.1:${port}`)
    } catch (cause) {
      if (!alive()) throw new Error("the broker ended while it was starting", { cause })
      if (Date.now() > deadline) throw new Error(`the broker did not answer within ${timeout} ms`, { cause })
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
