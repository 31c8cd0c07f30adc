import { expect, it } from "vitest"
// @ts-expect-error a plain script without types
import { satisfies } from "../../scripts/install.mjs"
import { add, closingLine, one, tallyOf, type VitestReport } from "../../scripts/test/tally.ts"

const report = (over: Partial<VitestReport>): VitestReport => ({
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [],
  ...over,
})

it("closes with passed and failed, and with skipped only when something was skipped", () => {
  expect(closingLine(add(one(true), one(false)))).toBe("1 passed, 1 failed")
  expect(closingLine({ passed: 2, failed: 0, skipped: 1 })).toBe("2 passed, 0 failed, 1 skipped")
})

it("counts a file that could not be loaded as one failure", () => {
  const testResults = [{ status: "failed", assertionResults: [] }]
  expect(tallyOf(report({ testResults }), 1)).toEqual({ passed: 3, failed: 1, skipped: 0 })
})

it("does not count a failed test twice", () => {
  const testResults = [{ status: "failed", assertionResults: [{ status: "failed" }] }]
  expect(tallyOf(report({ numFailedTests: 1, testResults }), 1).failed).toBe(1)
})

it("counts a run as failed that exits badly, reports nothing or finds no test", () => {
  expect(tallyOf(report({}), 1).failed).toBe(1)
  expect(tallyOf(undefined, 0).failed).toBe(1)
  expect(tallyOf(report({ numPassedTests: 0 }), 0).failed).toBe(1)
})

it("takes an install for whole when every package that is not optional has the version of the lock", () => {
  const lock = {
    packages: {
      "": {},
      "node_modules/a": { version: "1.0.0" },
      "node_modules/b": { version: "2.0.0", optional: true },
    },
  }
  const stamp = (packages: object) => ({ packages })
  expect(satisfies(lock, stamp({ "node_modules/a": { version: "1.0.0" } }))).toBe(true)
  expect(satisfies(lock, stamp({ "node_modules/a": { version: "0.9.0" } }))).toBe(false)
  expect(satisfies(lock, stamp({}))).toBe(false)
})
