// What happens to mail when the processes that handle it are killed, frozen or stopped.

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { brokerOfThisRun } from "../../scripts/broker/index.ts"
import { ActorSystem } from "../../src/index.ts"
import { names } from "../../src/wire/names.ts"
import { eventually } from "./eventually.ts"
import { Work } from "./fixtures/work.ts"
import type { WorkerSettings } from "./fixtures/worker.ts"
import { type Program, startProgram } from "./program.ts"
import { openSideLink, type SideLink } from "./side-link.ts"

const run = brokerOfThisRun()
const prefix = `${run.prefix}-processes`
/** Short, so that the broker notices a frozen process soon. */
const url = Object.assign(new URL(run.url), { search: "?heartbeat=1" }).href
const mailbox = (id: string) => names(prefix).mailbox({ domain: "acme", type: "work", id, major: 1 })
const upTo = (count: number, from = 0): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, index) => from + index)

/** The items that a diary says were begun, or ended. */
const items = (what: "begin" | "end", ...programs: ReadonlyArray<Program>): ReadonlyArray<number> =>
  programs
    .flatMap((program) => program.diary())
    .filter((line) => line.startsWith(what))
    .map((line) => Number(line.slice(what.length)))
const distinct = (numbers: ReadonlyArray<number>) => [...new Set(numbers)].sort((a, b) => a - b)

describe("a process that handles mail", () => {
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
    await side.purge(names(prefix).deadLetters)
  })
  afterAll(async () => {
    await system?.stop()
    await side?.deleteQueue(names(prefix).deadLetters)
    await side?.[Symbol.asyncDispose]()
  })

  const worker = async (settings: Omit<WorkerSettings, "url" | "prefix">): Promise<Program> => {
    const program = startProgram("worker.ts", { ...settings, url, prefix })
    programs.push(program)
    queues.push(mailbox(settings.id))
    await eventually("the worker is up", async () => program.diary().includes("up")).catch((error: Error) => {
      throw new Error(`${error.message}: ${program.output()}`)
    })
    return program
  }
  /** In one turn: they travel as one batch. */
  const tellAll = (id: string, numbers: ReadonlyArray<number>) => {
    const { item } = system.ref(Work, id)
    return Promise.all(numbers.map((n) => item(n)))
  }

  it("(3) when it is killed with -9 in the middle of a batch, the next one handles the whole rest", async () => {
    const first = await worker({ id: "killed", work: 5 })
    await tellAll("killed", upTo(50))
    await eventually("half of the batch is handled", () => items("end", first).length >= 20)
    first.signal("SIGKILL")
    await first.ended
    expect(items("end", first).length).toBeLessThan(50)
    const next = await worker({ id: "killed", work: 5 })
    await eventually("all is handled", () => distinct(items("end", first, next)).length === 50)
    // (5) The next one begins at the batch that was not acked, in order.
    expect(items("begin", next)).toEqual(upTo(50))
    expect(await side.takeDeadLetters(prefix)).toEqual([])
  })

  it("(6) a tell that kills its process every time costs itself and not its neighbours", async () => {
    const deadly = 5
    const settings = { id: "deadly", work: 1, deadly, maxDeliveries: 3 }
    let program = await worker(settings)
    await tellAll("deadly", upTo(10))
    const all: Array<Program> = [program]
    for (;;) {
      const dead = await Promise.race([
        program.ended.then(() => true),
        eventually("the mailbox is worked off", () => distinct(items("end", ...all)).length === 9).then(() => false),
      ])
      if (!dead) break
      expect(all.length, "it dies at every delivery of the deadly item, and no more often").toBeLessThanOrEqual(3)
      program = await worker(settings)
      all.push(program)
    }
    await eventually("the dead letters have it", async () => (await side.ready(names(prefix).deadLetters)) > 0)
    const letters = await side.takeDeadLetters(prefix)
    expect(letters.map(({ reason, remains }) => [reason, remains.kind === "item" && remains.item.payload])).toEqual([
      ["too many attempts", deadly],
    ])
    expect(items("begin", ...all).filter((n) => n === deadly)).toHaveLength(3)
    expect(distinct(items("end", ...all))).toEqual(upTo(10).filter((n) => n !== deadly))
  })

  it("(11) at SIGTERM it finishes what it has begun, acks it and ends; nothing is lost or handled twice", async () => {
    const first = await worker({ id: "stopped", work: 20 })
    for (const from of [0, 20, 40]) await tellAll("stopped", upTo(20, from))
    await eventually("it has work in hand", () => items("end", first).length >= 3)
    first.signal("SIGTERM")
    expect(await first.ended).toEqual({ code: null, signal: "SIGTERM" })
    const done = items("end", first)
    expect(items("begin", first)).toEqual(done)
    expect(done.length).toBeLessThan(60)
    const next = await worker({ id: "stopped", work: 1 })
    await eventually("the rest is handled", () => distinct(items("end", first, next)).length === 60)
    expect(items("begin", first, next)).toEqual(upTo(60))
  })

  it("(11) at SIGTERM all of its systems finish what they have begun, however soon one of them is done", async () => {
    await using program = startProgram("two-systems.ts", { work: 300 })
    await eventually("an item is in hand", () => program.diary().includes("begin"))
    program.signal("SIGTERM")
    expect(await program.ended).toEqual({ code: null, signal: "SIGTERM" })
    const diary = program.diary()
    expect([...diary].sort(), program.output()).toEqual(["begin", "busy stopped", "end", "idle stopped"])
    expect(diary.indexOf("end")).toBeLessThan(diary.indexOf("busy stopped"))
  })

  it("(3) when it freezes, its clique has its mail after the heartbeat; thawed, it does no harm and works on", async () => {
    const settings = { id: "frozen", work: 10 }
    const frozen = await worker(settings)
    await tellAll("frozen", upTo(20))
    for (const n of upTo(20, 20)) await tellAll("frozen", [n])
    await eventually("it is at work", () => items("end", frozen).length >= 2)
    frozen.signal("SIGSTOP")
    const begunFrozen = items("begin", frozen)
    const other = await worker(settings)
    const left = upTo(40).filter((n) => !items("end", frozen).includes(n))
    await eventually("the other has its mail", () => left.every((n) => items("end", other).includes(n)))
    frozen.signal("SIGCONT")
    // It is a member again when it handles new mail.
    let next = 40
    await eventually("it works again", async () => {
      await tellAll("frozen", [next++, next++])
      return items("end", frozen).some((n) => n >= 40)
    })
    await eventually("all is handled", () => distinct(items("end", frozen, other)).length === next)
    // What it held is not its own any more: its timers run before its socket is read, so one more item may begin.
    const afterThaw = items("begin", frozen).slice(begunFrozen.length)
    expect(afterThaw.filter((n) => n < 40).length).toBeLessThanOrEqual(1)
    expect(await side.takeDeadLetters(prefix)).toEqual([])
  })

  it("(3) when one of two is killed with -9, the other one gets all", async () => {
    const settings = { id: "two", work: 2 }
    const [killed, other] = await Promise.all([worker(settings), worker(settings)])
    for (let from = 0; from < 100; from += 10) await tellAll("two", upTo(10, from))
    await eventually("both are at work", () => items("end", killed).length > 3 && items("end", other).length > 3)
    killed.signal("SIGKILL")
    await eventually("all is handled", () => distinct(items("end", killed, other)).length === 100)
    expect(await side.takeDeadLetters(prefix)).toEqual([])
  })
})
