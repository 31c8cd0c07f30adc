// The shapes of a behaviour: objects, factories, classes; plain, promised or in an Effect.

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { actor, ask, type Handlers, protocol } from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { reasonOf } from "./rejection.ts"

const Tally = protocol("tally", "1.0.0", {
  add: ask({ payload: Schema.Number, reply: Schema.Number }),
  crash: ask({}),
})
const crash = () => {
  throw new Error("down")
}
const soon = { backoff: { initial: 1, max: 2 } }

class TallyMan {
  #sum: number
  constructor(from: number) {
    this.#sum = from
  }
  add(n: number): number {
    this.#sum += n
    return this.#sum
  }
  crash(): void {
    crash()
  }
}

const counting = (from: number): Handlers<(typeof Tally)["messages"], never> => {
  let sum = from
  return {
    add: (n) => {
      sum += n
      return sum
    },
    crash,
  }
}

export const definitions = (bench: Bench): void => {
  describe("a behaviour", () => {
    it("may be an object: it has no state of its own, so a crash leaves it as it is (6)", async () => {
      let sum = 0
      const add = (n: number) => {
        sum += n
        return sum
      }
      const ref = await bench.spawn(actor(Tally, { add, crash }), soon)
      await ref.add(1)
      await reasonOf(ref.crash())
      expect(await ref.add(1)).toBe(2)
    })

    it.for([
      ["a factory", actor(Tally, () => counting(10))],
      ["an async factory", actor(Tally, async () => counting(10))],
      ["a factory of class instances", actor(Tally, () => new TallyMan(10))],
    ] as const)("may be %s, which runs once for every incarnation (6)", async ([, def]) => {
      const ref = await bench.spawn(def, soon)
      expect(await ref.add(1)).toBe(11)
      expect(await ref.add(1)).toBe(12)
      await reasonOf(ref.crash())
      expect(await ref.add(1)).toBe(11)
    })

    it("may be a class instance: its methods are called on it (6)", async () => {
      const ref = await bench.spawn(actor(Tally, new TallyMan(5)), soon)
      expect(await ref.add(1)).toBe(6)
      await reasonOf(ref.crash())
      expect(await ref.add(1), "an instance outlives the cell").toBe(7)
    })

    it("knows itself: address, node and incarnation", async () => {
      const P = protocol("self-aware", "1.0.0", { who: ask({ reply: Schema.Array(Schema.Unknown) }) })
      const ref = await bench.spawn(actor(P, (self) => ({ who: () => [self.address, self.node, self.incarnation] })))
      const system = await bench.system
      expect(await ref.who()).toStrictEqual([`test/self-aware/${ref.$id}`, system.node, 1])
      expect(ref.$address).toBe(`test/self-aware/${ref.$id}`)
    })

    it("may call actors while it is made", async () => {
      const tally = await bench.spawn(actor(Tally, () => counting(1)))
      const P = protocol("eager", "1.0.0", { first: ask({ reply: Schema.Number }) })
      const ref = await bench.spawn(
        actor(P, async (self) => {
          const first = await self.ref(Tally, tally.$id).add(41)
          return { first: () => first }
        }),
      )
      expect(await ref.first()).toBe(42)
    })
  })
}
