// What a cell holds: children, timers, clean-ups. All of it ends with the cell (promises 1, 6, 11).

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { actor, ask, protocol, type Self, tell } from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"
import { reasonOf, rejection } from "./rejection.ts"

const soon = { backoff: { initial: 1, max: 2 } }
const crash = () => {
  throw new Error("down")
}

const Child = protocol("child", "1.0.0", {
  crash: ask({}),
  incarnation: ask({ reply: Schema.Number }),
  remember: ask({ payload: Schema.String, reply: Schema.Array(Schema.String) }),
})
const Parent = protocol("parent", "1.0.0", {
  crash: ask({}),
  incarnation: ask({ reply: Schema.Number }),
  stop: ask({ reply: Schema.Array(Schema.Boolean) }),
})

const child = (log: Array<string> = []) =>
  actor(Child, (self) => {
    const memory: Array<string> = []
    log.push(`child ${self.incarnation} starts`)
    self.defer(() => void log.push(`child ${self.incarnation} ends`))
    return {
      crash,
      incarnation: () => self.incarnation,
      remember: (what) => {
        memory.push(what)
        return memory
      },
    }
  })

/** An actor with one child, which has the id that is given. */
const parent = (id: string, log: Array<string> = []) => {
  const own = child(log)
  const policy = { id, ...soon }
  return actor(Parent, async (self) => {
    log.push(`parent ${self.incarnation} starts`)
    self.defer(() => void log.push(`parent ${self.incarnation} ends`))
    await self.spawn(own, policy)
    return {
      crash,
      incarnation: () => self.incarnation,
      stop: async () => [await self.stopChild(own, id), await self.stopChild(own, id)],
    }
  })
}

const Clock = protocol("clock", "1.0.0", {
  start: ask({ payload: Schema.String }),
  busy: tell(),
  crash: ask({}),
  log: ask({ reply: Schema.Array(Schema.String) }),
})
type ClockSelf = Self<(typeof Clock)["messages"]>

/** An actor that sets timers as the test says, and keeps what it does in `log`. */
const clock = (
  set: (self: ClockSelf, log: Array<string>, how: string) => void,
  busy: Promise<void>,
  log: Array<string> = [],
) =>
  actor(Clock, (self) => ({
    start: (how) => set(self, log, how),
    busy: async () => {
      log.push("busy")
      await busy
      log.push("done")
    },
    crash,
    log: () => log,
  }))

const nothing = Promise.resolve()

export const childrenAndTimers = (bench: Bench): void => {
  describe("a child", () => {
    const spawn = async (log: Array<string> = []) => {
      const id = bench.id()
      bench.claim(Child, id)
      const def = parent(id, log)
      const ref = await bench.spawn(def, soon)
      return { def, ref, id, child: (await bench.system).ref(Child, id) }
    }

    it("takes mail once its parent does", async () => {
      const { child, ref } = await spawn()
      expect(await child.remember("a")).toStrictEqual(["a"])
      expect(await ref.incarnation()).toBe(1)
    })

    it("that crashes is restarted alone (6)", async () => {
      const { child, ref } = await spawn()
      expect(await reasonOf(child.crash())).toMatchObject({ _tag: "Crashed" })
      expect(await child.incarnation()).toBe(2)
      expect(await ref.incarnation()).toBe(1)
    })

    it("that crashes too often takes its parent's cell with it, and starts again with the next (6)", async () => {
      const { child, ref } = await spawn()
      for (let round = 0; round <= 10; round++) await child.crash.outcome(undefined, { timeout: 3_000 })
      await eventually("the parent is restarted", async () => (await ref.incarnation()) === 2)
      expect(await child.incarnation()).toBe(1)
    })

    it("ends before its parent's cell when that crashes, and starts with the next one (6)", async () => {
      const log: Array<string> = []
      const { child, ref } = await spawn(log)
      await reasonOf(ref.crash())
      expect(await ref.incarnation()).toBe(2)
      expect(await child.incarnation()).toBe(1)
      const first = ["parent 1 starts", "child 1 starts", "child 1 ends", "parent 1 ends"]
      expect(log).toStrictEqual([...first, "parent 2 starts", "child 1 starts"])
    })

    it("ends before its parent when that is stopped, after the mail of the parent is finished (11)", async () => {
      const log: Array<string> = []
      const { ref, def } = await spawn(log)
      expect(await (await bench.system).stopActor(def, ref.$id)).toBe(true)
      expect(log).toStrictEqual(["parent 1 starts", "child 1 starts", "child 1 ends", "parent 1 ends"])
    })

    it("can be stopped by its parent, once", async () => {
      const { child, ref } = await spawn()
      expect(await ref.stop()).toStrictEqual([true, false])
      expect(await reasonOf(child.remember("b", { timeout: 100 }))).toMatchObject({ _tag: "TimedOut" })
    })

    it("is shown in the tree under its parent", async () => {
      const { ref, id } = await spawn()
      const text = (await bench.system).printTree()
      const at = (address: string) => text.split("\n").find((line) => line.includes(address))
      expect(at(`test/child/${id}`)).toMatch(/running/)
      expect(at(`test/child/${id}`)!.search(/\w/)).toBeGreaterThan(at(ref.$address)!.search(/\w/))
    })

    it("cannot have the id of a sister (of the same protocol)", async () => {
      const id = bench.id()
      bench.claim(Child, id)
      const twice = actor(Parent, async (self) => {
        await self.spawn(child(), { id })
        const again = await rejection(self.spawn(child(), { id }))
        return { crash, incarnation: () => (again instanceof Error ? 1 : 0), stop: () => [] }
      })
      expect(await (await bench.spawn(twice)).incarnation()).toBe(1)
    })
  })

  describe("a timer", () => {
    it("ticks once, or every so often until it is cancelled (1)", async () => {
      const log: Array<string> = []
      const set = (self: ClockSelf) => {
        let left = 3
        self.timers.once("once", 1, () => void log.push("once"))
        self.timers.every("every", 2, () => {
          log.push("every")
          if (--left > 0) return
          self.timers.cancel("every")
          self.timers.once("last", 20, () => void log.push("last"))
        })
      }
      const ref = await bench.spawn(clock(set, nothing, log))
      await ref.start("now")
      await eventually("the last tick", () => log.includes("last"))
      expect(log.filter((line) => line === "once")).toHaveLength(1)
      expect(log.filter((line) => line === "every")).toHaveLength(3)
    })

    it("takes its turn like a message: never beside a handler, and in order (1)", async () => {
      const stay = latch()
      bench.after(stay.open)
      const log: Array<string> = []
      const due = latch()
      const set = (self: ClockSelf) => {
        self.timers.once("first", 5, () => void log.push("first"))
        self.timers.every("often", 6, () => void log.push("often"))
        self.timers.once("second", 10, async () => {
          log.push("second")
          await new Promise((resolve) => setTimeout(resolve, 15))
          log.push("second ends")
          self.timers.cancel("often")
        })
        setTimeout(due.open, 60)
      }
      const ref = await bench.spawn(clock(set, stay.opened, log))
      await Promise.all([ref.start("now"), ref.busy()])
      await due.opened
      expect(log).toStrictEqual(["busy"])
      stay.open()
      await eventually("all is done", () => log.includes("second ends"))
      await ref.log()
      expect(log).toStrictEqual(["busy", "done", "first", "often", "second", "second ends"])
    })

    it("that is periodic waits for one turn at a time, however long that takes (10)", async () => {
      const stay = latch()
      bench.after(stay.open)
      const log: Array<string> = []
      const due = latch()
      const set = (self: ClockSelf) => {
        self.timers.every("often", 2, () => void log.push("often"))
        setTimeout(due.open, 40)
      }
      const ref = await bench.spawn(clock(set, stay.opened, log))
      await Promise.all([ref.start("now"), ref.busy()])
      await due.opened
      const behind = ref.log()
      const queue = bench.claim(Clock, ref.$id)
      await eventually("the ask is in hand, behind the ticks", async () => (await bench.ready(queue)) === 0)
      await bench.ready(queue)
      stay.open()
      const seen = await behind
      // One that waited, and what has come due since; not the twenty that fell due meanwhile.
      expect(seen.filter((line) => line === "often").length).toBeLessThan(6)
    })

    it("that is set again or cancelled takes along the tick that waits for its turn (1)", async () => {
      const stay = latch()
      bench.after(stay.open)
      const log: Array<string> = []
      const due = latch()
      let own: ClockSelf | undefined
      const set = (self: ClockSelf) => {
        own = self
        self.timers.once("replaced", 3, () => void log.push("the former"))
        self.timers.once("cancelled", 3, () => void log.push("the cancelled"))
        setTimeout(due.open, 40)
      }
      const ref = await bench.spawn(clock(set, stay.opened, log))
      await Promise.all([ref.start("now"), ref.busy()])
      await due.opened
      own?.timers.once("replaced", 1, () => void log.push("the latter"))
      own?.timers.cancel("cancelled")
      stay.open()
      await eventually("the latter ticks", () => log.includes("the latter"))
      await ref.log()
      expect(log).toStrictEqual(["busy", "done", "the latter"])
    })

    it("whose tick fails crashes the cell (6)", async () => {
      const P = protocol("bomb", "1.0.0", { arm: ask({}), incarnation: ask({ reply: Schema.Number }) })
      const ref = await bench.spawn(
        actor(P, (self) => ({
          arm: () =>
            self.timers.once("bomb", 1, async () => {
              throw new Error("bang")
            }),
          incarnation: () => self.incarnation,
        })),
        soon,
      )
      await ref.arm()
      await eventually("the cell is restarted", async () => (await ref.incarnation()) === 2)
    })

    it("ends with its cell (6)", async () => {
      const P = protocol("ticker", "1.0.0", { crash: ask({}), ticks: ask({ reply: Schema.Array(Schema.Number) }) })
      const ticks: Array<number> = []
      const ref = await bench.spawn(
        actor(P, (self) => {
          self.timers.every("tick", 2, () => void ticks.push(self.incarnation))
          return { crash, ticks: () => ticks }
        }),
        soon,
      )
      await eventually("it ticks", () => ticks.length > 2)
      await reasonOf(ref.crash())
      await eventually("the next one ticks", () => ticks.filter((n) => n === 2).length > 5)
      const firstOfSecond = ticks.indexOf(2)
      expect(ticks.slice(firstOfSecond)).not.toContain(1)
    })

    it("that is set by code which a crashed cell left behind never ticks (6)", async () => {
      const P = protocol("heir", "1.0.0", { crash: ask({}), wait: ask({}) })
      const selves: Array<Self<(typeof P)["messages"]>> = []
      const ticks: Array<string> = []
      const ref = await bench.spawn(
        actor(P, (self) => {
          selves.push(self)
          return { crash, wait: () => {} }
        }),
        soon,
      )
      await reasonOf(ref.crash())
      await ref.wait()
      const [former, heir] = selves
      former?.timers.every("every", 1, () => void ticks.push("a dead cell, periodically"))
      former?.timers.once("once", 1, () => void ticks.push("a dead cell, once"))
      heir?.timers.every("own", 2, () => void ticks.push("own"))
      await eventually("its own timer ticks", () => ticks.filter((tick) => tick === "own").length >= 10)
      expect(ticks.filter((tick) => tick !== "own")).toStrictEqual([])
    })

    it("may make calls", async () => {
      const { $id } = await bench.spawn(child())
      const P = protocol("caller", "1.0.0", { start: ask({}), got: ask({ reply: Schema.Number }) })
      let got = 0
      const ref = await bench.spawn(
        actor(P, (self) => ({
          start: () =>
            self.timers.once("call", 1, async () => {
              got = (await self.ref(Child, $id).remember("x")).length
            }),
          got: () => got,
        })),
      )
      await ref.start()
      await eventually("it has called", async () => (await ref.got()) === 1)
    })
  })

  describe("a clean-up", () => {
    const P = protocol("tidy", "1.0.0", { crash: ask({}), incarnation: ask({ reply: Schema.Number }) })
    const tidy = (log: Array<string>) =>
      actor(P, (self) => {
        for (const name of ["first", "second", "third"]) {
          self.defer(async () => {
            await new Promise((resolve) => setImmediate(resolve))
            log.push(`${name} ${self.incarnation}`)
            if (name === "second") throw new Error("a clean-up that fails")
          })
        }
        return { crash, incarnation: () => self.incarnation }
      })

    it("runs at the end of the incarnation, last in, first out; one that fails stops no other (6, 11)", async () => {
      const log: Array<string> = []
      const def = tidy(log)
      const ref = await bench.spawn(def, soon)
      await reasonOf(ref.crash())
      expect(await ref.incarnation()).toBe(2)
      expect(log).toStrictEqual(["third 1", "second 1", "first 1"])
      await (await bench.system).stopActor(def, ref.$id)
      expect(log.slice(3)).toStrictEqual(["third 2", "second 2", "first 2"])
    })
  })
}
