// The example of events, as a process of its own, on both brokers: it ends by itself, and everything went as it says.

import { spawn } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { brokerOfThisRun } from "../../scripts/broker/index.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

const run = (...args: ReadonlyArray<string>): Promise<{ code: number | null; output: string }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, "scripts/run.mjs"), "examples/events.ts", ...args], { cwd: root })
    let output = ""
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text))
    child.on("close", (code) => resolve({ code, output }))
  })

describe("the example of events", () => {
  it.for(["embedded", brokerOfThisRun().url])("runs to its end on %s", { timeout: 45_000 }, async (broker) => {
    const { code, output } = await run("--broker", broker)
    expect(output).toContain("here they are: two apples for 4")
    expect(output).toContain("an apple is 5 now")
    expect(output).toContain("fruit     : fruit.apple, fruit.pear")
    expect(output).toContain("cash      : flower.tulip, fruit.pear")
    expect(output).toContain("from south: fruit.pear")
    expect(output).toMatch(/\d+ by Ann, \d+ by Bob, [1-9]\d* of them at the second try: 2340/)
    expect(output).toContain("all 44, from fruit.apple (0) to fruit.pear (43)")
    expect(output).toMatch(/the number 9\n.*the number 9, up to 43/)
    expect(output).toContain("nine got all of 20,000, in order")
    expect(code, output).toBe(0)
  })
})
