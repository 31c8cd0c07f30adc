// What a program makes, moved into a stream as long as there is credit for it.

import { Effect, Fiber, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { Outlet, Unsendable } from "../../src/streams/outlet.ts"
import { drain, iteratorOf, pump } from "../../src/streams/pump.ts"
import type { Session } from "../../src/streams/session.ts"

/** A session that has room for what the test says. */
const stage = (room: number, encode: (value: unknown) => unknown = (value) => value) => {
  const sent: Array<string> = []
  const session = {
    left: room,
    get hasRoom() {
      return session.left > 0
    },
    offer: (text: string) => {
      session.left--
      sent.push(text)
    },
    get turnEnd() {
      return new Promise<void>((resolve) => setImmediate(resolve))
    },
    waitForRoom: () => {},
  }
  const outlet = new Outlet(session as unknown as Session, encode)
  const more = (items: number) => {
    session.left += items
    outlet.wake()
  }
  return { outlet, sent, more }
}
const settle = async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}
const generator = (log: Array<string>, count = Number.POSITIVE_INFINITY) =>
  (async function* () {
    try {
      for (let n = 0; n < count; n++) {
        log.push(`made ${n}`)
        yield n
      }
    } finally {
      log.push("cleaned up")
    }
  })()

describe("an iterator", () => {
  it("makes nothing without credit, and goes on with more (P1)", async () => {
    const { outlet, sent, more } = stage(2)
    const log: Array<string> = []
    const pumping = pump(generator(log, 4), outlet)
    await settle()
    expect(log).toStrictEqual(["made 0", "made 1"])
    more(1)
    await settle()
    expect(sent).toStrictEqual(["0", "1", "2"])
    more(9)
    expect(await pumping).toBe(true)
    expect(log.at(-1)).toBe("cleaned up")
  })

  it.each([
    ["an array", [1, 2, 3]],
    ["a set", new Set([1, 2, 3])],
    ["a text", "123"],
  ])("may be that of %s", async (_, source) => {
    const { outlet, sent } = stage(9, Number)
    expect(await pump(iteratorOf(source)!, outlet)).toBe(true)
    expect(sent).toStrictEqual(["1", "2", "3"])
  })

  it.each([[undefined], [null], [7], [{}], [() => {}], [{ [Symbol.iterator]: undefined }]])("is not %s's", (source) => {
    expect(iteratorOf(source)).toBeUndefined()
  })

  it("is told to return when nobody wants any more: while it waits for credit, or while it is at work (P2)", async () => {
    const waiting = stage(1)
    const log: Array<string> = []
    const pumping = pump(generator(log), waiting.outlet)
    await settle()
    waiting.outlet.close()
    expect(await pumping).toBe(false)
    expect(log).toStrictEqual(["made 0", "cleaned up"])

    const working = stage(5)
    const told: Array<string> = []
    let stop = () => {}
    const own = {
      next: () => new Promise<IteratorResult<number>>((resolve) => (stop = () => resolve({ done: false, value: 1 }))),
      return: async () => {
        told.push("return")
        stop()
        return { done: true as const, value: undefined }
      },
    }
    const atWork = pump(own, working.outlet)
    await settle()
    working.outlet.close()
    expect(await atWork).toBe(false)
    expect(told).toStrictEqual(["return"])
    expect(working.sent).toStrictEqual([])
  })

  it("ends the pumping with what it throws; not once nobody wants any more", async () => {
    const broken = async function* () {
      yield 1
      throw new Error("no more")
    }
    await expect(pump(broken(), stage(9).outlet)).rejects.toThrow("no more")
    const { outlet } = stage(1)
    const log: Array<string> = []
    const clumsy = async function* () {
      try {
        yield 1
        yield 2
      } finally {
        log.push("cleaned up")
        // biome-ignore lint/correctness/noUnsafeFinally: that is what is tested
        throw new Error("clumsy")
      }
    }
    const pumping = pump(clumsy(), outlet)
    await settle()
    outlet.close()
    expect(await pumping).toBe(false)
    expect(log).toStrictEqual(["cleaned up"])
  })

  it("is told to return when what it makes cannot be sent", async () => {
    const log: Array<string> = []
    const picky = stage(9, (value) => {
      if (value === 2) throw new Error("two is too much")
      return value
    })
    await expect(pump(generator(log), picky.outlet)).rejects.toThrow("two is too much")
    expect(log.at(-1)).toBe("cleaned up")
    expect(picky.sent).toStrictEqual(["0", "1"])
    const circle: unknown[] = []
    circle.push(circle)
    await expect(pump([circle][Symbol.iterator](), stage(1).outlet)).rejects.toBeInstanceOf(Unsendable)
    await expect(pump([1n][Symbol.iterator](), stage(1).outlet)).rejects.toBeInstanceOf(Unsendable)
  })

  it("gives way to the rest of the process, however quick it is and however much credit there is (O2)", async () => {
    const { outlet, sent } = stage(Number.POSITIVE_INFINITY)
    let turns = 0
    const turn = () => {
      turns++
      if (!outlet.isClosed) setImmediate(turn)
    }
    turn()
    const endless = (function* () {
      for (;;) yield 1
    })()
    const pumping = pump(endless, outlet)
    while (turns < 5) await new Promise((resolve) => setImmediate(resolve))
    outlet.close()
    expect(await pumping).toBe(false)
    expect(sent.length).toBeGreaterThan(1_000)
  })
})

describe("a Stream", () => {
  it("waits with what it has made until there is credit, and is done when all is sent (P1)", async () => {
    const { outlet, sent, more } = stage(2)
    let done = false
    const draining = Effect.runPromise(drain(Stream.range(1, 5), outlet)).then(() => {
      done = true
    })
    await settle()
    expect([sent, done]).toStrictEqual([["1", "2"], false])
    more(2)
    await settle()
    expect(sent).toStrictEqual(["1", "2", "3", "4"])
    more(1)
    await draining
    expect(sent).toHaveLength(5)
  })

  it("is interrupted by whoever runs it, also while it waits (P2)", async () => {
    const { outlet } = stage(1)
    const log: Array<string> = []
    const endless = Stream.range(1, 9).pipe(Stream.onExit(() => Effect.sync(() => log.push("finalized"))))
    const fiber = Effect.runFork(drain(endless, outlet))
    await settle()
    outlet.close()
    await settle()
    expect(log).toStrictEqual([])
    await Effect.runPromise(Fiber.interrupt(fiber))
    expect(log).toStrictEqual(["finalized"])
  })
})
