// A member of a `single` clique. What it leads it writes into the fenced store, stamped with epoch and term.
//
// 1. Epoch and term are read when a message is begun: what a leader does late must not look like the next one's.
// 2. A leader that the store refuses yields and fails: what it was told belongs to somebody else, who gets it again.

import { setTimeout as delay } from "node:timers/promises"
import { ActorSystem, actor, child, type MessageContext, type Self, supervisor } from "warren"
import type { MemberInput } from "../operations.ts"
import type { Verdict } from "../store.ts"
import { Ledger, Unit } from "./messages.ts"
import { settings } from "./place.ts"
import { openStore } from "./store-client.ts"

export interface Member {
  readonly hold: () => void
  readonly stepDown: (id: string) => Promise<boolean>
}

/** So often that it is the store, and never the count of attempts, that decides what becomes of an entry. */
const maxDeliveries = 1_000

const mayHaveBeenHandled = (context: MessageContext & { readonly redelivered?: boolean }): boolean =>
  context.attempt > 1 || context.redelivered === true

/** @param begun is told each ask that is begun while it holds */
export const join = async (input: MemberInput, begun: (entry: number) => void): Promise<Member> => {
  const { place, member, id, work, beside } = input
  const store = await openStore(input.store)
  let holding = false
  let term = "none"
  let lastEpoch = 0

  const obey = ({ accepted, highest }: Verdict, { yieldTo }: Pick<Self<typeof Ledger.messages>, "yieldTo">) => {
    if (accepted) return
    yieldTo(highest) // 2
    throw new Error(`${member} does not lead any more: the store has seen epoch ${highest}`)
  }
  const ledger = actor(
    Ledger,
    (self) => {
      self.onLead(async (epoch) => {
        // A cell that is started again in the midst of a term goes on with it.
        if (epoch !== lastEpoch) term = `${member}@${epoch}`
        lastEpoch = epoch
        obey(await store.claim({ member, term, epoch }), self)
      })
      return {
        enter: async (entry, context) => {
          const stamp = { member, term, epoch: self.epoch }
          lastEpoch = Math.max(lastEpoch, stamp.epoch)
          if (work > 0) await delay(work)
          obey(await store.write({ ...stamp, entry, again: mayHaveBeenHandled(context) }), self)
        },
        whoLeads: async (entry) => {
          if (!holding) return { member, epoch: self.epoch }
          begun(entry)
          return new Promise<never>(() => {})
        },
      }
    },
    { clique: "single", maxDeliveries },
  )
  const spec = {
    intensity: { maxRestarts: 500, within: "10 minutes" },
    backoff: { initial: 10, max: 100 },
    whenExhausted: { retryAfter: "1 second" },
  } as const
  const unit = actor(Unit, { echo: (n: number) => n }, { mailbox: "transient" })
  const children = [...(beside === undefined ? [] : [child(unit, { id: beside })]), child(ledger, { id })]
  const system = await ActorSystem.start({ ...settings(place), tree: supervisor("app", spec, children) })
  return {
    hold: () => {
      holding = true
    },
    stepDown: (which) => system.stepDown(ledger, which),
  }
}
