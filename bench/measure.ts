// Runs one job of one contender in fresh processes, and makes figures of what the processes tell.

import type { Place } from "./contender.ts"
import type { Introduction, Measured, Usage } from "./operations.ts"
import { type Figures, type Job, type Times, warmUpAt } from "./plan.ts"
import { cpuSeconds } from "./process-cpu.ts"
import { startWorker, type Worker } from "./worker-process.ts"

export interface Bench {
  readonly url: string
  /** The broker's process; undefined where it cannot be found: its CPU is then left out. */
  readonly broker: number | undefined
  readonly times: Times
  /** More arguments for node in every worker. */
  readonly nodeOptions: readonly string[]
}

export interface Level {
  readonly level: number
  readonly figures: Figures
  /** Why calls failed, if any did. */
  readonly failure?: string
}

/** Is told each figure as soon as it is there. */
export type Tell = (level: Level) => void

interface Stay {
  readonly servers: readonly Worker[]
  readonly client: Worker
}

/** @returns who it was, for the settings in the report; undefined for a job without contenders. */
export const measure = async (
  bench: Bench,
  contender: string,
  job: Job,
  place: Place,
  tell: Tell,
): Promise<Introduction | undefined> => {
  if (job.kind === "start") {
    for (const actors of job.actors) tell(await startOnce(bench, job.what, actors, place))
    return undefined
  }
  const count = job.kind === "asks" ? (job.members ?? 1) : 1
  await using workers = staff(bench, count + 1)
  const [client, ...servers] = workers.all as [Worker, ...Worker[]]
  const introduction = await setUp(contender, job, place, client, servers)
  for (const level of await levels(bench, job, { servers, client })) tell(await level())
  return introduction
}

const staff = (bench: Bench, count: number) => {
  const all = Array.from({ length: count }, () => startWorker(bench.nodeOptions))
  return {
    all,
    // Clients go first: a server that goes first would leave them with calls that nobody answers.
    [Symbol.asyncDispose]: async () => {
      const [client, ...servers] = all
      await client?.[Symbol.asyncDispose]()
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()))
    },
  }
}

type Loops = Exclude<Job, { kind: "start" }>

const setUp = async (contender: string, job: Loops, place: Place, client: Worker, servers: readonly Worker[]) => {
  if (job.kind === "tells") {
    await servers[0]!.call("serveTells", { contender, place })
    return client.call("connectForTells", { contender, place })
  }
  if (job.kind === "events") {
    await servers[0]!.call("serveEvents", { contender, place, subscribers: job.subscribers })
    return client.call("connectForEvents", { contender, place })
  }
  if (job.kind === "items") {
    await servers[0]!.call("serveItems", { contender, place })
    return client.call("connectForItems", { contender, place })
  }
  await Promise.all(servers.map((server) => server.call("serveAsks", { contender, load: job.load, place }, 120_000)))
  return client.call("connectForAsks", { contender, load: job.load, place })
}

/** Warms up, and gives what remains to be done for each level. */
const levels = async (bench: Bench, job: Loops, stay: Stay): Promise<ReadonlyArray<() => Promise<Level>>> => {
  const { warmUp, measure: usual, long } = bench.times
  const { client } = stay
  const closed = (callers: number, ms: number) => () => client.call("closed", { callers, ms })
  switch (job.kind) {
    case "asks": {
      await closed(Math.max(...job.callers), warmUp)()
      const ms = job.members === undefined ? usual : long
      return job.callers.map((callers) => async () => {
        await closed(callers, warmUpAt(callers, bench.times))()
        return watch(bench, stay, "asks", callers, closed(callers, ms))
      })
    }
    case "open": {
      await closed(64, warmUp)()
      const { rate } = job
      return [() => watch(bench, stay, "asks", rate, () => client.call("open", { rate, ms: long }))]
    }
    case "tells":
    case "events":
      await closed(job.inFlight, warmUp)()
      return [() => watch(bench, stay, "tells", job.inFlight, closed(job.inFlight, usual))]
    case "items":
      await closed(1, warmUp)()
      return [() => watch(bench, stay, "tells", 1, closed(1, usual))]
  }
}

interface Clocked {
  readonly at: number
  readonly cpuSeconds: number | undefined
}

const brokerUsage = async (pid: number | undefined): Promise<Clocked> => ({
  cpuSeconds: pid === undefined ? undefined : await cpuSeconds(pid),
  at: performance.now() / 1000,
})

/** Runs a loop in the client, and takes stock of servers and broker before and after. */
const watch = async (
  bench: Bench,
  { servers }: Stay,
  what: "asks" | "tells",
  level: number,
  loop: () => Promise<Measured>,
): Promise<Level> => {
  const stock = () =>
    Promise.all([brokerUsage(bench.broker), Promise.all(servers.map((server) => server.call("usage", {})))])
  const [brokerBefore, before] = await stock()
  const measured = await loop()
  const [brokerAfter, after] = await stock()
  const { count, failed, failure } = measured.loop
  const text = failure && `${failed} of ${count + failed} calls failed: ${failure}`
  const figures = figuresOf(what, measured, [brokerBefore, brokerAfter], before, after)
  return { level, figures, ...(text !== undefined && { failure: text }) }
}

/** CPU-seconds per second. Each process by its own clock, so that it does not matter when exactly it was asked. */
const load = (before: Clocked, after: Clocked): number | undefined =>
  before.cpuSeconds === undefined || after.cpuSeconds === undefined
    ? undefined
    : (after.cpuSeconds - before.cpuSeconds) / (after.at - before.at)

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

/** Pure: what a loop, and stock taken before and after it, come to. */
export const figuresOf = (
  what: "asks" | "tells",
  { loop, before: clientBefore, after: clientAfter }: Measured,
  [brokerBefore, brokerAfter]: readonly [Clocked, Clocked],
  before: readonly Usage[],
  after: readonly Usage[],
): Figures => {
  const pairs = before.map((each, index) => [each, after[index]!] as const)
  const handled = pairs.map(([from, to]) => to.handled - from.handled)
  const rate =
    what === "asks"
      ? loop.count / loop.seconds
      : sum(pairs.map(([from, to]) => (to.handled - from.handled) / (to.at - from.at)))
  const per10k = (cpu: number | undefined) => (cpu === undefined || rate === 0 ? undefined : (cpu / rate) * 10_000)
  const cpuClient = per10k(load(clientBefore, clientAfter))
  const cpuServer = per10k(sum(pairs.map(([from, to]) => load(from, to)!)))
  const cpuBroker = per10k(load(brokerBefore, brokerAfter))
  return {
    rate,
    p50: loop.p50,
    p90: loop.p90,
    p99: loop.p99,
    max: loop.max,
    failed: loop.failed,
    waiting: loop.waiting,
    ...(cpuClient !== undefined && cpuServer !== undefined && { cpuClient, cpuServer }),
    ...(cpuBroker !== undefined && { cpuBroker }),
    ...(cpuClient !== undefined && cpuServer !== undefined && { cpu: cpuClient + cpuServer + (cpuBroker ?? 0) }),
    rssClient: clientAfter.rss,
    rssServer: sum(after.map(({ rss }) => rss)) / after.length,
    busyClient: (clientAfter.busySeconds - clientBefore.busySeconds) / (clientAfter.at - clientBefore.at),
    busyServer: sum(pairs.map(([from, to]) => (to.busySeconds - from.busySeconds) / (to.at - from.at))) / after.length,
    ...(after.length > 1 && {
      least: Math.min(...handled),
      most: Math.max(...handled),
      evenness: Math.min(...handled) / Math.max(...handled),
    }),
  }
}

const startOnce = async (
  bench: Bench,
  what: "transient" | "durable" | "children",
  actors: number,
  place: Place,
): Promise<Level> => {
  await using worker = startWorker([...bench.nodeOptions, "--expose-gc"])
  const { rss, ...figures } = await worker.call("start", { what, actors, place }, 300_000)
  return { level: actors, figures: { ...figures, rssServer: rss } }
}
