// Runs the cases of a plan one after the other. One that fails is told with its error and ends nothing; what it had
// started goes before the next one begins.

import { setTimeout as delay } from "node:timers/promises"
import type { Case, Findings } from "./case.ts"
import { now } from "./clock.ts"
import { judge } from "./gates.ts"
import type { Outcome } from "./report.ts"
import { type Circumstances, openScene } from "./scene.ts"

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    else signal.addEventListener("abort", abort, { once: true })
  })

const runCase = async (each: Case, circumstances: Circumstances): Promise<Findings> => {
  const say = (line: string) => circumstances.say(`${each.name.padEnd(12)} ${line}`)
  await using scene = await openScene(each.name, { ...circumstances, say })
  const running = each.run(scene)
  running.catch(() => {}) // it may be left behind
  return await Promise.race([running, aborted(circumstances.signal)])
}

export const runTrial = async (cases: readonly Case[], circumstances: Circumstances): Promise<readonly Outcome[]> => {
  const outcomes: Outcome[] = []
  for (const each of cases) {
    const { name, title } = each
    const began = now()
    const gates = each.gates(circumstances.scale)
    const outcome = (findings: Partial<Findings>, failure?: string): Outcome => ({
      name,
      title,
      seconds: (now() - began) / 1000,
      figures: findings.figures ?? {},
      notes: findings.notes ?? [],
      gates: judge(name, gates, findings.figures),
      ...(failure !== undefined && { failure }),
    })
    circumstances.say(`${name.padEnd(12)} ${title}`)
    try {
      outcomes.push(outcome(await runCase(each, circumstances)))
    } catch (error) {
      circumstances.signal.throwIfAborted()
      outcomes.push(outcome({}, error instanceof Error ? (error.stack ?? error.message) : String(error)))
    }
    await delay(500) // what was killed is gone for the broker too
  }
  return outcomes
}
