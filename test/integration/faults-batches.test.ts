// What happens to mail that is handled several messages at a time, when the process that does it is killed.

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { brokerOfThisRun } from "../../scripts/broker/index.ts"
import { ActorSystem } from "../../src/index.ts"
import { names } from "../../src/wire/names.ts"
import { eventually } from "./eventually.ts"
import type { BatchWorkerSettings } from "./fixtures/batch-worker.ts"
import { Work } from "./fixtures/work.ts"
import { type Program, startProgram } from "./program.ts"
import { openSideLink, type SideLink } from "./side-link.ts"

const run = brokerOfThisRun()
const prefix = `${run.prefix}-batches`
const mailbox = (id: string) => names(prefix).mailbox({ domain: "acme", type: "work", id, major: 1 })
const upTo = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)

/** The calls that the diaries say were begun, or ended. */
const calls = (what: "begin" | "end", ...programs: ReadonlyArray<Program>): ReadonlyArray<ReadonlyArray<number>> =>
  programs
    .flatMap((program) => program.diary())
    .filter((line) => line.startsWith(`${what} `))
    .map((line) => line.split(" ").slice(1).map(Number))

describe("a process that handles messages several at a time", () => {
  let system: ActorSystem
  let side: SideLink
  const programs: Array<Program> = []
  const queues: Array<string> = []

  beforeAll(async () => {
    system = await ActorSystem.start({ domain: "acme", broker: run.url, prefix, signals: false })
    side = await openSideLink(run.url)
  })
  afterEach(async () => {
    for (const program of programs.splice(0)) await program[Symbol.asyncDispose]()
    for (const queue of queues.splice(0)) await side.deleteQueue(queue)
  })
  afterAll(async () => {
    await system?.stop()
    await side?.deleteQueue(names(prefix).deadLetters)
    await side?.[Symbol.asyncDispose]()
  })

  const worker = async (settings: Omit<BatchWorkerSettings, "url" | "prefix">): Promise<Program> => {
    const program = startProgram("batch-worker.ts", { ...settings, url: run.url, prefix })
    programs.push(program)
    queues.push(mailbox(settings.id))
    await eventually("the worker is up", async () => program.diary().includes("up")).catch((error: Error) => {
      throw new Error(`${error.message}: ${program.output()}`)
    })
    return program
  }
  /** Each in a broker message of its own. */
  const tellAll = async (id: string, numbers: ReadonlyArray<number>) => {
    for (const n of numbers) await system.ref(Work, id).item(n)
  }

  it("(2) acks them together: killed in the middle, all of them come again, each alone and in order", async () => {
    const first = await worker({ id: "killed", max: 20, work: 60_000 })
    await tellAll("killed", upTo(20))
    await eventually("it is at work", () => calls("begin", first).length === 1)
    first.signal("SIGKILL")
    await first.ended
    const next = await worker({ id: "killed", max: 20, work: 1 })
    await eventually("all are handled", () => calls("end", next).flat().length === 20)
    expect(calls("begin", first)).toEqual([upTo(20)])
    expect(calls("begin", next)).toEqual(upTo(20).map((n) => [n]))
    expect(await side.takeDeadLetters(prefix)).toEqual([])
  })

  it("(6) loses nothing but the message that kills it every time", async () => {
    const settings = { id: "deadly", max: 10, work: 1, deadly: 4 }
    const all = [await worker(settings)]
    await tellAll("deadly", upTo(10))
    const done = async () =>
      new Set(calls("end", ...all).flat()).size === 9 && (await side.ready(names(prefix).deadLetters)) === 1
    for (let last = all[0]; last !== undefined; ) {
      const dead = await Promise.race([
        last.ended.then(() => true),
        eventually("all is handled or dead", done).then(() => false),
      ])
      if (!dead) break
      expect(all.length, "it dies at every delivery of the deadly item, and no more often").toBeLessThanOrEqual(3)
      last = await worker(settings)
      all.push(last)
    }
    const letters = await side.takeDeadLetters(prefix)
    expect(letters.map(({ reason, remains }) => [reason, remains.kind === "item" && remains.item.payload])).toEqual([
      ["too many attempts", 4],
    ])
    expect(calls("begin", ...all).filter((items) => items.includes(4))).toHaveLength(3)
  })
})
