// The emitter's side of an event.
//
// M1. It ends: when the broker has it for all who listen, or with why not, at the latest at its timeout. That nobody listens
//     is no failure; that it is not retained where it should be is one.
// M2. One publish serves all filters. Events of one turn with the same key share a message, unless they are plain.
// M3. A nack says that some queue does not take it, not which, nor that others did not. It is sent again while that may be an
//     election of a quorum queue. Then it is taken for a queue that lies on a broker node that is down: nobody listens there,
//     and the event counts as sent to all others; unless it is to be retained.
// M4. An event that a handler emits is confirmed before the message that it handles is acked (promise 2).

import { Effect } from "effect"
import { Entry } from "../messaging/deadlines.ts"
import type { Job } from "../messaging/job.ts"
import type { Content, Destination, Lane, Parcel, Refusal } from "../messaging/lane.ts"
import type { Node } from "../messaging/node.ts"
import { asError } from "../messaging/thrown.ts"
import { type AskReason, Disconnected, MailboxFull, Rejected, TimedOut } from "../protocol/errors.ts"
import { topicProblem } from "../protocol/topic.ts"
import { encodeItem } from "../wire/batch.ts"
import { type EventKey, eventKey, maxEventKey } from "../wire/event-key.ts"
import type { EventItem, Headers } from "../wire/item.ts"
import { encodePlainEvent, headersProblem } from "../wire/plain-event.ts"

export interface Emission {
  readonly key: EventKey
  /** JSON. */
  readonly payload: unknown
  readonly headers: Headers | undefined
  /** Of the leadership in which it is emitted. */
  readonly epoch: number | undefined
  readonly plain: boolean
  /** Declares anew the stream that has to take it, where there is one. */
  readonly retained: Effect.Effect<void, Error> | undefined
  /** ms. */
  readonly timeout: number
  /** The job that emits it, if one does. */
  readonly parent: Job | undefined
}

/** ms before a nacked event is sent again (M3). */
const againAfter = [100, 1_000]

/**
 * @param incomplete called when it was not taken for all who listen (M3).
 * @param settle called once: undefined when the broker has it.
 */
export const emit = (
  node: Node,
  emission: Emission,
  incomplete: () => void,
  settle: (reason: AskReason | undefined) => void,
): void => {
  const why = problem(emission)
  if (why !== undefined) return settle(new Rejected({ why }))
  new SentEvent(node, emission, incomplete, settle).send()
}

const problem = ({ key, headers, plain }: Emission): string | undefined => {
  const wrong = topicProblem(key.topic) ?? (plain && headers !== undefined ? headersProblem(headers) : undefined)
  if (wrong !== undefined) return wrong
  const bytes = Buffer.byteLength(eventKey(key))
  return bytes <= maxEventKey ? undefined : `the key of the event has ${bytes} bytes, AMQP carries ${maxEventKey}`
}

class SentEvent extends Entry implements Parcel {
  content: Content = ""
  readonly persistent = false // queues that keep events store them anyway
  order = 0
  bytes = 0
  readonly #node: Node
  readonly #emission: Emission
  readonly #incomplete: () => void
  readonly #settle: (reason: AskReason | undefined) => void
  readonly #confirmed: (() => void) | undefined
  readonly #lane: Lane
  #open = true
  #sent = false
  #nacks = 0
  #again: Entry | undefined

  constructor(node: Node, emission: Emission, incomplete: () => void, settle: (reason: AskReason | undefined) => void) {
    super()
    this.#node = node
    this.#emission = emission
    this.#incomplete = incomplete
    this.#settle = settle
    this.#lane = node.outbox.lane(destination(node, emission))
    this.#confirmed = emission.parent?.sending()
  }

  send(): void {
    this.#node.deadlines.schedule(this.#node.now() + this.#emission.timeout, this)
    try {
      this.content = this.#content()
      this.#push()
    } catch (error) {
      this.#end(new Rejected({ why: `the body is not JSON: ${asError(error).message}` }))
    }
  }

  #push(): void {
    if (!this.#node.post.mail(this.#lane, this)) this.#end(new MailboxFull({ what: "outbox" }))
  }

  #content(): Content {
    const { key, payload, headers, epoch, plain } = this.#emission
    const item: EventItem = {
      kind: "event",
      node: this.#node.id,
      id: this.#node.nextId(),
      name: key.event,
      payload,
      at: this.#node.now(),
      ...(epoch === undefined ? {} : { epoch }),
      ...(headers === undefined ? {} : { headers }),
    }
    return plain ? { ...encodePlainEvent(item), persistent: false } : encodeItem(item)
  }

  wanted(): boolean {
    this.#sent = this.#open
    return this.#open
  }

  settled(refusal: Refusal | undefined): void {
    const { retained } = this.#emission
    if (refusal?._tag === "Nacked" && this.#open) return this.#nacked()
    if (refusal?._tag === "Unroutable" && retained !== undefined && this.#open) return this.#retain(retained)
    this.#end(refusal && new Rejected({ why: refusal.message }))
  }

  /** M3 */
  #nacked(): void {
    const delay = againAfter[this.#nacks++]
    if (delay !== undefined) {
      this.#again = this.#node.deadlines.add(this.#node.now() + delay, () => this.#push())
      return
    }
    if (this.#emission.retained !== undefined) return this.#end(new MailboxFull({ what: "what retains the event" }))
    this.#incomplete()
    this.#end(undefined)
  }

  /** Somebody has deleted the stream. */
  #retain(declared: Effect.Effect<void, Error>): void {
    this.#node.run(
      Effect.match(declared, {
        onSuccess: () => this.#push(),
        onFailure: ({ message }) => this.#end(new Rejected({ why: message })),
      }),
    )
  }

  expire(): void {
    const { trouble } = this.#node.connection
    const after = this.#emission.timeout
    this.#end(
      this.#sent ? new TimedOut({ after }) : new Disconnected({ why: trouble ?? "the broker was away", sent: false }),
    )
  }

  #end(reason: AskReason | undefined): void {
    if (!this.#open) return
    this.#open = false
    this.cancel()
    this.#again?.cancel()
    this.#confirmed?.()
    this.#settle(reason)
  }
}

const destination = ({ names, id }: Node, { key, retained }: Emission): Destination => ({
  exchange: names.events,
  routingKey: eventKey(key),
  mandatory: retained !== undefined, // M1
  node: id,
  spread: true, // the members of a group share them
  onNack: "fail", // M3
})
