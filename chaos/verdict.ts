// The account of a case with a load: what became of everything that was sent, as figures and notes.

import { confirmedOf, lost, repetitions } from "./account.ts"
import type { Findings } from "./case.ts"
import { id, settled } from "./clique.ts"
import type { Gate } from "./gates.ts"
import type { Scene } from "./scene.ts"
import type { Worker } from "./worker-process.ts"

/** What every case with a load must show. */
export const loadGates: readonly Gate[] = [
  { text: "overlaps of two leaders in the fenced store", figure: "overlaps", bound: { exactly: 0 } },
  { text: "terms whose epoch did not grow", figure: "epochsNotGrown", bound: { exactly: 0 } },
  { text: "confirmed durable tells lost", figure: "lost", bound: { exactly: 0 } },
  { text: "asks that ended after their deadline, or never", figure: "asksLate", bound: { exactly: 0 } },
]

/** Begins a load: so many tells and asks a second, with asks that have 5 s. */
export const burden = (sender: Worker, tells: number, asks: number): Promise<void> =>
  sender.call("load", { id, tells, asks, deadline: 5_000, tolerance: 250 })

/** Ends the load of a sender and settles the account. */
export const settle = async (scene: Scene, sender: Worker): Promise<Findings> => {
  const { store } = scene
  const report = await sender.call("unload", {}, 120_000)
  const confirmed = confirmedOf(report.told, report.refused)
  await settled(scene, confirmed)
  const missing = lost(confirmed, store.handled)
  const again = repetitions(store.handled)
  const reasons = Object.entries(report.reasons).map(([reason, count]) => `${count} ${reason}`)
  const thousand = (count: number) => count.toLocaleString("en-US")
  return {
    figures: {
      overlaps: store.overlaps.length,
      epochsNotGrown: store.epochsNotGrown,
      lost: missing.length,
      asksLate: report.late,
      duplicates: again.all,
      leaderships: store.leaderships.length,
      told: report.told,
      asked: report.asked,
      unanswered: report.asked - report.answered,
    },
    notes: [
      `${thousand(report.told)} tells, ${thousand(report.refused.length)} of them not confirmed; ${thousand(again.all)} handled twice, ${thousand(again.unmarked)} of these without a mark`,
      `${thousand(report.asked)} asks, ${thousand(report.answered)} answered${reasons.length > 0 ? `, ${reasons.join(", ")}` : ""}; the latest end was ${Math.round(report.overrun)} ms after a deadline`,
      `the store refused ${thousand(store.staleWrites)} writes and ${thousand(store.staleClaims)} leaders as stale`,
      ...store.overlaps.slice(0, 5).map((text) => `OVERLAP: ${text}`),
      ...(missing.length > 0 ? [`LOST: ${missing.slice(0, 20).join(", ")}`] : []),
    ],
  }
}

/** Two findings as one. */
export const merged = (...all: readonly Findings[]): Findings => ({
  figures: Object.assign({}, ...all.map(({ figures }) => figures)),
  notes: all.flatMap(({ notes }) => notes),
})
