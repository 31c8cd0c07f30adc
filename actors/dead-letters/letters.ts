// The dead letters in hand: taken from the queue, described, sent again.
//
// D1. A dead letter is acked after the broker has confirmed its replay, never before: none is lost. When the link goes
//     in between, the replay is there and so is the letter, and the `replays` of both tell.
// D2. Every request takes the same window from the head of the queue, and gives back what stays in the order in which
//     it came. A quorum queue hands out first what was given back, so a smaller handful than the last one would turn
//     the order.

import { isUtf8 } from "node:buffer"
import { createHash, randomUUID } from "node:crypto"
import { Clock, Effect } from "effect"
import {
  type DeadLetter,
  type DeadReason,
  type Delivery,
  decodeDeadLetter,
  type Link,
  type Malformed,
  type Outgoing,
  type PublishFailure,
  replayDeadLetter,
} from "warren/effect"
import type { Choice, Filter, Letter } from "./protocol.ts"

/** Bytes that one request holds in memory. */
const windowBytes = 64 * 1024 * 1024
/** Characters. */
const previewLength = 300
/** ms that a replayed ask may be handled, though nobody may wait for it any more. */
const askTime = 30_000

export interface Found {
  readonly id: string
  readonly delivery: Delivery
  readonly letter: DeadLetter | Malformed
}

export const isReadable = (letter: DeadLetter | Malformed): letter is DeadLetter => !("kind" in letter)

/** What the broker itself counts changes each time that a letter is looked at. */
const counters = new Set(["x-delivery-count", "x-acquired-count"])

const fingerprint = ({ message }: Delivery): string => {
  const { headers, body, ...properties } = message
  const lasting = Object.entries(headers).filter(([name]) => !counters.has(name))
  const facts = JSON.stringify([Object.entries(properties).sort(), lasting.sort()])
  return createHash("sha256").update(facts).update(body).digest("hex").slice(0, 32)
}

/** The letters of the window, in order; what is not acked when the Scope closes goes back in that order. */
export const browse = (link: Link, queue: string, window: number) =>
  Effect.gen(function* () {
    const found: Array<Found> = []
    const open = new Set<Delivery>()
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        for (const delivery of open) delivery.nack({ requeue: true })
        return found.length === 0 ? Effect.void : settled(link, queue, open.size)
      }),
    )
    let bytes = 0
    while (found.length < window && bytes < windowBytes) {
      const delivery = yield* link.get(queue)
      if (delivery === undefined) break
      open.add(delivery)
      bytes += delivery.message.body.length
      found.push({
        id: fingerprint(delivery),
        delivery: forgetful(delivery, open),
        letter: decodeDeadLetter(delivery.message),
      })
    }
    return found
  })

/** A delivery that leaves `open` when it is acked. */
const forgetful = (delivery: Delivery, open: Set<Delivery>): Delivery => ({
  message: delivery.message,
  redelivered: delivery.redelivered,
  returns: delivery.returns,
  ack: () => {
    open.delete(delivery)
    delivery.ack()
  },
  nack: (options) => delivery.nack(options),
})

/**
 * Waits, at most about a second, until the queue has what was given back, and so, as it works in order, every ack too. A
 * quorum queue that is busy forgets acks that a closing channel has not passed on yet: the letters would lie there again.
 */
const settled = (link: Link, queue: string, givenBack: number): Effect.Effect<void> =>
  Effect.ignore(
    Effect.gen(function* () {
      for (let look = 0; look < 100; look++) {
        const { messages, consumers } = yield* link.inspectQueue(queue)
        // With nothing given back: a quorum queue counts whoever holds a message of it among its consumers.
        if (givenBack > 0 ? messages >= givenBack : consumers === 0) return
        yield* Effect.sleep(10)
      }
    }),
  )

export const fits = ({ letter }: Found, { reason, address, since }: Filter): boolean => {
  const facts = isReadable(letter) ? letter : { reason: "unknown" as DeadReason, address: "", at: 0 }
  return (
    (reason === undefined || facts.reason === reason) &&
    (address === undefined || facts.address === address) &&
    (since === undefined || facts.at >= since)
  )
}

export const chosen = (found: ReadonlyArray<Found>, choice: Choice): ReadonlyArray<Found> => {
  if ("filter" in choice) return found.filter((each) => fits(each, choice.filter))
  const ids = new Set(choice.ids)
  return found.filter(({ id }) => ids.has(id))
}

const textOf = (body: Buffer): string => (isUtf8(body) ? body.toString() : body.toString("base64"))

/** What is in it: the name of the message, its payload as text, and the size of the payload in bytes. */
const contents = ({ letter, delivery }: Found): readonly [name: string, text: string, size: number] => {
  if (isReadable(letter) && letter.remains.kind === "item") {
    const { name, payload } = letter.remains.item
    const text = JSON.stringify(payload) ?? ""
    return [name, text, Buffer.byteLength(text)]
  }
  const { properties, body } =
    isReadable(letter) && letter.remains.kind === "message"
      ? letter.remains
      : { properties: delivery.message, body: delivery.message.body }
  return [properties.type ?? "", textOf(body), body.length]
}

export const listed = (found: Found): Letter => {
  const { id, letter, delivery } = found
  const [message, text, size] = contents(found)
  const content = { message, preview: text.slice(0, previewLength), size }
  if (isReadable(letter)) {
    const { reason, error, attempts, address, origin, at, replays } = letter
    return { id, reason, error, attempts, address, origin, at, replays, ...content }
  }
  const { exchange, routingKey } = delivery.message
  const error = { name: "Malformed", message: letter.why }
  const origin = { exchange, routingKey, node: "" }
  return { id, reason: "unknown", error, attempts: 0, address: "", origin, at: 0, replays: 0, ...content }
}

const publish = (link: Link, message: Outgoing): Effect.Effect<void, PublishFailure> =>
  Effect.callback((resume) =>
    link.publish(message, (failure) => resume(failure === undefined ? Effect.void : Effect.fail(failure))),
  )

/** Gives what went wrong, or undefined (D1). Not to be interrupted: it ends, at the latest when the confirm is overdue. */
export const sendAgain = (link: Link, { letter, delivery }: Found): Effect.Effect<string | undefined> =>
  Effect.gen(function* () {
    if (!isReadable(letter)) return `it cannot be read: ${letter.why}`
    const deadline = (yield* Clock.currentTimeMillis) + askTime
    const { exchange, routingKey } = letter.origin
    const message = replayDeadLetter(letter, { messageId: randomUUID(), deadline })
    yield* publish(link, { ...message, exchange, routingKey, mandatory: true, persistent: true })
    delivery.ack()
    return undefined
  }).pipe(
    Effect.catch((failure) => Effect.succeed(failure.message)),
    Effect.uninterruptible,
  )
