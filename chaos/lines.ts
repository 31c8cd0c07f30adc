// Lines of text that come in pieces.

import type { Socket } from "node:net"

/** What follows the last line break when the socket ends is nobody's line. */
export const onLines = (socket: Socket, line: (text: string) => void): void => {
  let rest = ""
  socket.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n")
    rest = parts.pop()!
    for (const part of parts) line(part)
  })
}
