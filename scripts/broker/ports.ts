// Free TCP ports of this machine's loopback.

import { type AddressInfo, createServer, type Server } from "node:net"

const listen = (port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(port, "127.0.0.1", () => resolve(server))
  })

const close = (server: Server) => new Promise<void>((resolve) => server.close(() => resolve()))

/** As many different ports as asked for, free a moment ago. */
export const freePorts = async (count: number): Promise<readonly number[]> => {
  const servers = await Promise.all(Array.from({ length: count }, () => listen(0)))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(close))
  return ports
}

export const isFree = (port: number): Promise<boolean> =>
  listen(port).then(
    (server) => close(server).then(() => true),
    () => false,
  )
