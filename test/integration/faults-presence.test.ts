// What nodes learn of processes that are killed, frozen, blocked or stopped, and what one learns that was blocked itself.

import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { brokerOfThisRun } from "../../scripts/broker/index.ts"
import { RabbitMq } from "../../src/broker/rabbitmq/rabbitmq.ts"
import type { Change } from "../../src/presence/listed.ts"
import { names } from "../../src/wire/names.ts"
import { eventually } from "./eventually.ts"
import type { PresentSettings } from "./fixtures/present.ts"
import { type PresentNode, present } from "./presence-nodes.ts"
import { type Program, startProgram } from "./program.ts"

const run = brokerOfThisRun()
const prefix = `${run.prefix}-presence`
/** ms */
const interval = 500
const block = 0.7 * interval

describe("a process that is watched", () => {
  let observer: PresentNode
  let program: Program
  let changes: Array<Change & { readonly at: number }>
  const kinds = () => changes.map(({ kind }) => kind)

  beforeEach(async () => {
    observer = await present(RabbitMq.layer(run.url), names(prefix), interval)
    await observer.start()
    const settings: PresentSettings = { url: run.url, prefix, address: "acme/worker/1", interval, block }
    program = startProgram("present.ts", { ...settings })
    await eventually("it is up", () => program.diary().includes("up")).catch((error: Error) => {
      throw new Error(`${error.message}: ${program.output()}`)
    })
    changes = []
    await observer.registry.watch({}, (change) => changes.push({ ...change, at: performance.now() }))
    await eventually("it is alive", () => changes.at(-1)?.member.health === "alive")
    changes.splice(0)
  })
  afterEach(async () => {
    await program[Symbol.asyncDispose]()
    await observer.stop()
  })

  it("is gone within two intervals after it was killed (12)", async () => {
    program.signal("SIGKILL")
    const killed = performance.now()
    await eventually("it is gone", () => kinds().includes("left"))
    expect(kinds().slice(-2)).toStrictEqual(["suspect", "left"])
    expect(changes.at(-1)!.at - killed).toBeLessThan(2 * interval + 250)
  })

  it("is gone at once when it stops in good order (12)", async () => {
    program.signal("SIGTERM")
    await eventually("it is gone", () => kinds().includes("left"))
    expect(changes.at(-1)).toMatchObject({ kind: "left", why: "its node has stopped" })
    expect(await program.ended).toStrictEqual({ code: 0, signal: null })
  })

  it("is not taken for dead by one that was blocked itself (12)", async () => {
    const until = performance.now() + 3 * interval
    while (performance.now() < until);
    const from = performance.now()
    await eventually("time passes", () => performance.now() - from > 3 * interval)
    expect(kinds()).not.toContain("left")
  })

  it("is suspect while its event loop is blocked, and tells that it was (12)", async () => {
    program.signal("SIGUSR2")
    await eventually("it says so", async () =>
      (await observer.registry.nodes()).some(({ why }) => /^its event loop was blocked for \d{3} ms$/.test(why ?? "")),
    )
    await eventually("it is over", () => changes.at(-1)?.kind === "changed")
    expect(kinds().slice(0, 2)).toStrictEqual(["suspect", "changed"])
  })

  it("is gone while it is frozen, and back when it is not (12)", async () => {
    program.signal("SIGSTOP")
    await eventually("it is gone", () => kinds().includes("left"))
    program.signal("SIGCONT")
    await eventually("it is back", () => changes.at(-1)?.member.health === "alive" && kinds().at(-1) !== "left")
    expect(kinds().slice(0, 3)).toStrictEqual(["suspect", "left", "joined"])
  })
})
