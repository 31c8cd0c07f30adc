// A `single` clique of worker processes, as the one who breaks it sees it: who is there, who leads, who must be replaced.
//
// 1. Who leads is what the store was told last; the runtime under test is not asked.
// 2. A name is given once: a process that is started for one that died is somebody else.

import { type Network, openNetwork } from "../scripts/broker/index.ts"
import { now } from "./clock.ts"
import type { Scene } from "./scene.ts"
import { withHeartbeat } from "./scene.ts"
import type { Leadership } from "./store.ts"
import type { Worker } from "./worker-process.ts"

export interface CliqueOptions {
  /** Brokers; with a network of its own for each member only when it is one. */
  readonly urls: readonly string[]
  /** Processes at a time. */
  readonly size: number
  /** Seconds. */
  readonly heartbeat: number
  /** ms that a handler takes. Default 0. */
  readonly work?: number
  /** Whether each member has a network of its own, which can fail. Default false. */
  readonly networks?: boolean
  /** ms between two beats. */
  readonly interval?: number
  /** Whether each member has an actor with a transient mailbox beside it, with its name as the id. Default false. */
  readonly beside?: boolean
}

export interface Member {
  readonly name: string
  readonly worker: Worker
  readonly network: Network | undefined
  /** It has started. */
  joined: boolean
  /** It has started, and is neither frozen nor stopped. */
  usable: boolean
  frozen: boolean
}

/** Id of the clique's actor. */
export const id = "main"

export class Clique {
  readonly #scene: Scene
  readonly #options: CliqueOptions
  readonly #members = new Map<string, Member>()
  #names = 0
  #starting = 0
  #failure: Error | undefined

  constructor(scene: Scene, options: CliqueOptions) {
    this.#scene = scene
    this.#options = options
  }

  /** Those who live, whether or not they are ready. */
  get members(): readonly Member[] {
    return [...this.#members.values()]
  }

  get usable(): readonly Member[] {
    return this.members.filter(({ usable }) => usable)
  }

  /** The member that the store heard from last as the leader; undefined when it is dead. */
  get leader(): Member | undefined {
    const last = this.#scene.store.leaderships.at(-1)
    return last && this.#members.get(last.member)
  }

  get standbys(): readonly Member[] {
    return this.usable.filter((member) => member !== this.leader)
  }

  async #add(): Promise<void> {
    const { urls, heartbeat, work = 0, networks = false, interval, beside = false } = this.#options
    const name = `m${++this.#names}`
    const network = networks ? this.#scene.own(await openNetwork(urls[0]!)) : undefined
    const worker = this.#scene.worker()
    const member: Member = { name, worker, network, joined: false, usable: false, frozen: false }
    this.#members.set(name, member)
    void worker.ended.then(() => {
      member.usable = false
      this.#members.delete(name)
      void network?.[Symbol.asyncDispose]()
    })
    const place = {
      urls: (network ? [network.url] : urls).map((url) => withHeartbeat(url, heartbeat)),
      prefix: this.#scene.prefix,
      ...(interval !== undefined && { interval }),
    }
    const store = this.#scene.storePort
    await worker.call("join", { place, member: name, id, store, work, ...(beside && { beside: name }) })
    member.joined = true
    member.usable = true
  }

  /** Starts as many as are missing, and does not wait for them. Throws when one that was started did not come up. */
  refill(): void {
    if (this.#failure !== undefined) throw this.#failure
    const ready = this.members.filter(({ joined }) => joined).length
    for (let missing = this.#options.size - ready - this.#starting; missing > 0; missing--) {
      this.#starting += 1
      this.#add()
        .catch((error: Error) => {
          this.#failure ??= error
        })
        .finally(() => {
          this.#starting -= 1
        })
    }
  }

  /** Resolves when so many are usable (default: all), and one of them leads. */
  async whole(count = this.#options.size): Promise<void> {
    await this.#scene.until(
      "the clique is whole",
      () => {
        this.refill()
        return this.usable.length >= count && this.leader !== undefined
      },
      { within: 60_000 },
    )
  }

  /** The first leadership after the first so many. */
  async next(count: number, within = 20_000): Promise<Leadership> {
    const { store, until } = this.#scene
    return until("somebody leads", () => store.leaderships[count], { within })
  }

  /** Stops it with SIGTERM, and waits for its end. */
  async terminate(member: Member): Promise<void> {
    member.usable = false
    member.worker.signal("SIGTERM")
    await this.#scene.until("a process ends after SIGTERM", () => !member.worker.alive())
  }

  /** Gives the moment of the kill. */
  kill(member: Member): number {
    member.usable = false
    return member.worker.signal("SIGKILL")
  }

  freeze(member: Member): number {
    member.usable = false
    member.frozen = true
    return member.worker.signal("SIGSTOP")
  }

  thaw(member: Member): number {
    member.frozen = false
    member.usable = member.worker.alive()
    return member.worker.signal("SIGCONT")
  }

  /** Freezes it for a moment that nobody should notice; whoever freezes it meanwhile has it. */
  blink(member: Member, ms: number): void {
    member.worker.signal("SIGSTOP")
    setTimeout(() => {
      if (!member.frozen) member.worker.signal("SIGCONT")
    }, ms)
  }
}

/** A process that calls the clique, by a network of its own if `networks`. */
export const startSender = async (
  scene: Scene,
  { urls, heartbeat, networks = false, interval }: Omit<CliqueOptions, "size" | "work" | "beside">,
): Promise<{ readonly worker: Worker; readonly network: Network | undefined }> => {
  const network = networks ? scene.own(await openNetwork(urls[0]!)) : undefined
  const worker = scene.worker()
  await worker.call("connect", {
    place: {
      urls: (network ? [network.url] : urls).map((url) => withHeartbeat(url, heartbeat)),
      prefix: scene.prefix,
      ...(interval !== undefined && { interval }),
    },
  })
  return { worker, network }
}

/** Waits until the store has all of these, or nothing more comes. */
export const settled = async (scene: Scene, confirmed: readonly number[], within = 60_000): Promise<void> => {
  const { store } = scene
  const missing = new Set(confirmed)
  let seen = 0
  const deadline = now() + within
  const look = () => {
    for (; seen < store.handled.length; seen++) missing.delete(store.handled[seen]!.entry)
    return missing.size === 0 || now() > deadline
  }
  await scene.until("the mailbox is worked off", look, { within: within + 10_000, every: 20 })
}
