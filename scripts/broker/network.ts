// The network between one process and a broker: a TCP proxy that can cut, refuse, go silent and be slow.

import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

export interface Network extends AsyncDisposable {
  /** The URL of the broker, by way of this network. */
  readonly url: string
  /** Resets every connection that is open now. */
  readonly cut: () => void
  /** While true, connections are reset as soon as they are made. */
  readonly refuse: (on: boolean) => void
  /** The connections that are open now stay open, and no byte passes them any more: a peer that froze. */
  readonly stall: () => void
  /** While true, bytes go nowhere and connections stay open, those that are made meanwhile as well. */
  readonly silence: (on: boolean) => void
  /** ms that each chunk waits, each way. */
  readonly latency: (ms: number) => void
}

/** @param broker the URL that the network leads to. */
export const openNetwork = async (broker: string): Promise<Network> => {
  const to = new URL(broker)
  const target = { host: to.hostname, port: Number(to.port) || 5672, noDelay: true }
  const open = new Set<Socket>()
  let refusing = false
  let silent = false
  let delay = 0
  const pass = (from: Socket, into: Socket) => {
    open.add(from)
    from.on("data", (chunk) => (delay === 0 ? into.write(chunk) : setTimeout(() => into.write(chunk), delay)))
    from.on("error", () => {})
    from.on("close", () => {
      open.delete(from)
      into.destroy()
    })
    if (silent) from.pause()
  }
  const server = createServer({ noDelay: true }, (client) => {
    if (refusing) return void client.on("error", () => {}).resetAndDestroy()
    const upstream = connect(target)
    pass(client, upstream)
    pass(upstream, client)
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const cut = () => {
    for (const socket of open) socket.resetAndDestroy()
  }
  const url = Object.assign(to, { hostname: "127.0.0.1", port: String((server.address() as AddressInfo).port) }).href
  return {
    url,
    cut,
    refuse: (on) => {
      refusing = on
      if (on) cut()
    },
    stall: () => {
      for (const socket of open) socket.pause()
    },
    silence: (on) => {
      silent = on
      for (const socket of open) on ? socket.pause() : socket.resume()
    },
    latency: (ms) => {
      delay = ms
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close")
      server.close()
      cut()
      await closed
    },
  }
}
