// A TCP proxy that misbehaves on demand: the network between a client and its broker.

import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

export interface Proxy {
  readonly port: number
  /** Resets every connection that is open now. */
  readonly cut: () => void
  /** While true, bytes go nowhere and connections stay open: a frozen peer. */
  readonly blackhole: (on: boolean) => void
  /** ms that each chunk waits, each way. */
  readonly latency: (ms: number) => void
  readonly close: () => Promise<void>
}

export const openProxy = async (target: { readonly hostname: string; readonly port: number }): Promise<Proxy> => {
  const open = new Set<Socket>()
  let delay = 0
  const pass = (from: Socket, to: Socket) => {
    open.add(from)
    from.on("data", (chunk) => (delay === 0 ? to.write(chunk) : setTimeout(() => to.write(chunk), delay)))
    from.on("error", () => {})
    from.on("close", () => {
      open.delete(from)
      to.destroy()
    })
  }
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: target.hostname, port: target.port, noDelay: true })
    pass(client, upstream)
    pass(upstream, client)
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const cut = () => {
    for (const socket of open) socket.resetAndDestroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    blackhole: (on) => {
      for (const socket of open) on ? socket.pause() : socket.resume()
    },
    latency: (ms) => {
      delay = ms
    },
    close: async () => {
      cut()
      server.close()
      await once(server, "close")
    },
  }
}
