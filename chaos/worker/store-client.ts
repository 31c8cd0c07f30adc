// A leader's way to the fenced store. Without it a leader is worth nothing: when it is lost, the process ends.

import { once } from "node:events"
import { connect } from "node:net"
import { onLines } from "../lines.ts"
import type { Entry, Stamp, StoreAnswer, StoreRequest, Verdict } from "../store.ts"

export interface Store {
  readonly claim: (stamp: Stamp) => Promise<Verdict>
  readonly write: (entry: Entry) => Promise<Verdict>
}

type Wish = { readonly claim: Stamp } | { readonly write: Entry }

export const openStore = async (port: number): Promise<Store> => {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true })
  const waiting = new Map<number, (verdict: Verdict) => void>()
  let requests = 0
  const end = () => process.exit(3)
  socket.on("error", end)
  socket.on("close", end)
  onLines(socket, (line) => {
    const { id, verdict } = JSON.parse(line) as StoreAnswer
    waiting.get(id)?.(verdict)
    waiting.delete(id)
  })
  await once(socket, "connect")
  const send = (wish: Wish): Promise<Verdict> =>
    new Promise((resolve) => {
      const id = requests++
      waiting.set(id, resolve)
      socket.write(`${JSON.stringify({ id, ...wish } satisfies StoreRequest)}\n`)
    })
  return { claim: (claim) => send({ claim }), write: (write) => send({ write }) }
}
