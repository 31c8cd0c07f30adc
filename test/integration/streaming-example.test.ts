// The example of streams, as a process of its own, on both brokers: it ends by itself, and everything went as it says.

import { spawn } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { brokerOfThisRun } from "../../scripts/broker/index.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

const run = (...args: ReadonlyArray<string>): Promise<{ code: number | null; output: string }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, "scripts/run.mjs"), "examples/streaming.ts", ...args], {
      cwd: root,
    })
    let output = ""
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text))
    child.on("close", (code) => resolve({ code, output }))
  })

describe("the example of streams", () => {
  it.for(["embedded", brokerOfThisRun().url])("runs to its end on %s", { timeout: 45_000 }, async (broker) => {
    const { code, output } = await run("--broker", broker)
    expect(output).toContain("three readings: 15, 16, 17; then its sensor was switched off")
    expect(output).toContain("5 readings, and then the error that its protocol declares: BrokenSensor")
    expect(output).toContain("the average of 1 to 100: 50.5")
    expect(output).toContain("are 32, 77, 212 °F")
    expect(Number(/never more than (\d+) ahead/.exec(output)?.[1])).toBeLessThanOrEqual(2048)
    expect(output).toMatch(/at full speed: \d+ a millisecond/)
    expect(code, output).toBe(0)
  })
})
