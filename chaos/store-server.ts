// The fenced store behind a socket of its own, so that what reaches it has nothing to do with the broker.

import { once } from "node:events"
import { type AddressInfo, createServer, type Socket } from "node:net"
import { now } from "./clock.ts"
import { onLines } from "./lines.ts"
import { FencedStore, type StoreAnswer, type StoreRequest } from "./store.ts"

export interface StoreServer extends AsyncDisposable {
  readonly port: number
  readonly store: FencedStore
}

export const openStore = async (): Promise<StoreServer> => {
  const store = new FencedStore()
  const open = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    open.add(socket)
    socket.on("error", () => {})
    socket.on("close", () => open.delete(socket))
    onLines(socket, (line) => {
      const request = JSON.parse(line) as StoreRequest
      const verdict = request.claim ? store.claim(request.claim, now()) : store.write(request.write, now())
      socket.write(`${JSON.stringify({ id: request.id, verdict } satisfies StoreAnswer)}\n`)
    })
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    port: (server.address() as AddressInfo).port,
    store,
    [Symbol.asyncDispose]: async () => {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}
