// The example that `npm start` runs, as a process of its own: promise 6 where a user sees it first.

import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))
const folder = mkdtempSync(join(tmpdir(), "warren-count-words-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const countWords = (
  args: ReadonlyArray<string>,
  env: Record<string, string> = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const program = join(root, "scripts/run.mjs")
    const child = spawn(process.execPath, [program, "examples/count-words.ts", ...args], {
      cwd: root,
      env: { ...process.env, LC_ALL: "C", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    })
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (text) => (stdout += text))
    child.stderr.on("data", (text) => (stderr += text))
    child.on("close", (code) => resolve({ code, stdout, stderr }))
  })

const file = (name: string, content: string | Buffer): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const wc = (path: string, locale = "C"): number =>
  Number.parseInt(spawnSync("wc", ["-w", path], { env: { ...process.env, LC_ALL: locale } }).stdout.toString(), 10)

const json = async (args: ReadonlyArray<string>, env: Record<string, string> = {}) => {
  const { code, stdout, stderr } = await countWords(["--json", ...args], env)
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
  return JSON.parse(stdout)
}

describe("counting words", () => {
  it("shows the tree, the crash, the restart and the exact total of README.md (6)", async () => {
    const { code, stdout } = await countWords([])
    expect(code).toBe(0)
    expect(stdout).toMatch(/pool: running \(one-for-one/)
    expect(stdout.match(/counter\/[1-4]\)/g)).toHaveLength(4)
    const [, crashed] = /crash +(\S+): stumbled over a line/.exec(stdout) ?? []
    expect(stdout).toMatch(new RegExp(`restart +${crashed} is back after \\d+ ms, as incarnation 2`))
    const words = wc(join(root, "README.md")).toLocaleString("en-US")
    expect(stdout).toMatch(new RegExp(`^ *${words} +[\\d,]+ +[\\d,]+ +README\\.md$`, "m"))
    expect(stdout).toMatch(/asks\/s, 1 crash, 1 restart, 1 line asked again\n$/)
    expect(stdout).not.toContain("\x1b")
  })

  it("counts README.md alike in every locale", () => {
    expect(wc(join(root, "README.md"), "C.UTF-8")).toBe(wc(join(root, "README.md")))
  })

  it("prints one JSON document and nothing else with --json, on a real broker too", async () => {
    const many = file("many.txt", "one two  three\r\n\r\n \tfour\n".repeat(2_000))
    const few = file("few.txt", "no newline at the end")
    const found = await json(["--broker", process.env.WARREN_TEST_AMQP_URL ?? "embedded", many, few])
    expect(found).toMatchObject({
      files: [
        { file: many, words: 8_000, lines: 6_000 },
        { file: few, words: 5, lines: 1, bytes: 21 },
      ],
      total: { words: 8_005, lines: 6_001 },
      asks: { again: 1 },
      crashes: [{ why: "stumbled over a line, as it was told to" }],
      restarts: 1,
    })
  })

  it("counts an empty file, a line of 3 MB, a word of 3 MB and a file that is no text", async () => {
    const empty = file("empty.txt", "")
    const line = file("line.txt", "wörter und Wörter ".repeat(150_000))
    const word = file("word.txt", "x".repeat(3_000_000))
    const noise = file(
      "noise.bin",
      Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * 2_654_435_761) >>> 13)),
    )
    const found = await json([empty, line, word, noise], { LC_ALL: "C.UTF-8" })
    const words = found.files.map((each: { words: number }) => each.words)
    expect(words.slice(0, 3)).toEqual([0, 450_000, 1])
    const again = await json([noise])
    const runs = readFileSync(noise, "latin1").split(/[ \t\n\v\f\r]+/)
    expect(again.total).toMatchObject({ bytes: 300_000, words: runs.filter((run) => /[!-~]/.test(run)).length })
  })

  it("says what is wrong with a file or a flag, in one line, and exits with 1 or 2", async () => {
    const missing = await countWords([join(folder, "missing.txt")])
    expect(missing).toMatchObject({ code: 1, stdout: "" })
    expect(missing.stderr).toBe(`count-words: ${join(folder, "missing.txt")}: there is no such file\n`)
    expect(await countWords([folder])).toMatchObject({ code: 1, stderr: expect.stringContaining("it is a directory") })
    const flag = await countWords(["--jsn"])
    expect(flag).toMatchObject({ code: 2, stdout: "" })
    expect(flag.stderr).toMatch(/^count-words: Unknown option '--jsn'/)
  })

  it("says within its patience that there is no broker, and exits with 1", async () => {
    const { code, stderr } = await countWords(["--broker", "amqp://guest:guest@127.0.0.1:1"])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^count-words: .*127\.0\.0\.1:1/m)
  })
})
