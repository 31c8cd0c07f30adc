// A batch in hand: one delivery of the broker, and the jobs that it was made into.
//
// H1. The delivery is acked when the last of its jobs is settled, and not before (promise 2).
// H2. A hand outlives its delivery: when the link is lost the broker hands the batch out again, and if that happens to
//     be here, the hand goes on where it was.

import type { Delivery } from "../broker/broker.ts"
import type { Job } from "./job.ts"
import type { Mail } from "./opening.ts"

export class Hand {
  /** Counts the batches of a queue in the order in which they first came. */
  readonly order: number
  /** When it came, ms since the epoch. */
  readonly since: number
  /** The AMQP message id, which is unique for a batch; undefined for a plain message, where it is whatever a peer says. */
  readonly key: string | undefined
  /** The routing key of the actor that its items are for, where they do not say. */
  readonly to: string
  /** How a plain message wants its reply; undefined for a batch. */
  readonly plain: Mail["plain"]
  /** It came in MessagePack, and so do the replies to it. */
  readonly packed: boolean
  /** It had been handed out before it first came here. */
  readonly redelivered: boolean
  /** How often it was sent again from the dead letters. */
  readonly replays: number
  /** Jobs that are not settled yet; a retried job is replaced by its successor. */
  readonly jobs = new Set<Job>()
  #delivery: Delivery | undefined
  /** Parts that are not jobs, e.g. a dead letter on its way. */
  #others = 0

  constructor(order: number, delivery: Delivery, mail: Mail, to: string, since: number) {
    this.order = order
    this.since = since
    this.to = to
    this.key = mail.plain === undefined ? delivery.message.messageId : undefined
    this.plain = mail.plain
    this.packed = mail.packed
    this.redelivered = delivery.redelivered
    this.replays = mail.replays
    this.#delivery = delivery
  }

  /** Undefined while the broker has it: the link was lost, or it is settled. */
  get delivery(): Delivery | undefined {
    return this.#delivery
  }

  /** Some of it has been begun: giving it back now would have it handled again. */
  begun = false

  /** It was begun, and a part of it that is no job is not settled yet. */
  get owing(): boolean {
    return this.begun && this.#others > 0
  }

  /** The link is gone: the broker has put the message back. */
  lose(): void {
    this.#delivery = undefined
    this.acking = false
  }

  /** The broker has handed the same message out again, to us. */
  resume(delivery: Delivery): void {
    this.#delivery = delivery
  }

  /** Something else that the ack has to wait for; the result is to be called when it is done. */
  hold(done: () => void): () => void {
    this.#others++
    return () => {
      this.#others--
      done()
    }
  }

  /** Something in it is too large for a dead letter of ours: the broker is to move the message as it is. */
  tooLargeToBury = false

  /** Everything in it is settled, and the broker does not know yet. */
  get done(): boolean {
    return this.jobs.size === 0 && this.#others === 0 && this.#delivery !== undefined
  }

  /** It is among those that are acked soon. */
  acking = false

  /** Tells the broker that it is done. */
  settle(): void {
    if (this.tooLargeToBury) this.#delivery?.nack({ requeue: false })
    else this.#delivery?.ack()
    this.#delivery = undefined
  }

  giveBack(): void {
    this.#delivery?.nack({ requeue: true })
  }
}
