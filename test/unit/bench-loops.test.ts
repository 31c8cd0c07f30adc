import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { closedLoop, openLoop } from "../../bench/loops.ts"

const after = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }))
afterEach(() => void vi.useRealTimers())

it("lets each caller of a closed loop call again only when it has its answer", async () => {
  let under = 0
  let most = 0
  const call = async () => {
    most = Math.max(most, ++under)
    await after(10)
    under -= 1
  }
  const loop = closedLoop(call, 3, 1000)
  await vi.advanceTimersByTimeAsync(1000)
  const { count, seconds, p50, waiting, failed } = await loop.result
  expect(most).toBe(3)
  expect(seconds).toBeCloseTo(1)
  expect(count).toBeGreaterThanOrEqual(3 * 99)
  expect(count).toBeLessThanOrEqual(3 * 100)
  expect(p50).toBeCloseTo(10, 0)
  expect(waiting).toBe(3)
  expect(failed).toBe(0)
})

it("does not count what ends after the measured time, and says when that has ended", async () => {
  let drained = false
  const loop = closedLoop(() => after(600), 2, 1000)
  void loop.drained.then(() => {
    drained = true
  })
  await vi.advanceTimersByTimeAsync(1000)
  expect((await loop.result).count).toBe(2)
  expect(drained).toBe(false)
  await vi.advanceTimersByTimeAsync(200)
  expect(drained).toBe(true)
})

it("counts failures apart, keeps the first one's text, and comes to its end when every call fails at once", async () => {
  let calls = 0
  const loop = closedLoop(() => Promise.reject(new Error(`no ${++calls}`)), 1, 50)
  await vi.advanceTimersByTimeAsync(60)
  const { count, failed, failure } = await loop.result
  expect(count).toBe(0)
  expect(failed).toBeGreaterThan(10)
  expect(failure).toBe("Error: no 1")
})

it("begins calls of an open loop at the rate, whether or not the earlier ones are answered", async () => {
  let begun = 0
  const loop = openLoop(
    () => {
      begun += 1
      return new Promise(() => {})
    },
    2000,
    500,
  )
  await vi.advanceTimersByTimeAsync(501)
  const { count, waiting } = await loop.result
  expect(begun).toBe(1000)
  expect(count).toBe(0)
  expect(waiting).toBe(1000)
})

it("counts the time of an open loop's call from when it was due", async () => {
  const loop = openLoop(() => after(5), 10_000, 200)
  await vi.advanceTimersByTimeAsync(220)
  await loop.drained
  const { count, p50, max } = await loop.result
  expect(count).toBeGreaterThan(1900)
  // Ten calls are due in each millisecond, and begin together at its end.
  expect(p50).toBeGreaterThan(5.1)
  expect(max).toBeLessThan(7.1)
})
