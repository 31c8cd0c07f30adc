import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { cases } from "../../bench/cases/index.ts"
import { judge } from "../../bench/gates.ts"
import { blocksOf, fill, table } from "../../bench/markdown.ts"
import type { Measurement } from "../../bench/plan.ts"
import { blocks, caseText, number, reportOf } from "../../bench/report.ts"

const document =
  "# Title\n\nBefore.\n\n<!-- bench:a -->\n\nold\n\n<!-- /bench -->\n\nBetween.\n\n<!-- bench:b -->\n<!-- /bench -->\n"

it("fills the blocks it is given, and keeps the prose and the other blocks", () => {
  const filled = fill(document, { a: "new" })
  expect(filled).toContain("<!-- bench:a -->\n\nnew\n\n<!-- /bench -->\n\nBetween.")
  expect(filled).not.toContain("old")
  expect(filled.startsWith("# Title\n\nBefore.\n\n")).toBe(true)
  expect(blocksOf(filled)).toEqual(["a", "b"])
  expect(fill(filled, { a: "new" })).toBe(filled)
})

it("refuses a block that is not there, or not closed", () => {
  expect(() => fill(document, { c: "" })).toThrow("there is no <!-- bench:c --> to fill")
  expect(() => fill(document.replace("<!-- /bench -->", ""), { a: "" })).toThrow("is not closed")
})

it("pads a table so that it can be read as it stands", () => {
  expect(
    table(
      ["name", "calls"],
      [
        ["a", "1,000"],
        ["longer", "2"],
      ],
    ),
  ).toBe(["| name   | calls |", "| ------ | ----: |", "| a      | 1,000 |", "| longer |     2 |"].join("\n"))
})

it("shows three significant digits", () => {
  expect([0, 0.04123, 0.512, 1.005, 27.13, 467.8, 231_456].map(number)).toEqual([
    "0",
    "0.0412",
    "0.512",
    "1.00",
    "27.1",
    "468",
    "231,000",
  ])
  expect(number(undefined)).toBe("-")
})

const measurement = (contender: string, rate: number): Measurement => ({
  case: "work",
  group: "durable",
  contender,
  level: 256,
  round: 1,
  figures: { rate, p50: 2, p99: 9, cpu: 0.2, cpuClient: 0.1, cpuServer: 0.1, rssClient: 9e7, rssServer: 8e7 },
})

const report = reportOf(
  {
    date: "2030-01-02T03:04:05.000Z",
    command: "npm run bench",
    rounds: 1,
    cpu: "a processor",
    cores: 2,
    memory: 8e9,
    system: "Linux",
    versions: { "Node.js": "20" },
    brokerCpu: false,
  },
  {
    measurements: [measurement("amqplib", 1_000), measurement("warren", 8_000)],
    failures: [{ case: "work", group: "durable", contender: "nestjs", round: 1, error: "it broke\n  at a line" }],
    introductions: { warren: { name: "Warren", settings: "defaults" } },
  },
  judge,
)

it("shows the fastest first, how many times as fast Warren is, and what failed", () => {
  const text = caseText(cases.find(({ name }) => name === "work")!, report)
  const lines = text.split("\n").filter((line) => line.startsWith("| Warren") || line.startsWith("| amqplib"))
  expect(
    lines.map((line) =>
      line
        .split("|")
        .slice(1, 4)
        .map((cell) => cell.trim()),
    ),
  ).toEqual([
    ["Warren", "8,000", "1.00x"],
    ["amqplib", "1,000", "8.00x"],
  ])
  expect(text).toContain("0.100, 0.100, -")
  expect(text).toContain("- nestjs, durable, round 1: it broke")
  expect(text).not.toContain("at a line")
})

it("says that the broker's CPU is missing when it is", () => {
  expect(blocks(cases, report).circumstances).toContain("is NOT in the figures")
})

it("has a place in docs/performance.md for every table it makes", () => {
  const file = fileURLToPath(new URL("../../docs/performance.md", import.meta.url))
  const known = blocksOf(readFileSync(file, "utf8"))
  expect([...known].sort()).toEqual(Object.keys(blocks(cases, report)).sort())
})
