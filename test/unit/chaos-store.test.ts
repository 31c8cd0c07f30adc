import { describe, expect, it } from "vitest"
import { FencedStore } from "../../chaos/store.ts"

const write = (member: string, epoch: number, entry = 0, term = member) => ({
  member,
  term,
  epoch,
  entry,
  again: false,
})

describe("the fenced store", () => {
  it("refuses an epoch that is smaller than one it has accepted, and tells the largest", () => {
    const store = new FencedStore()
    expect(store.write(write("a", 5), 0)).toEqual({ accepted: true, highest: 5 })
    expect(store.write(write("b", 7), 1)).toEqual({ accepted: true, highest: 7 })
    expect(store.write(write("a", 5), 2)).toEqual({ accepted: false, highest: 7 })
    expect(store.claim({ member: "c", term: "c", epoch: 6 }, 3)).toEqual({ accepted: false, highest: 7 })
    expect([store.staleWrites, store.staleClaims, store.overlaps, store.handled.length]).toEqual([1, 1, [], 2])
  })

  it("keeps what it accepted in the order of arrival, with its time and its mark", () => {
    const store = new FencedStore()
    store.write(write("a", 1, 10), 100)
    store.write({ ...write("b", 2, 9), again: true }, 200)
    expect(store.handled).toEqual([
      { entry: 10, again: false, term: "a", at: 100 },
      { entry: 9, again: true, term: "b", at: 200 },
    ])
  })

  it("counts a term once, however often its epoch is renewed", () => {
    const store = new FencedStore()
    for (const epoch of [1, 1, 4, 6]) store.write(write("a", epoch), 0)
    store.claim({ member: "b", term: "b", epoch: 7 }, 0)
    expect(store.leaderships.map(({ term, epoch, last }) => [term, epoch, last])).toEqual([
      ["a", 1, 6],
      ["b", 7, 7],
    ])
    expect(store.overlaps).toEqual([])
    expect(store.epochsNotGrown).toBe(0)
  })

  it("sees two leaders that write with one epoch", () => {
    const store = new FencedStore()
    store.write(write("a", 3), 0)
    store.write(write("b", 3), 1)
    expect(store.overlaps).toEqual(["b and a write with one epoch, 3"])
    expect(store.epochsNotGrown).toBe(1)
  })

  it("sees an older leader that writes after a newer one, even when its epoch has grown meanwhile", () => {
    const store = new FencedStore()
    store.write(write("a", 3), 0)
    store.write(write("b", 4), 1)
    store.write(write("a", 5), 2)
    expect(store.overlaps).toEqual(["a writes with epoch 5 after b did"])
  })

  it("lets one process lead again in a term of its own", () => {
    const store = new FencedStore()
    store.write(write("a", 3, 0, "a@3"), 0)
    store.write(write("b", 4, 0, "b@4"), 1)
    store.write(write("a", 5, 0, "a@5"), 2)
    expect(store.overlaps).toEqual([])
    expect(store.leaderships).toHaveLength(3)
  })

  it.each([0, -1, Number.NaN, undefined as unknown as number])("sees a leader without an epoch: %s", (epoch) => {
    const store = new FencedStore()
    store.write(write("a", epoch), 0)
    expect(store.overlaps).toHaveLength(1)
  })
})
