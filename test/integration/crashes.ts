// Crashes: they end the cell, never the member (promises 1, 6).

import { Effect, Schema } from "effect"
import { describe, expect, it } from "vitest"
import {
  actor,
  ask,
  type CellInfo,
  child,
  GaveUp,
  protocol,
  StartFailed,
  supervisor,
  tell,
  type,
} from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"
import { reasonOf, rejection } from "./rejection.ts"

const Counter = protocol("counter", "1.0.0", {
  add: ask({ reply: Schema.Number }),
  crash: ask({ payload: Schema.String }),
  incarnation: ask({ reply: Schema.Number }),
})
const soon = { backoff: { initial: 1, max: 2 } }

const refuse = () => {
  throw new Error("not even this")
}
const refusesEveryLook = { get: refuse, has: refuse, ownKeys: refuse, getPrototypeOf: refuse }

/** Counts in memory, and crashes in every way there is. */
const counter = (hooks = {}) =>
  actor(
    Counter,
    (self) => {
      let count = 0
      return {
        add: () => ++count,
        crash: (how) => {
          switch (how) {
            case "rejects":
              return Promise.reject(new Error(how))
            case "dies":
              return Effect.die(new Error(how))
            case "fails":
              return Effect.fail(new Error(how)) as never
            case "is interrupted":
              return Effect.interrupt
            default:
              throw new Error(how)
          }
        },
        incarnation: () => self.incarnation,
      }
    },
    { hooks },
  )

export const crashes = (bench: Bench): void => {
  describe("a crash", () => {
    it.for(["throws", "rejects", "dies", "fails"])(
      "of a handler that %s is answered Crashed, and the next cell starts afresh (6)",
      async (how) => {
        const ref = await bench.spawn(counter(), soon)
        expect(await ref.add()).toBe(1)
        expect(await ref.add()).toBe(2)
        const error = await rejection(ref.crash(how))
        expect(error).toMatchObject({ reason: { _tag: "Crashed", why: how }, retrySafe: false })
        expect(await ref.add()).toBe(1)
        expect(await ref.incarnation()).toBe(2)
      },
    )

    describe.for([
      ["an object without a prototype", () => Object.create(null)],
      ["an Error whose message is no string", () => Object.assign(new Error("odd"), { message: { a: 1 } })],
      ["a Proxy that refuses every look", () => new Proxy({}, refusesEveryLook)],
    ] as const)("by throwing %s", ([, odd]) => {
      it.for(["at once", "later"])("is a crash like any other (%s) (6)", async (when) => {
        const P = protocol("odd", "1.0.0", { ask: ask({}), tell: tell(), incarnation: ask({ reply: Schema.Number }) })
        const fail = () => {
          if (when === "later") return Promise.reject(odd())
          throw odd()
        }
        const def = actor(P, (self) => ({ ask: fail, tell: fail, incarnation: () => self.incarnation }), {
          maxDeliveries: 2,
        })
        const ref = await bench.spawn(def, soon)
        const timeout = { timeout: 5_000 }
        expect(await reasonOf(ref.ask(undefined, timeout))).toMatchObject({ _tag: "Crashed", why: expect.any(String) })
        expect(await ref.incarnation(undefined, timeout)).toBe(2)
        await ref.tell()
        expect(await ref.incarnation(undefined, timeout)).toBe(4)
        const letters: Array<unknown> = []
        await eventually("the tell is dead", async () => {
          letters.splice(0, letters.length, ...(await bench.deadLetters(ref.$address)))
          return letters.length > 0
        })
        expect(letters).toMatchObject([{ reason: "crashed", attempts: 2 }])
      })
    })

    it("is a reply that refuses to be looked at (6, 7)", async () => {
      const P = protocol("odd", "1.0.0", {
        give: ask({ reply: type<unknown>() }),
        incarnation: ask({ reply: Schema.Number }),
      })
      const give = () => new Proxy({}, refusesEveryLook)
      const ref = await bench.spawn(
        actor(P, (self) => ({ give, incarnation: () => self.incarnation })),
        soon,
      )
      expect(await reasonOf(ref.give(undefined, { timeout: 5_000 }))).toMatchObject({ _tag: "Crashed" })
      expect(await ref.incarnation(undefined, { timeout: 5_000 })).toBe(2)
    })

    it("lets the mail behind it wait, and the next cell handles it (6)", async () => {
      const ref = await bench.spawn(counter(), { backoff: { initial: 50, jitter: "none" } })
      const crash = reasonOf(ref.crash("throws"))
      const behind = [ref.add(), ref.add(), ref.incarnation()]
      expect(await crash).toMatchObject({ _tag: "Crashed" })
      expect(await Promise.all(behind)).toStrictEqual([1, 2, 2])
    })

    it("is a reply that its protocol does not allow (6, 7)", async () => {
      const ref = await bench.spawn(
        actor(Counter, (self) => ({
          add: () => "many" as never,
          crash: () => {},
          incarnation: () => self.incarnation,
        })),
        soon,
      )
      const reason = await reasonOf(ref.add())
      expect(reason).toMatchObject({ _tag: "Crashed", why: expect.stringContaining("the reply of add") })
      expect(await ref.incarnation()).toBe(2)
    })

    it("is a reply that is no JSON, where no schema makes it so (6, 7)", async () => {
      const P = protocol("odd", "1.0.0", {
        give: ask({ payload: Schema.String, reply: type<unknown>() }),
        incarnation: ask({ reply: Schema.Number }),
      })
      const loop: { self?: unknown } = {}
      loop.self = loop
      const give = (what: string) => (what === "a bigint" ? 1n : loop)
      const ref = await bench.spawn(
        actor(P, (self) => ({ give, incarnation: () => self.incarnation })),
        soon,
      )
      for (const [index, what] of ["a bigint", "a loop"].entries()) {
        expect(await reasonOf(ref.give(what, { timeout: 2_000 }))).toMatchObject({ _tag: "Crashed" })
        expect(await ref.incarnation(undefined, { timeout: 2_000 })).toBe(index + 2)
      }
    })

    it("answers the asks that ran beside it as well; those that waited are handled (6)", async () => {
      const stay = latch()
      bench.after(stay.open)
      const P = protocol("wide", "1.0.0", { wait: ask({}), crash: ask({}), pass: ask({}) })
      let waiting = 0
      const wait = () => {
        waiting++
        return stay.opened
      }
      const crash = () => {
        throw new Error("all down")
      }
      const ref = await bench.spawn(actor(P, { wait, crash, pass: () => {} }, { concurrency: 3 }), soon)
      const beside = [reasonOf(ref.wait()), reasonOf(ref.wait())]
      await eventually("both run", () => waiting === 2)
      const reasons = [reasonOf(ref.crash()), ...beside]
      const after = ref.pass()
      for (const reason of await Promise.all(reasons))
        expect(reason).toMatchObject({ _tag: "Crashed", why: "all down" })
      await after
    })

    it("aborts the signal of the cell, and of what ran in it (6)", async () => {
      const P = protocol("signals", "1.0.0", { watch: ask({}), crash: ask({}), pass: ask({}) })
      const aborted: Array<string> = []
      let watching = false
      const ref = await bench.spawn(
        actor(
          P,
          (self) => {
            self.signal.addEventListener("abort", () => aborted.push(`cell ${self.incarnation}`))
            return {
              watch: (_, { signal }) => {
                watching = true
                return new Promise((resolve) => {
                  signal.addEventListener("abort", () => {
                    aborted.push("handler")
                    resolve(undefined)
                  })
                })
              },
              crash: () => {
                throw new Error("down")
              },
              pass: () => {},
            }
          },
          { concurrency: 2 },
        ),
        soon,
      )
      const watched = reasonOf(ref.watch())
      await eventually("it watches", () => watching)
      await reasonOf(ref.crash())
      expect(await watched).toMatchObject({ _tag: "Crashed" })
      await ref.pass()
      expect(aborted.sort()).toStrictEqual(["cell 1", "handler"])
    })

    it("comes to a handler that does not end within `stuckAfter` of its abort (1)", async () => {
      const P = protocol("deaf", "1.0.0", { hang: ask({}), incarnation: ask({ reply: Schema.Number }) })
      const ref = await bench.spawn(
        actor(P, (self) => ({ hang: () => new Promise(() => {}), incarnation: () => self.incarnation }), {
          stuckAfter: 80,
        }),
        soon,
      )
      const from = performance.now()
      expect(await reasonOf(ref.hang(undefined, { timeout: 50 }))).toMatchObject({ _tag: "TimedOut" })
      expect(await ref.incarnation()).toBe(2)
      expect(performance.now() - from).toBeGreaterThanOrEqual(50 + 80 - 20)
    })

    it("of one actor is no business of another (6)", async () => {
      const one = await bench.spawn(counter(), soon)
      const other = await bench.spawn(counter(), soon)
      await other.add()
      await reasonOf(one.crash("throws"))
      expect(await other.add()).toBe(2)
      expect(await other.incarnation()).toBe(1)
    })

    it("of a tell that ran beside the one that crashed costs it no attempt (6)", async () => {
      const P = protocol("beside", "1.0.0", { slow: tell(), crash: ask({}), done: ask({}) })
      const attempts: Array<number> = []
      const ref = await bench.spawn(
        actor(
          P,
          {
            slow: (_, { attempt, signal }) => {
              attempts.push(attempt)
              if (attempts.length > 4) return
              return new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()))
            },
            crash: () => {
              throw new Error("down")
            },
            done: () => {},
          },
          { concurrency: 2, maxDeliveries: 2 },
        ),
        soon,
      )
      await ref.slow()
      for (let round = 1; round <= 4; round++) {
        await eventually("it runs", () => attempts.length === round)
        await reasonOf(ref.crash())
      }
      await eventually("it is done", () => attempts.length === 5)
      expect(attempts).toStrictEqual([1, 1, 1, 1, 1])
      expect(await bench.deadLetters(ref.$address)).toStrictEqual([])
    })

    it("is told to the hooks, with the cell it ended; what a hook throws ends nothing (6)", async () => {
      const log: Array<string> = []
      const note = (what: string) => (cell: CellInfo, error?: unknown) => {
        log.push(`${what} ${cell.incarnation}${error instanceof Error ? ` ${error.message}` : ""}`)
        throw new Error("a hook that throws")
      }
      const def = counter({ onStart: note("start"), onCrash: note("crash"), onStop: note("stop") })
      const ref = await bench.spawn(def, soon)
      await reasonOf(ref.crash("throws"))
      expect(await ref.incarnation()).toBe(2)
      expect(await (await bench.system).stopActor(def, ref.$id)).toBe(true)
      expect(log).toStrictEqual(["start 1", "crash 1 throws", "start 2", "stop 2"])
    })

    it("that comes too often goes up the tree, and at the top ends the system (6)", async () => {
      const id = bench.id()
      bench.claim(Counter, id)
      const spec = { intensity: { maxRestarts: 3, within: "10 seconds" } }
      const system = await bench.start({ tree: supervisor("app", spec, [child(counter(), { id, ...soon })]) })
      const ended = rejection(system.ended)
      const ref = system.ref(Counter, id)
      for (let round = 0; round <= 3; round++) await ref.crash.outcome("throws", { timeout: 2_000 })
      expect(await ended).toBeInstanceOf(GaveUp)
    })

    it("that comes too often from an actor that was spawned stops nobody else (6)", async () => {
      const bad = await bench.spawn(counter(), soon)
      const good = await bench.spawn(counter(), soon)
      await good.add()
      for (let round = 0; round <= 10; round++) await bad.crash.outcome("throws", { timeout: 2_000 })
      expect(await reasonOf(bad.add(undefined, { timeout: 60 }))).toMatchObject({ _tag: "TimedOut" })
      expect(await good.add()).toBe(2)
      expect((await bench.system).printTree()).toMatch(/waiting, starts in .* 10 restarts/)
    })
  })

  describe("a factory that fails", () => {
    const P = protocol("weak", "1.0.0", { crash: ask({}), incarnation: ask({ reply: Schema.Number }) })

    it("when the actor is spawned fails the spawn, and nothing is left of it (6)", async () => {
      const system = await bench.system
      const id = bench.id()
      bench.claim(P, id)
      const broken = actor(P, () => {
        throw new Error("no database")
      })
      const error = await rejection(system.spawn(broken as never, { id }))
      expect(error).toBeInstanceOf(StartFailed)
      expect(String(error)).toContain("no database")
      await system.spawn(actor(P, { crash: () => {}, incarnation: () => 7 }), { id })
      expect(await system.ref(P, id).incarnation()).toBe(7)
    })

    it("after a crash is tried again with backoff, while the mail waits (6)", async () => {
      let failures = 2
      const ref = await bench.spawn(
        actor(P, (self) => {
          if (self.incarnation > 1 && failures-- > 0) throw new Error("not yet")
          return {
            crash: () => {
              throw new Error("down")
            },
            incarnation: () => self.incarnation,
          }
        }),
        soon,
      )
      await reasonOf(ref.crash())
      expect(await ref.incarnation()).toBe(4)
    })
  })
}
