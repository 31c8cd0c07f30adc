// What is done with mail that has come before: pure decisions (promises 3, 6).

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { afterCrash, begun, type Returned, reception } from "../../src/messaging/redelivery.ts"

const returned: fc.Arbitrary<Returned> = fc.record({
  redelivered: fc.boolean(),
  returns: fc.option(fc.nat(5), { nil: undefined }),
  known: fc.boolean(),
  items: fc.integer({ min: 0, max: 600 }),
})
const limit = fc.integer({ min: 1, max: 10 })

describe("the reception of a batch", () => {
  it("is nothing special when it has never been delivered before (3)", () => {
    fc.assert(
      fc.property(fc.nat(600), fc.boolean(), fc.constantFrom(undefined, 0), limit, (items, known, returns, most) => {
        expect(reception({ redelivered: false, returns, known, items }, most)).toBe("first")
      }),
    )
  })

  it("goes on where it was when this process had it in hand: a lost link is no crash (9)", () => {
    fc.assert(
      fc.property(returned, limit, (batch, most) => {
        expect(reception({ ...batch, redelivered: true, known: true }, most)).toBe("resume")
      }),
    )
  })

  it("never splits a single item (6)", () => {
    fc.assert(
      fc.property(returned, fc.constantFrom(0, 1), limit, (batch, items, most) => {
        expect(reception({ ...batch, items }, most)).not.toBe("split")
      }),
    )
  })

  it("forgives one return, and splits at the next (6)", () => {
    const batch = { redelivered: true, known: false, items: 2 }
    expect(reception({ ...batch, returns: 1 }, 3)).toBe("again")
    expect(reception({ ...batch, returns: 2 }, 3)).toBe("split")
    expect(reception({ ...batch, returns: 7 }, 3)).toBe("split")
  })

  it("splits at the first return when the queue does not count, or when few attempts are left (6)", () => {
    const batch = { redelivered: true, known: false, items: 2 }
    expect(reception({ ...batch, returns: undefined }, 3)).toBe("split")
    expect(reception({ ...batch, returns: 1 }, 2)).toBe("split")
  })

  it("leaves every item at least one more attempt when it splits (6)", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 2, max: 600 }), (most, items) => {
        // As the broker returns it, again and again, until it is split.
        for (let returns = 1; returns < 20; returns++) {
          const batch = { redelivered: true, returns, known: false, items }
          if (reception(batch, most) !== "split") continue
          expect(begun(batch, 0)).toBeLessThan(most)
          return
        }
        expect.fail("it is never split")
      }),
    )
  })
})

describe("the count of attempts", () => {
  it("adds what the queue has counted, but not the returns of a batch that is known (6, 9)", () => {
    fc.assert(
      fc.property(returned, fc.nat(5), (batch, attempts) => {
        const count = begun(batch, attempts)
        if (batch.known) expect(count).toBe(attempts)
        else expect(count).toBe(attempts + (batch.returns ?? Number(batch.redelivered)))
      }),
    )
  })
})

describe("after a crash", () => {
  it("an ask is answered, whatever its attempts (6)", () => {
    fc.assert(fc.property(fc.nat(20), limit, (n, most) => void expect(afterCrash("ask", n, most)).toBe("answer")))
  })

  it("a tell is begun exactly `maxDeliveries` times before it is buried (6)", () => {
    fc.assert(
      fc.property(limit, (most) => {
        let attempts = 1
        while (attempts < 20 && afterCrash("tell", attempts, most) === "retry") attempts++
        expect(afterCrash("tell", attempts, most)).toBe("bury")
        expect(attempts).toBe(most)
      }),
    )
  })
})
