// Two ends of a stream and a network between them that delivers, repeats, disorders and loses frames as a test wants.

import { Conversation, type Part } from "../../src/streams/conversation.ts"
import { decodeFrame, encodeFrame, type Frame, frameHead } from "../../src/wire/frame.ts"
import type { Outcome } from "../../src/wire/item.ts"
import { isMalformed } from "../../src/wire/malformed.ts"

export const small = { items: 8, bytes: 40 }

/** One end, with what it was told. */
export class End {
  readonly conversation: Conversation
  /** Frames that it has sent and the network has not delivered, as text. */
  readonly wire: Array<string> = []
  /** Items that have come; each counts as taken when `take` is called. */
  readonly got: Array<unknown> = []
  readonly waiting: Array<{ readonly items: number; readonly bytes: number }> = []
  readonly outcomes: Array<Outcome> = []
  opened = 0
  completes = 0
  unwanted = 0
  rooms = 0
  offered = 0
  offeredBytes = 0

  constructor(part: Part) {
    this.conversation = new Conversation(part, {
      say: (said) => void this.wire.push(encodeFrame(frameHead(1, 2, "inbox"), said)),
      opened: () => void this.opened++,
      items: (items, bytes) => {
        this.got.push(...items)
        this.waiting.push({ items: items.length, bytes })
      },
      complete: () => void this.completes++,
      room: () => void this.rooms++,
      unwanted: () => void this.unwanted++,
      over: (outcome) => void this.outcomes.push(outcome),
    })
  }

  /** Offers the next number, padded to so many bytes, if there is room. */
  offer(bytes = 1): boolean {
    if (!this.conversation.hasRoom) return false
    const text = JSON.stringify(`${this.offered++}`.padEnd(bytes, " "))
    this.offeredBytes += text.length
    this.conversation.offer(text)
    return true
  }

  /** Takes what came in the oldest frame. */
  take(): boolean {
    const next = this.waiting.shift()
    if (next !== undefined) this.conversation.used(next.items, next.bytes)
    return next !== undefined
  }

  hear(text: string): void {
    this.conversation.hear(frame(text).said)
  }
}

export const frame = (text: string): Frame => {
  const decoded = decodeFrame(JSON.parse(text), "node")
  if (isMalformed(decoded)) throw new Error(decoded.why)
  return decoded
}

export interface Pair {
  readonly caller: End
  readonly callee: End
}

/** A stream that the callee has taken on; the caller does not know yet. */
export const pair = ({ up, down, window = small }: { up: boolean; down: boolean; window?: typeof small }): Pair => {
  const caller = new End({ is: "caller", window: down ? window : undefined, sends: up })
  const callee = new End({
    is: "callee",
    window: up ? window : undefined,
    sends: down,
    credit: down ? window : undefined,
  })
  callee.conversation.open()
  return { caller, callee }
}

/** Delivers all that is on the way, and what follows from it. */
export const settle = ({ caller, callee }: Pair): void => {
  while (caller.wire.length + callee.wire.length > 0) {
    for (const text of callee.wire.splice(0)) caller.hear(text)
    for (const text of caller.wire.splice(0)) callee.hear(text)
  }
}
