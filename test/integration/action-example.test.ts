// The example of actions, as a process of its own, on both brokers: it ends by itself, and everything went as it says.

import { spawn } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { brokerOfThisRun } from "../../scripts/broker/index.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

const run = (...args: ReadonlyArray<string>): Promise<{ code: number | null; output: string }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, "scripts/run.mjs"), "examples/action.ts", ...args], { cwd: root })
    let output = ""
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text))
    child.on("close", (code) => resolve({ code, output }))
  })

describe("the example of actions", () => {
  it.for(["embedded", brokerOfThisRun().url])("runs to its end on %s", { timeout: 45_000 }, async (broker) => {
    const { code, output } = await run("--broker", broker)
    expect(output).toContain("succeeded: 2 * 17389 * 27644437")
    expect(output).toContain("the first is executing, the second accepted")
    expect(output).toMatch(/after 3 steps it is canceled: 2 \* 3 \* \.\.\./)
    expect(output).toContain("aborted: TooSmall, the least is 2")
    expect(output).toContain("does not even begin: Rejected")
    expect(output).toContain("100003 * 100019")
    expect(code, output).toBe(0)
  })
})
