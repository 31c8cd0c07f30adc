// The set whose members know their own place.

import fc from "fast-check"
import { expect, it } from "vitest"
import { Linked, Ring } from "../../src/messaging/ring.ts"

class Member extends Linked {
  readonly n: number
  constructor(n: number) {
    super()
    this.n = n
  }
}

it("a ring holds what a Set would hold, in the same order, whatever is added and deleted", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom("add", "delete"), fc.nat(5))), (steps) => {
      const members = Array.from({ length: 6 }, (_, n) => new Member(n))
      const ring = new Ring<Member>()
      const set = new Set<Member>()
      for (const [step, n] of steps) {
        ring[step](members[n]!)
        set[step](members[n]!)
        expect([...ring].map((member) => member.n)).toStrictEqual([...set].map((member) => member.n))
        expect(ring.size).toBe(set.size)
        expect(ring.first).toBe([...set][0])
      }
    }),
  )
})

it("a ring may lose the member that was just given out, and does not touch what is in another", () => {
  const [ring, other] = [new Ring<Member>(), new Ring<Member>()]
  const members = Array.from({ length: 4 }, (_, n) => new Member(n))
  for (const member of members) ring.add(member)
  other.add(members[0]!)
  other.delete(members[1]!)
  expect([...other]).toStrictEqual([])
  for (const member of ring) if (member.n % 2 === 0) ring.delete(member)
  expect([...ring].map((member) => member.n)).toStrictEqual([1, 3])
})
