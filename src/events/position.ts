// How far a subscriber has read, under a name: one small message in a queue of its own, which the next subscriber finds.
//
// P1. What is written is the last message up to which all are done. It is written now and then, and when the subscriber
//     leaves: after a crash of the process some events come again, none is missing.

import { Effect } from "effect"
import type { Link, QueueSpec } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import { unlimitedDeliveries } from "../broker/limits.ts"
import type { Entry } from "../messaging/deadlines.ts"
import type { Lane } from "../messaging/lane.ts"
import { messageId } from "../messaging/message-ids.ts"
import type { Node } from "../messaging/node.ts"
import { readJson } from "../wire/json.ts"
import { isMalformed } from "../wire/malformed.ts"

/** ms between two notes. */
const every = 250
const nowhere: Place = { offset: -1, id: undefined }

/** One message, and a newer one takes its place. Argument for argument part of the wire (docs/wire.md). */
const queueOf = (name: string): QueueSpec => ({
  name,
  type: "quorum",
  maxLength: 1,
  overflow: "oldest",
  deliveryLimit: unlimitedDeliveries,
})

/** A message of a stream. */
export interface Place {
  /** Its number. */
  readonly offset: number
  /** Its AMQP message id: in another stream of the same name another message has this number. */
  readonly id: string | undefined
}

export class Position {
  readonly #node: Node
  readonly #queue: QueueSpec
  readonly #lane: Lane
  /** What is to be noted, and what has been. */
  #current: Place = nowhere
  #noted: Place = nowhere
  #timer: Entry | undefined
  #writing = false
  #idle: Array<() => void> = []

  constructor(node: Node, name: string) {
    this.#node = node
    this.#queue = queueOf(name)
    this.#lane = node.outbox.lane({
      exchange: "",
      routingKey: name,
      mandatory: true,
      node: node.id,
      spread: false,
      onNack: "retry",
    })
  }

  /** The last message that was done; undefined when nobody has been here. */
  find(link: Link): Effect.Effect<Place | undefined, BrokerError> {
    return Effect.gen({ self: this }, function* () {
      yield* link.declareQueue(this.#queue)
      const note = yield* link.get(this.#queue.name)
      if (note === undefined) return undefined
      note.nack({ requeue: true })
      const read = readJson(note.message.body)
      const { offset, id } = Object(isMalformed(read) ? {} : read.value) as { readonly [K in keyof Place]: unknown }
      if (typeof offset !== "number" || !Number.isSafeInteger(offset) || offset < 0) return undefined
      this.#current = this.#noted = { offset, id: typeof id === "string" ? id : undefined }
      return this.#current
    })
  }

  /** All up to this one are done. */
  reach(place: Place): void {
    this.#current = place
    if (this.#writing) return
    this.#timer ??= this.#node.deadlines.add(this.#node.now() + every, () => this.#write())
  }

  /** Until what was reached is noted. */
  readonly flush: Effect.Effect<void> = Effect.callback((resume) => {
    this.#idle.push(() => resume(Effect.void))
    this.#write()
  })

  #write(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#writing) return
    if (this.#current === this.#noted) {
      for (const call of this.#idle.splice(0)) call()
      return
    }
    const place = this.#current
    this.#writing = true
    const content = {
      contentType: "application/json",
      contentEncoding: "utf-8",
      messageId: messageId(),
      persistent: true,
      body: Buffer.from(JSON.stringify(place)),
    }
    const settled = (refusal: Error | undefined) => {
      this.#writing = false
      // Who finds an older note begins earlier.
      if (refusal !== undefined) this.#node.log("Warn", `${this.#queue.name}: a position was lost: ${refusal.message}`)
      this.#noted = place
      if (this.#idle.length > 0 || this.#current === place) this.#write()
      else this.#timer = this.#node.deadlines.add(this.#node.now() + every, () => this.#write())
    }
    this.#node.outbox.push(this.#lane, { content, persistent: true, owed: true, settled })
  }
}
