// Runs checks and suites, shows one line for each, and counts them.

import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bequeath, removeFolder } from "../broker/last-will.ts"
import type { Check } from "./checks.ts"
import { program, tool } from "./program.ts"
import { one, type Tally, tallyOf } from "./tally.ts"

export const line = (ok: boolean, name: string, started: number): void =>
  console.log(`${ok ? "ok    " : "FAILED"}  ${name.padEnd(18)} ${((Date.now() - started) / 1000).toFixed(1)} s`)

/** Shows what the programs printed only when one of them fails. */
export const runCheck = async ({ name, programs }: Check): Promise<Tally> => {
  const started = Date.now()
  for (const [file, ...args] of programs) {
    const { code, output } = await program(file, args)
    if (code === 0) continue
    line(false, name, started)
    console.log(output.trimEnd())
    return one(false)
  }
  line(true, name, started)
  return one(true)
}

/** Half an hour: a test that spins cannot be timed out from inside. */
const suiteLimit = 1_800_000

/** Runs suites of test/ with Vitest, without the files that match `except`; each test counts. */
export const runSuites = async (
  suites: readonly string[],
  env: Record<string, string> = {},
  except: readonly string[] = [],
): Promise<Tally> => {
  const folder = await mkdtemp(join(tmpdir(), "warren-report-"))
  const release = bequeath(removeFolder(folder))
  try {
    const file = join(folder, "report.json")
    const projects = suites.flatMap((suite) => ["--project", suite])
    const excluded = except.map((pattern) => `--exclude=${pattern}`)
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`]
    const { code } = await program(
      tool("vitest"),
      ["run", "--passWithNoTests=false", ...projects, ...excluded, ...reporters],
      {
        env,
        show: true,
        limit: suiteLimit,
      },
    )
    if (code === 124) console.log(`FAILED  the suites did not end within ${suiteLimit / 1000} s`)
    const report = await readFile(file, "utf8").then(JSON.parse, () => undefined)
    return tallyOf(report, code)
  } finally {
    await rm(folder, { recursive: true, force: true })
    release()
  }
}
