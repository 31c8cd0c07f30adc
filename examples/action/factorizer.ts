// The actor: it divides by one number after the other, and says now and then how far it is.

import { setTimeout as delay } from "node:timers/promises"
import { actor } from "warren"
import { Factorizer, TooSmall } from "./protocol.ts"

/** Divisors in one step; after each the goal looks whether it is still wanted, and others get their turn. */
const step = 2_000

export const factorizer = actor(
  Factorizer,
  {
    factor: async ({ goal, feedback, signal, reject }) => {
      if (goal > 10n ** 30n) reject("that would take longer than anybody waits") // the call fails, nothing has begun
      if (goal < 2n) throw new TooSmall({ least: 2n }) // declared: the goal ends `aborted` with it
      const factors: Array<bigint> = []
      let left = goal
      for (let divisor = 2n; left > 1n; ) {
        for (let tried = 0; tried < step && left > 1n; tried++) {
          if (divisor * divisor > left) divisor = left
          while (left % divisor === 0n) {
            factors.push(divisor)
            left /= divisor
          }
          divisor++
        }
        feedback(Number(divisor) - 1)
        await delay(20)
        if (signal.aborted) return factors // canceled: this is the partial result
      }
      return factors
    },
  },
  // One goal at a time, the others wait for their turn: that is the default, and here so that you find it.
  { actions: { factor: { atMost: 1, policy: "queue", waiting: 10 } } },
)
