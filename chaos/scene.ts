// What a case has in its hands: a broker, a store, chance, and everything that it starts, which goes when it is over.

import type { BrokerNode, Source } from "../scripts/broker/index.ts"
import type { Scale } from "./case.ts"
import { now } from "./clock.ts"
import { type Patience, until } from "./patience.ts"
import { type Random, randomOf, seedFor } from "./random.ts"
import { openSide } from "./side.ts"
import type { FencedStore } from "./store.ts"
import { openStore } from "./store-server.ts"
import { startWorker, type Worker } from "./worker-process.ts"

export interface Circumstances {
  readonly source: Source
  readonly broker: BrokerNode
  readonly seed: number
  readonly scale: Scale
  /** Aborts when the whole trial is to end. */
  readonly signal: AbortSignal
  /** Is told what happens, a line each. */
  readonly say: (line: string) => void
}

export interface Scene extends AsyncDisposable {
  readonly source: Source
  readonly broker: BrokerNode
  readonly scale: Scale
  readonly random: Random
  /** Of all names on the broker; no other case has it. */
  readonly prefix: string
  readonly store: FencedStore
  readonly storePort: number
  /** Aborts when the whole trial is to end: a case that catches errors looks at it. */
  readonly signal: AbortSignal
  readonly say: (line: string) => void
  /** Says how far it is, every few seconds. */
  readonly progress: (what: string, done: number, all: number) => void
  /** Makes sure that it is disposed of with the scene: what came last, first. */
  readonly own: <A extends AsyncDisposable>(thing: A) => A
  readonly worker: () => Worker
  readonly until: <A>(
    what: string,
    look: () => A | undefined | false | Promise<A | undefined | false>,
    patience?: Omit<Patience, "signal">,
  ) => Promise<A>
  readonly pause: (ms: number) => Promise<void>
}

/** ms between two lines about how far it is. */
const every = 10_000

export const openScene = async (name: string, circumstances: Circumstances): Promise<Scene> => {
  const { source, broker, seed, scale, signal, say } = circumstances
  const owned = new Set<AsyncDisposable>()
  const own = <A extends AsyncDisposable>(thing: A): A => {
    owned.add(thing)
    return thing
  }
  const server = own(await openStore())
  const prefix = `chaos-${process.pid}-${name}`
  let told = now()
  return {
    source,
    broker,
    scale,
    random: randomOf(seedFor(seed, name)),
    prefix,
    store: server.store,
    storePort: server.port,
    signal,
    say,
    progress: (what, done, all) => {
      if (now() - told < every) return
      told = now()
      say(`${done.toLocaleString("en-US")} of ${all.toLocaleString("en-US")} ${what}`)
    },
    own,
    worker: () => {
      const worker = own(startWorker())
      void worker.ended.then(() => owned.delete(worker))
      return worker
    },
    until: (what, look, patience) => until(what, look, { ...patience, signal }),
    pause: async (ms) => {
      const end = now() + ms
      await until("time passes", () => now() >= end, { within: ms + 60_000, every: Math.min(ms, 20), signal })
    },
    [Symbol.asyncDispose]: async () => {
      for (const thing of [...owned].reverse()) {
        try {
          await thing[Symbol.asyncDispose]()
        } catch (error) {
          say(`not tidied up: ${(error as Error).message}`)
        }
      }
      // Our own broker goes with all that is in it.
      if (source.kind === "given") await sweep(broker.url, prefix)
    },
  }
}

const sweep = async (url: string, prefix: string): Promise<void> => {
  await using side = await openSide(url)
  await side.sweep(prefix)
}

/** A broker's URL with the heartbeat, in seconds, that a case wants. */
export const withHeartbeat = (url: string, seconds: number): string =>
  Object.assign(new URL(url), { search: `?heartbeat=${seconds}` }).href
