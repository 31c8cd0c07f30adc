// Counts what passed, failed and was skipped, and writes the closing line that every test command ends with. Pure.

export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export const nothing: Tally = { passed: 0, failed: 0, skipped: 0 }

export const one = (passed: boolean): Tally => ({ ...nothing, [passed ? "passed" : "failed"]: 1 })

export const add = (...tallies: readonly Tally[]): Tally =>
  tallies.reduce(
    (sum, tally) => ({
      passed: sum.passed + tally.passed,
      failed: sum.failed + tally.failed,
      skipped: sum.skipped + tally.skipped,
    }),
    nothing,
  )

export const closingLine = ({ passed, failed, skipped }: Tally): string =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`

/** The part of Vitest's JSON report that is counted. */
export interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly {
    readonly status: string
    readonly assertionResults: readonly { readonly status: string }[]
  }[]
}

/**
 * A file that failed without a failed test (it could not be loaded, or a hook threw) counts as one failure; so does a run
 * that exited badly with nothing else to show for it, and a run that found no test at all.
 */
export const tallyOf = (report: VitestReport | undefined, exitCode: number): Tally => {
  if (report === undefined) return one(false)
  const broken = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === "failed" && !assertionResults.some((assertion) => assertion.status === "failed"),
  ).length
  const failed = report.numFailedTests + broken
  const empty = report.numPassedTests + failed === 0
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && (exitCode !== 0 || empty) ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}
