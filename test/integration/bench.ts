// One broker under test, and the systems, actors and looks into queues that a behaviour needs. Everything that a test
// starts is gone after it.

import { randomUUID } from "node:crypto"
import { Effect, Exit, Layer, ManagedRuntime, Scope } from "effect"
import { Broker, type Delivery, type Link, type Outgoing } from "../../src/broker/broker.ts"
import type { EmbeddedBroker } from "../../src/broker/embedded/embedded.ts"
import type { BrokerError } from "../../src/broker/errors.ts"
import { type ActorDef, ActorSystem, type AnyProtocol, type ChildSpec, type Ref, type Tree } from "../../src/index.ts"
import { Actors } from "../../src/system/actors.ts"
import type { NodeOptions } from "../../src/system/running.ts"
import { type DeadLetter, decodeDeadLetter } from "../../src/wire/dead-letter.ts"
import { isMalformed } from "../../src/wire/malformed.ts"
import { type Names, names } from "../../src/wire/names.ts"

/** A broker for a whole suite. */
export interface Venue {
  readonly layer: Layer.Layer<Broker>
  /** The same broker for the bench's own link, which no test cuts. */
  readonly side: Layer.Layer<Broker>
  /** The same kind of broker where nobody answers. */
  readonly unreachable: Layer.Layer<Broker>
  /** Only the embedded broker can be told to fail. */
  readonly embedded: EmbeddedBroker | undefined
  /** Deletes what the port cannot. */
  readonly close: (names: Names) => Promise<void>
}

export const domain = "test"

/** What the systems of tests may differ in. */
export type StartOptions = Partial<Omit<NodeOptions, "domain" | "prefix">> & {
  readonly broker?: Layer.Layer<Broker>
  readonly tree?: Tree<never>
}

/** Waits for nothing by itself: short, so that a failing behaviour does not hold up the suite. */
const quick = { askTimeout: "10 seconds", startTimeout: "10 seconds", signals: false, logLevel: "None" } as const

export class Bench {
  readonly prefix = `w${randomUUID().slice(0, 8)}`
  readonly names = names(this.prefix)
  #venue: Venue | undefined
  #scope: Scope.Closeable | undefined
  #link: Link | undefined
  #system: Promise<ActorSystem> | undefined
  readonly #systems: Array<ActorSystem> = []
  readonly #afterwards: Array<() => unknown> = []
  readonly #mailboxes = new Set<string>()
  readonly #letters: Array<DeadLetter> = []

  async open(venue: Venue): Promise<void> {
    this.#venue = venue
    this.#scope = Scope.makeUnsafe()
    const connecting = Effect.flatMap(Broker, (broker) => broker.connect)
    this.#link = await Effect.runPromise(
      connecting.pipe(Effect.provide(venue.side), Effect.provideService(Scope.Scope, this.#scope)),
    )
  }

  get venue(): Venue {
    return this.#venue!
  }

  /** A link beside those of the systems. */
  get link(): Link {
    return this.#link!
  }

  /** The system in which a test runs its actors, if one is enough; fresh for every test. */
  get system(): Promise<ActorSystem> {
    this.#system ??= this.start()
    return this.#system
  }

  /** What every system of this test is started with. */
  get options() {
    return { ...quick, domain, prefix: this.prefix, broker: this.venue.layer }
  }

  /** Another system on the same broker. */
  async start(options: StartOptions = {}): Promise<ActorSystem> {
    const system = await ActorSystem.start({ ...this.options, ...options })
    system.ended.catch(() => {})
    this.#systems.push(system)
    return system
  }

  /** An actor with an id of its own in the system of this test. */
  async spawn<P extends AnyProtocol>(
    def: ActorDef<P, never>,
    policy: Partial<ChildSpec> = {},
  ): Promise<Ref<P> & { readonly $id: string }> {
    const id = policy.id ?? this.id()
    this.claim(def.protocol, id)
    const system = await this.system
    const ref = await system.spawn(def, { shutdown: 1_000, ...policy, id })
    return Object.assign(ref, { $id: id })
  }

  /** A fresh id for an actor. */
  id(): string {
    return randomUUID().slice(0, 13)
  }

  /** The mailbox queue of an actor; it is deleted after the test. */
  claim(protocol: AnyProtocol, id: string): string {
    const major = Number(protocol.version.split(".")[0])
    const queue = this.names.mailbox({ domain, type: protocol.name, id, major })
    this.#mailboxes.add(queue)
    return queue
  }

  /** The mailbox and the token of a `single` clique; they are deleted after the test. */
  claimClique(protocol: AnyProtocol, id: string): { readonly mailbox: string; readonly token: string } {
    const mailbox = this.claim(protocol, id)
    const token = mailbox.replace(".mailbox.", ".lead.")
    this.#mailboxes.add(token)
    return { mailbox, token }
  }

  /** The queue of an actor's reminders; it is deleted after the test, with the mailbox. */
  claimReminders(protocol: AnyProtocol, id: string): string {
    const reminders = this.claim(protocol, id).replace(".mailbox.", ".remind.")
    this.#mailboxes.add(reminders)
    return reminders
  }

  /** Any other queue that outlives its users; it is deleted after the test. */
  claimQueue(name: string): string {
    this.#mailboxes.add(name)
    return name
  }

  /** The queue that actors share by this name; it is deleted after the test. */
  claimShared(name: string): string {
    const queue = this.names.sharedMailbox(domain, name)
    this.#mailboxes.add(queue)
    return queue
  }

  /** The Effect face: a node of its own for as long as the test runs. */
  effects(): ManagedRuntime.ManagedRuntime<Actors, unknown> {
    const node = Actors.layer({ ...quick, domain, prefix: this.prefix })
    const runtime = ManagedRuntime.make(Layer.provide(node, this.venue.layer))
    this.after(() => runtime.dispose())
    return runtime
  }

  /** Runs after the test, before its systems are stopped. */
  after(work: () => unknown): void {
    this.#afterwards.push(work)
  }

  run<A>(effect: Effect.Effect<A, BrokerError>): Promise<A> {
    return Effect.runPromise(effect)
  }

  /** Resolves at the confirm, rejects when the broker does not take it. */
  publish(message: Outgoing): Promise<void> {
    return new Promise((resolve, reject) =>
      this.link.publish(message, (failure) => (failure === undefined ? resolve() : reject(failure))),
    )
  }

  /** Messages that are ready: what somebody has in hand does not count. */
  async ready(queue: string): Promise<number> {
    return (await this.run(this.link.inspectQueue(queue))).messages
  }

  /** Everything that is ready in a queue, taken. */
  async takeAll(queue: string): Promise<ReadonlyArray<Delivery>> {
    const taken: Array<Delivery> = []
    for (;;) {
      const next = await this.run(this.link.get(queue))
      if (next === undefined) return taken
      next.ack()
      taken.push(next)
    }
  }

  /** The dead letters of one actor so far. */
  async deadLetters(address: string): Promise<ReadonlyArray<DeadLetter>> {
    for (const { message } of await this.takeAll(this.names.deadLetters)) {
      const letter = decodeDeadLetter(message)
      if (isMalformed(letter)) throw new Error(`the dead letters hold something else: ${letter.why}`)
      this.#letters.push(letter)
    }
    return this.#letters.filter((letter) => letter.address === address)
  }

  async clean(): Promise<void> {
    this.venue.embedded?.faults.calm()
    for (const work of this.#afterwards.splice(0).reverse()) await work()
    for (const system of this.#systems.splice(0).reverse()) await system.stop()
    this.#system = undefined
    for (const queue of this.#mailboxes) await this.run(this.link.deleteQueue(queue))
    this.#mailboxes.clear()
  }

  async close(): Promise<void> {
    if (this.#link === undefined) return
    await this.run(this.#link.deleteQueue(this.names.deadLetters))
    await Effect.runPromise(Scope.close(this.#scope!, Exit.void))
    await this.venue.close(this.names)
  }
}
