// Keeps the reminders of one address: it holds their messages and the time, and sends the actor its mail when one is due.
//
// K1. The queue has a single active consumer: of all members of the address one keeps the reminders, whoever leads it. What
//     it holds is not acked, so that when it goes the broker gives all of it to the next.
// K2. Mail is sent upon proof: what falls due is given back to the queue first, and sent when it comes again. A keeper that
//     was replaced and does not know it (frozen, cut off) gets nothing back, and sends nothing.
// K3. First the mail, then the record of the next occurrence, then the ack, each once the one before is confirmed. Whoever
//     dies in between leaves the old record: the mail is sent once more, and is known by its id (K4).
// K4. The id of the mail is made of the reminder and the last occurrence that it stands for: what stands for more is another.
// K5. The broker lets nobody hold a message for ever (30 minutes by default). What is held for long is given back and comes
//     again, which also shows that it is still ours; now and then it is written anew, because the queue keeps on disk all
//     that was done since its oldest message came.
// K6. A name that was forgotten is remembered for a minute: what was set before may still be on its way (ledger.ts, L2).

import { Deferred, Effect, type Scope } from "effect"
import type { Delivery, Link } from "../broker/broker.ts"
import type { BrokerError } from "../broker/errors.ts"
import type { LinkUser } from "../messaging/connection.ts"
import type { Entry } from "../messaging/deadlines.ts"
import type { Refusal } from "../messaging/lane.ts"
import type { Node } from "../messaging/node.ts"
import { OwnChannel } from "../messaging/own-channel.ts"
import { Rejected } from "../protocol/errors.ts"
import { type Address, format, routingKey } from "../wire/address.ts"
import { encodeItem } from "../wire/batch.ts"
import type { DeadReason } from "../wire/dead-letter.ts"
import type { Outcome } from "../wire/item.ts"
import { isMalformed } from "../wire/malformed.ts"
import { rawProperties } from "../wire/raw-message.ts"
import { decodeReminder, encodeReminder, type SetReminder, type Waiter } from "../wire/reminder.ts"
import { Held, mail } from "./held.ts"
import { mailTo, recordsTo, remindersQueue } from "./lanes.ts"
import { Ledger } from "./ledger.ts"

/** Reminders of one address (docs/semantics.md). */
export const mostReminders = 10_000
/** What may be in hand beside them: what is forgotten, and requests. */
const spare = 2_000

/** ms. */
const times = {
  /** A message is held for so long before it is proved (K5) ... */
  hold: 10 * 60_000,
  /** ... and has to come back within this, or it went to somebody else. */
  proof: 10_000,
  /** Between two looks at all that is held. */
  look: 15_000,
  /** What is due sooner than this gets an alarm of its own. */
  soon: 60_000,
  /** K6. */
  forgotten: 60_000,
  /** Before what the broker would not take is offered again. */
  again: 1_000,
  /** For what is on its way when it leaves. */
  leave: 2_000,
}

/** Messages that are proved at one look because of their age, and proofs after which one is written anew (K5). */
const atOneLook = 1_000
const manyProofs = 16

export class Keeper implements LinkUser {
  readonly #node: Node
  readonly #address: Address
  readonly #channel: OwnChannel
  readonly #ledger = new Ledger<Held>(mostReminders)
  /** Given back, and expected again, by message id (K2). */
  readonly #away = new Map<string, Held>()
  readonly #refused = Deferred.makeUnsafe<never, BrokerError>()
  #look: Entry | undefined
  /** Those for which something is being sent. */
  readonly #busy = new Set<Held>()
  #leaving: (() => void) | undefined

  constructor(node: Node, address: Address) {
    this.#node = node
    this.#address = address
    this.#channel = new OwnChannel(node, remindersQueue(node.names, address), mostReminders + spare, {
      opened: () => this.#lookLater(),
      delivery: (delivery) => this.#receive(delivery),
      lost: () => this.#openAgain(),
      refused: (error) => Deferred.doneUnsafe(this.#refused, Effect.fail(error)),
    })
    this.#channel.open()
  }

  /** Fails when the broker will never let it keep reminders. */
  get refused(): Effect.Effect<never, BrokerError> {
    return Deferred.await(this.#refused)
  }

  /** Sends no more, waits a moment for what is on its way, and gives back what it holds. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    const settled = Effect.callback<void>((resume) => {
      this.#leaving = () => resume(Effect.void)
      if (this.#busy.size === 0) this.#leaving()
    })
    return Effect.timeoutOption(settled, times.leave).pipe(
      Effect.andThen(Effect.sync(() => this.#forgetAll())),
      Effect.andThen(Effect.suspend(() => this.#channel.close())),
    )
  })

  // The link

  up(link: Link): Effect.Effect<void, BrokerError> {
    return this.#channel.up(link)
  }

  down(): void {
    this.#channel.down()
  }

  /** Its channel is closed first: the broker may have ended the consumer alone. */
  #openAgain(): void {
    this.#forgetAll()
    const open = Effect.sync(() => {
      if (this.#leaving === undefined) this.#channel.open()
    })
    this.#node.run(Effect.andThen(this.#channel.close(), open))
  }

  /** The broker has it back, or will have. */
  #forgetAll(): void {
    for (const held of this.#ledger.all) held.alarm?.cancel()
    this.#ledger.clear()
    this.#away.clear()
    this.#busy.clear()
    this.#look?.cancel()
    this.#look = undefined
  }

  // What comes

  #receive(delivery: Delivery): void {
    const { message } = delivery
    const request = decodeReminder(message)
    if (isMalformed(request)) return this.#bury(delivery, "undecodable", new Rejected({ why: request.why }))
    const id = message.messageId ?? ""
    const away = this.#away.get(id)
    if (away !== undefined) this.#back(away, delivery)
    else if (request.op === "list") this.#list(request.waiter, delivery)
    else this.#admit(new Held(id, request, delivery, this.#node.now()), delivery)
  }

  #list(waiter: Waiter, delivery: Delivery): void {
    const records = this.#ledger.all.flatMap(({ record }) => (record.op === "set" ? [record] : []))
    const list = records.map(({ name, message, due, every }) => ({ name, message, due, every }))
    this.#answer(waiter, { tag: "value", value: list })
    delivery.ack()
  }

  #admit(held: Held, delivery: Delivery): void {
    const { waiter } = held.record
    const admitted = this.#ledger.admit(held)
    if (!admitted.kept) return admitted.why === "older" ? delivery.ack() : this.#refuse(waiter, delivery)
    const { instead } = admitted
    // First the older one: who is killed in between shall leave the younger (K6).
    if (instead !== undefined) this.#drop(instead)
    this.#answer(waiter, { tag: "value", value: instead?.record.op === "set" })
    this.#consider(held)
  }

  #refuse(waiter: Waiter | undefined, delivery: Delivery): void {
    const reason = new Rejected({ why: `there are ${mostReminders} reminders already` })
    if (!this.#answer(waiter, { tag: "failed", reason })) return this.#bury(delivery, "rejected", reason)
    delivery.ack()
  }

  /** Whether somebody waits for it. */
  #answer(waiter: Waiter | undefined, outcome: Outcome): boolean {
    if (waiter === undefined || waiter.deadline <= this.#node.now()) return false
    const { queue, id } = waiter
    this.#node.post.answer({ kind: "node", queue, id, packed: false }, outcome, undefined, () => {})
    return true
  }

  #bury(delivery: Delivery, reason: DeadReason, error: Error): void {
    const { message } = delivery
    const remains = { kind: "message", properties: rawProperties(message), body: message.body } as const
    const death = { reason, error, attempts: 0, to: routingKey(this.#address), replays: 0, remains }
    this.#node.post.bury(death, (buried) => (buried ? delivery.ack() : delivery.nack({ requeue: false })))
  }

  // What is held

  #consider(held: Held): void {
    const { record } = held
    if (this.#leaving !== undefined) return
    if (record.op === "forget") return this.#alarmAt(held, held.arrived + times.forgotten, () => this.#drop(held))
    if (record.due <= this.#node.now()) return this.#send(held, record)
    if (held.proofs >= manyProofs) return this.#write(held, record)
    this.#await(held, record)
  }

  /** An alarm may ring a little early. */
  #await(held: Held, record: SetReminder): void {
    if (record.due > this.#node.now() + times.soon) return
    this.#alarmAt(held, record.due, () => {
      if (record.due > this.#node.now()) this.#await(held, record)
      else this.#prove(held)
    })
  }

  #alarmAt(held: Held, at: number, ring: () => void): void {
    held.alarm?.cancel()
    held.alarm = this.#node.deadlines.add(at, () => {
      held.alarm = undefined
      if (this.#ledger.counts(held) && this.#leaving === undefined) ring()
    })
  }

  /** K2, K5. */
  #prove(held: Held): void {
    const { delivery } = held
    if (delivery === undefined || this.#busy.has(held)) return
    held.alarm?.cancel()
    held.alarm = held.delivery = undefined
    held.since = this.#node.now()
    held.proofs++
    this.#away.set(held.id, held)
    delivery.nack({ requeue: true })
  }

  #back(held: Held, delivery: Delivery): void {
    this.#away.delete(held.id)
    held.delivery = delivery
    held.since = this.#node.now()
    if (this.#ledger.counts(held)) this.#consider(held)
    else delivery.ack() // another one has taken its place meanwhile
  }

  /** It is done with. What is away is acked when it is back. */
  #drop(held: Held): void {
    held.alarm?.cancel()
    held.delivery?.ack()
    this.#ledger.remove(held)
    this.#end(held)
  }

  #lookLater(): void {
    this.#look?.cancel()
    this.#look = this.#node.deadlines.add(this.#node.now() + times.look, () => {
      if (this.#lookAtAll()) this.#lookLater()
    })
  }

  /** Whether all of it is still ours. */
  #lookAtAll(): boolean {
    const now = this.#node.now()
    // A clock that was set back makes nothing younger.
    const older = (held: Held, ms: number) => now - held.since >= ms || held.since > now
    if ([...this.#away.values()].some((held) => older(held, times.proof))) {
      this.#node.log("Warn", `${format(this.#address)}: its reminders seem to be kept elsewhere; standing by for them`)
      this.#openAgain()
      return false
    }
    let proofs = 0
    for (const held of this.#ledger.all) {
      const { record } = held
      if (older(held, times.hold) && proofs++ < atOneLook) this.#prove(held)
      else if (record.op === "set" && held.alarm === undefined && !this.#busy.has(held)) this.#await(held, record)
    }
    return true
  }

  // What is sent

  /** K3, K4. */
  #send(held: Held, record: SetReminder): void {
    const { item, next } = mail(held, record, format(this.#address), this.#node.now())
    this.#busy.add(held)
    this.#node.outbox.push(mailTo(this.#node, this.#address, item.node), {
      content: encodeItem(item),
      persistent: true,
      owed: true,
      wanted: () => this.#ledger.counts(held),
      settled: (refusal) => this.#sent(held, refusal, next),
    })
  }

  #sent(held: Held, refusal: Refusal | undefined, next: SetReminder | undefined): void {
    if (!this.#ledger.counts(held)) return this.#end(held)
    if (refusal === undefined) return next === undefined ? this.#drop(held) : this.#write(held, next)
    this.#end(held)
    this.#node.log("Warn", `${format(this.#address)}: a reminder could not be sent yet: ${refusal.message}`)
    this.#alarmAt(held, this.#node.now() + times.again, () => this.#prove(held))
  }

  /** Puts a record into the queue that takes the place of this one. */
  #write(held: Held, { waiter: _, ...record }: SetReminder): void {
    this.#busy.add(held)
    this.#node.outbox.push(recordsTo(this.#node, this.#address), {
      content: encodeReminder({ ...record, copy: true }),
      persistent: true,
      owed: true,
      wanted: () => this.#ledger.counts(held),
      settled: (refusal) => {
        if (!this.#ledger.counts(held)) return this.#end(held)
        if (refusal === undefined) return this.#drop(held)
        this.#alarmAt(held, this.#node.now() + times.again, () => this.#write(held, record))
      },
    })
  }

  #end(held: Held): void {
    if (this.#busy.delete(held) && this.#busy.size === 0) this.#leaving?.()
  }
}

/** A part in keeping the reminders of an address, until the Scope closes. Succeeds once the queue is there. */
export const keep = (node: Node, address: Address): Effect.Effect<Keeper, BrokerError, Scope.Scope> =>
  Effect.gen(function* () {
    const keeper = yield* Effect.acquireRelease(
      Effect.sync(() => new Keeper(node, address)),
      ({ leave }) => leave,
    )
    yield* node.connection.join(keeper)
    return keeper
  })
