// Every code block of README.md and docs/ is compiled and run, so that no page promises what does not work.

import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Block, blocksOf, givesReason, isJavaScript, isTypeScript, npmScriptsIn } from "./blocks.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))
const pages = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)].filter(
  (page) => page.endsWith(".md") && existsSync(join(root, page)),
)
const blocks = pages.flatMap((page) => blocksOf(page, readFileSync(join(root, page), "utf8")))
const programs = blocks.filter((block) => isTypeScript(block) || isJavaScript(block))
const shells = blocks.filter(({ language }) => /^(sh|bash|shell|console)$/.test(language))

/** Inside the repository, so that a block finds `warren` and its dependencies as a reader's own file would. */
const folder = join(root, ".warren", `docs-${process.pid}`)
const fileOf = (block: Block) => `${block.place.replace(/\W+/g, "-")}.ts`

/** ms for a block; the compiler has the whole of Warren to read. */
const [toRun, toCompile] = [20_000, 120_000]

const run = (file: string, args: readonly string[], limit: number): Promise<{ code: number | null; output: string }> =>
  new Promise((resolve) => {
    const child = spawn(file, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] })
    const impatient = setTimeout(() => child.kill("SIGKILL"), limit)
    let output = ""
    child.stdout.on("data", (text) => (output += text))
    child.stderr.on("data", (text) => (output += text))
    child.on("close", (code) => {
      clearTimeout(impatient)
      resolve({ code, output })
    })
  })

beforeAll(() => {
  mkdirSync(folder, { recursive: true })
  for (const block of programs) writeFileSync(join(folder, fileOf(block)), block.code)
  const files = programs.filter(isTypeScript).map(fileOf)
  const compilerOptions = { rootDir: root, noUnusedLocals: false, noUnusedParameters: false }
  const project = { extends: relative(folder, join(root, "tsconfig.json")), compilerOptions, include: [], files }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(project))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("code blocks of the pages", () => {
  it.runIf(programs.some(isTypeScript))(
    "compile",
    async () => {
      const { code, output } = await run(join(root, "node_modules/.bin/tsc"), ["--noEmit", "-p", folder], toCompile)
      expect(output).toBe("")
      expect(code).toBe(0)
    },
    toCompile,
  )

  for (const block of programs.filter((program) => program.run))
    it(`${block.place} runs and exits with 0 within 20 s`, async () => {
      const { code, output } = await run(process.execPath, ["--import", "tsx", join(folder, fileOf(block))], toRun)
      expect(code, output).toBe(0)
    })

  for (const block of programs.filter((program) => !program.run))
    it(`${block.place} says on the page why it is not run`, () => {
      expect(givesReason(block), "its first line must be `// Not run here: <reason>`").toBe(true)
    })

  it("name only npm scripts that exist", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    const called = shells.flatMap((block) => npmScriptsIn(block).map((script) => `${block.place}: npm ${script}`))
    expect(called.filter((call) => !(call.split("npm ")[1]! in scripts))).toEqual([])
  })
})
