// One run: a broker, a system with its pool of counters, the files, and what came of it.

import { randomBytes } from "node:crypto"
import { ActorSystem, AskError, child, supervisor } from "warren"
import { openBroker } from "../broker.ts"
import type { Arguments } from "./arguments.ts"
import { counter } from "./counter.ts"
import { Crashes } from "./crashes.ts"
import type { Display } from "./display.ts"
import { type Source, whyNot } from "./files.ts"
import { Pool } from "./pool.ts"
import { Counter } from "./protocol.ts"
import { type FileTotal, reader } from "./reader.ts"
import type { Report } from "./report.ts"
import { noStatistics } from "./statistics.ts"
import { ruleOf } from "./words.ts"

/** Somebody stopped the system before all lines were counted. */
export class Interrupted extends Error {
  override readonly name = "Interrupted"
  override readonly message = "stopped before the end"
}

/** @param sources at least one. */
export const run = async (options: Arguments, sources: ReadonlyArray<Source>, display: Display): Promise<Report> => {
  await using broker = await openBroker(options.broker, (line) => display.line(line))
  const rule = ruleOf(process.env)
  const statistics = noStatistics()
  const crashes = new Crashes(statistics, display)
  const counters = counter(rule, crashes.hooks)
  const ids = Array.from({ length: options.workers }, (_, index) => String(index + 1))
  const tree = supervisor(
    "pool",
    { strategy: "one-for-one", backoff: { initial: "100 millis", max: "1 second" } },
    ids.map((id) => child(counters, { id })),
  )
  await using system = await ActorSystem.start({
    // A domain of its own: two runs on one broker do not count each other's lines.
    domain: `count-words-${randomBytes(4).toString("hex")}`,
    broker: broker.choice,
    tree,
    logLevel: options.json ? "None" : "Warn",
    startTimeout: "10 seconds",
  })
  display.heading(`Counting words on ${broker.title}`)
  display.line(
    "Warren: actors with mailboxes on a broker. Supervised counters share the lines; one crashes and comes back.",
  )
  display.line("Try next: npm start -- FILE, npm start -- --broker rabbitmq, npm test. README.md tells the rest.")
  display.line(system.printTree())

  const size = sources.reduce((sum, source) => sum + source.size, 0)
  const pool = new Pool(
    ids.map((id) => system.ref(Counter, id)),
    statistics,
  )
  const count = reader({ pool, rule, statistics, tripAt: size / 2 })
  // The system may come down under the pool, or be stopped by a signal: then there is nothing to wait for.
  const cutShort = system.ended.then(() => {
    throw new Interrupted()
  })
  const countAll = async (): Promise<ReadonlyArray<FileTotal>> => {
    const files: Array<FileTotal> = []
    for (const { file, path } of sources) {
      const total = await count(path).catch(async (error: unknown) => {
        if (!(error instanceof AskError)) throw whyNot(file, error)
        if (error.reason._tag === "Cancelled") await cutShort // it says why
        throw error
      })
      files.push({ file, ...total })
    }
    return files
  }
  const started = performance.now()
  display.follow(() => ({ statistics, inFlight: pool.inFlight, size }))
  try {
    const files = await Promise.race([countAll(), cutShort])
    const seconds = (performance.now() - started) / 1000
    await crashes.allBack()
    return { broker: broker.title, workers: ids.length, seconds, files, statistics }
  } finally {
    display.finish()
  }
}
