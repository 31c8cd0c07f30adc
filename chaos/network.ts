// The network between one process and the broker: a TCP proxy that can cut, refuse and go silent.

import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

export interface Network extends AsyncDisposable {
  /** The URL of the broker, by way of this network. */
  readonly url: string
  /** Resets every connection that is open now. */
  readonly cut: () => void
  /** While true, connections are reset as soon as they are made. */
  readonly refuse: (on: boolean) => void
  /** While true, bytes go nowhere and connections stay open. */
  readonly silence: (on: boolean) => void
}

export const openNetwork = async (broker: string): Promise<Network> => {
  const to = new URL(broker)
  const target = { host: to.hostname, port: Number(to.port) || 5672, noDelay: true }
  const open = new Set<Socket>()
  let refusing = false
  let silent = false
  const pass = (from: Socket, into: Socket) => {
    open.add(from)
    from.on("data", (chunk) => into.write(chunk))
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
    silence: (on) => {
      silent = on
      for (const socket of open) on ? socket.pause() : socket.resume()
    },
    [Symbol.asyncDispose]: async () => {
      server.close()
      cut()
    },
  }
}
