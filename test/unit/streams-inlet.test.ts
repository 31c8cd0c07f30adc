// What has come through a stream, taken one after the other or an array at a time.

import { Effect, Exit, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { Inlet } from "../../src/streams/inlet.ts"

const open = (decode: (json: unknown) => unknown = (json) => json) => {
  const used: Array<readonly [number, number]> = []
  const told = { left: 0 }
  const inlet = new Inlet({
    decode,
    spoilt: (error) => new Error(`spoilt: ${(error as Error).message}`),
    used: (items, bytes) => void used.push([items, bytes]),
    left: () => void told.left++,
  })
  return { inlet, used, told }
}
const next = async (inlet: Inlet) => (await inlet.next()).value
const broken = (json: unknown) => {
  if (json === "bad") throw new Error("bad")
  return json
}

describe("what has come", () => {
  it("comes out as it went in, then the end; a failure once, and nothing after it (I1)", async () => {
    const { inlet } = open()
    inlet.put([1, 2], 2)
    inlet.put([undefined, null, 0], 3)
    inlet.fail(new Error("over"), false)
    inlet.put([9], 1)
    expect([await next(inlet), await next(inlet)]).toStrictEqual([1, 2])
    expect([await next(inlet), await next(inlet), await next(inlet)]).toStrictEqual([undefined, null, 0])
    await expect(inlet.next()).rejects.toThrow("over")
    expect(await inlet.next()).toStrictEqual({ done: true, value: undefined })
  })

  it("is dropped when the failure is to come at once", async () => {
    const { inlet } = open()
    inlet.put([1, 2], 2)
    inlet.fail(new Error("now"), true)
    await expect(inlet.next()).rejects.toThrow("now")
  })

  it("goes to those who wait for it, in their order, and so does the end", async () => {
    const { inlet } = open()
    const waiting = [inlet.next(), inlet.next(), inlet.next(), inlet.next()]
    inlet.put([1], 1)
    inlet.put([2], 1)
    inlet.complete()
    expect(await Promise.all(waiting)).toStrictEqual([
      { done: false, value: 1 },
      { done: false, value: 2 },
      { done: true, value: undefined },
      { done: true, value: undefined },
    ])
  })

  it("is reported when the last item of an array is taken (I2)", async () => {
    const { inlet, used } = open()
    inlet.put([1, 2], 20)
    inlet.put([3], 30)
    await inlet.next()
    expect(used).toStrictEqual([])
    await inlet.next()
    expect(used).toStrictEqual([[2, 20]])
    await inlet.next()
    expect(used).toStrictEqual([
      [2, 20],
      [1, 30],
    ])
  })

  it("ends when one of it cannot be read, after those before it; the rest is dropped", async () => {
    const { inlet } = open(broken)
    inlet.put([1, "bad", 3], 9)
    inlet.put([4], 1)
    expect(await next(inlet)).toBe(1)
    await expect(inlet.next()).rejects.toThrow("spoilt: bad")
    expect((await inlet.next()).done).toBe(true)
  })

  it("is no more when who takes it leaves; that is told once, and not when it was at its end", async () => {
    const { inlet, told } = open()
    inlet.put([1, 2], 2)
    const [first] = [await next(inlet)]
    expect(first).toBe(1)
    await inlet.return()
    await inlet.return()
    inlet.put([3], 1)
    expect([(await inlet.next()).done, told.left]).toStrictEqual([true, 1])
    const other = open()
    other.inlet.complete()
    await other.inlet.next()
    await other.inlet.return()
    expect(other.told.left).toBe(0)
  })

  it("lets who waits go when another one leaves", async () => {
    const { inlet } = open()
    const waiting = inlet.next()
    await inlet.return()
    expect((await waiting).done).toBe(true)
  })

  it("lets the event loop turn when much of it is taken in a row (I3)", async () => {
    const { inlet } = open()
    inlet.put(Array(100).fill(0), 100)
    let turns = 0
    let running = true
    const turn = () => {
      turns++
      if (running) setImmediate(turn)
    }
    turn()
    for (let n = 0; n < 100; n++) {
      await inlet.next()
      const until = performance.now() + 0.5
      while (performance.now() < until);
    }
    running = false
    expect(turns).toBeGreaterThan(3)
    expect(turns).toBeLessThan(50)
  })
})

describe("what has come, as a Stream", () => {
  it("comes in arrays, each reported when the next is wanted (I2)", async () => {
    const { inlet, used } = open()
    inlet.put([1, 2], 20)
    inlet.put([3], 30)
    inlet.complete()
    const reported: Array<number> = []
    const taken = inlet.stream.pipe(
      Stream.tap(() => Effect.sync(() => reported.push(used.length))),
      Stream.runCollect,
    )
    expect(await Effect.runPromise(taken)).toStrictEqual([1, 2, 3])
    expect(reported).toStrictEqual([0, 0, 1])
    expect(used).toHaveLength(2)
  })

  it("waits for what is to come, and fails with the failure after the items before it", async () => {
    const { inlet } = open(broken)
    const got: Array<unknown> = []
    const running = Effect.runPromiseExit(Stream.runForEach(inlet.stream, (item) => Effect.sync(() => got.push(item))))
    await new Promise((resolve) => setImmediate(resolve))
    inlet.put([1], 1)
    await new Promise((resolve) => setImmediate(resolve))
    inlet.put([2, "bad", 3], 3)
    const exit = await running
    expect(got).toStrictEqual([1, 2])
    expect(Exit.isFailure(exit) && String(exit.cause)).toContain("spoilt: bad")
  })

  it("is left when no more of it is wanted", async () => {
    const { inlet, told } = open()
    inlet.put([1, 2, 3], 3)
    expect(await Effect.runPromise(Stream.runCollect(Stream.take(inlet.stream, 2)))).toStrictEqual([1, 2])
    expect(told.left).toBe(1)
  })
})
