// Feedback for whoever reads it: the newest, never a backlog (docs/semantics.md, "Actions").

import { describe, expect, it } from "vitest"
import { Newest } from "../../src/actions/newest.ts"

const read = <T>(newest: Newest<T>) => newest.iterable((value) => value)[Symbol.asyncIterator]()
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)

describe("whoever iterates", () => {
  it("gets each value while it keeps up, falsy ones too", async () => {
    const newest = new Newest<unknown>()
    const reader = read(newest)
    for (const value of [0, "", false, null, undefined]) {
      newest.set(value)
      expect(await reader.next()).toStrictEqual({ done: false, value })
    }
  })

  it("gets each value while it waits for them, though they come all at once, with the end", async () => {
    const newest = new Newest<number>()
    const seen: Array<number> = []
    const reading = (async () => {
      for await (const value of newest.iterable((value) => value)) seen.push(value)
    })()
    for (const value of upTo(5)) newest.set(value)
    newest.end()
    await reading
    expect(seen).toStrictEqual(upTo(5))
  })

  it("gets the newest when it was slow, and the last one before the end", async () => {
    const newest = new Newest<number>()
    const reader = read(newest)
    for (const value of upTo(1000)) newest.set(value)
    await turn()
    newest.set(1000)
    newest.end()
    await turn()
    expect(await reader.next()).toStrictEqual({ done: false, value: 1000 })
    expect(await reader.next()).toStrictEqual({ done: true, value: undefined })
  })

  it("is given no more of what came at once than a bound, and the newest in any case", async () => {
    const newest = new Newest<number>()
    const seen: Array<number> = []
    const reading = (async () => {
      for await (const value of newest.iterable((value) => value)) seen.push(value)
    })()
    for (const value of upTo(10_000)) newest.set(value)
    newest.end()
    await reading
    expect(seen.length).toBeLessThan(100)
    expect(seen.at(-1)).toBe(9_999)
  })

  it("waits for what is to come, and is woken by the end", async () => {
    const newest = new Newest<number>()
    const reader = read(newest)
    const first = reader.next()
    newest.set(7)
    expect(await first).toStrictEqual({ done: false, value: 7 })
    const second = reader.next()
    newest.end()
    newest.set(8)
    expect(await second).toStrictEqual({ done: true, value: undefined })
  })

  it("stands for itself", async () => {
    const newest = new Newest<number>()
    const [slow, quick] = [read(newest), read(newest)]
    newest.set(1)
    expect((await quick.next()).value).toBe(1)
    newest.set(2)
    expect((await quick.next()).value).toBe(2)
    expect((await slow.next()).value).toBe(2)
  })

  it("may stop while it waits", async () => {
    const reader = read(new Newest<number>())
    const waiting = reader.next()
    await reader.return?.()
    expect(await waiting).toStrictEqual({ done: true, value: undefined })
    expect(await reader.next()).toStrictEqual({ done: true, value: undefined })
  })

  it("fails with what reading throws, once", async () => {
    const newest = new Newest<number>()
    const reader = newest
      .iterable(() => {
        throw new Error("unreadable")
      })
      [Symbol.asyncIterator]()
    newest.set(1)
    await expect(reader.next()).rejects.toThrow("unreadable")
    expect(await reader.next()).toStrictEqual({ done: true, value: undefined })
  })
})
