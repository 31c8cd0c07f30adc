// Starting and stopping a system (promises 9, 11).

import { Effect, Schema } from "effect"
import { describe, expect, it } from "vitest"
import {
  ActorSystem,
  actor,
  ask,
  BadOptions,
  BrokerUnreachable,
  child,
  protocol,
  supervisor,
  tell,
} from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"
import { reasonOf, rejection } from "./rejection.ts"

const Jobs = protocol("jobs", "1.0.0", {
  run: tell(Schema.Number),
  ask: ask({ payload: Schema.Number, reply: Schema.Number }),
})

/** Handles at the pace of a gate; the log says how far it came. */
const jobs = (log: Array<string>, gate: Promise<void>) => {
  const work = async (n: number) => {
    log.push(`begin ${n}`)
    if (n > 0) await gate
    log.push(`end ${n}`)
    return n
  }
  return actor(Jobs, { run: async (n) => void (await work(n)), ask: work })
}

export const shutdown = (bench: Bench): void => {
  describe("a system that stops", () => {
    const works = ["for the first time", "and has all of it in hand"] as const
    it.for(works)(
      "while it works %s finishes the batches it has begun; the rest waits for the next, in order (11)",
      async (when) => {
        const id = bench.id()
        const queue = bench.claim(Jobs, id)
        const log: Array<string> = []
        const gate = latch()
        const sender = await bench.system
        const stopping = await bench.start()
        await stopping.spawn(jobs(log, gate.opened), { id })
        const ref = sender.ref(Jobs, id)
        if (when === "and has all of it in hand") await ref.ask(0)
        log.length = 0
        // One batch of three, and two batches of one.
        await Promise.all([1, 2, 3].map((n) => ref.run(n)))
        await ref.run(4)
        await ref.run(5)
        await eventually("it has begun", () => log.length === 1)
        if (when === "and has all of it in hand") {
          await eventually("all is in hand", async () => (await bench.ready(queue)) === 0)
        }
        const stopped = stopping.stop()
        gate.open()
        await stopped
        expect(log).toStrictEqual(["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"])
        await eventually("the rest is in the queue", async () => (await bench.ready(queue)) === 2)

        const next: Array<string> = []
        const other = await bench.start()
        await other.spawn(jobs(next, Promise.resolve()), { id })
        await eventually("the rest is handled", () => next.length === 4)
        expect(next).toStrictEqual(["begin 4", "end 4", "begin 5", "end 5"])
        expect(await bench.deadLetters(ref.$address)).toStrictEqual([])
      },
    )

    it("begins nothing in a place that becomes free meanwhile (1, 11)", async () => {
      const id = bench.id()
      const queue = bench.claim(Jobs, id)
      const gates = [latch(), latch(), latch(), latch()] as const
      const log: Array<string> = []
      const run = async (n: number) => {
        log.push(`begin ${n}`)
        await gates[n]?.opened
        log.push(`end ${n}`)
      }
      const stopping = await bench.start()
      await stopping.spawn(actor(Jobs, { run, ask: (n) => n }, { concurrency: 2 }), { id })
      const ref = (await bench.system).ref(Jobs, id)
      await ref.ask(0)
      for (const n of [1, 2, 3]) await ref.run(n)
      await eventually("two are begun, and the third is in hand", async () => {
        return log.length === 2 && (await bench.ready(queue)) === 0
      })
      const stopped = stopping.stop()
      gates[1].open()
      await eventually("the first has ended", () => log.includes("end 1"))
      gates[3].open()
      await ref.run.outcome(4) // a round trip, in which the third could have begun
      gates[2].open()
      await stopped
      expect(log).toStrictEqual(["begin 1", "begin 2", "end 1", "end 2"])
      await eventually("the rest is in the queue", async () => (await bench.ready(queue)) === 2)
    })

    it("begins nothing in one actor while another still finishes (11)", async () => {
      const [idle, busy] = [bench.id(), bench.id()]
      for (const id of [idle, busy]) bench.claim(Jobs, id)
      const log: Array<string> = []
      const gate = latch()
      const tree = supervisor("app", {}, [
        child(jobs(log, Promise.resolve()), { id: idle }),
        child(jobs(log, gate.opened), { id: busy }),
      ])
      const stopping = await bench.start({ tree })
      const sender = await bench.system
      await sender.ref(Jobs, busy).run(1)
      await eventually("it has begun", () => log.length === 1)
      const stopped = stopping.stop()
      // Two round trips, in which the idle one could have begun.
      await sender.ref(Jobs, idle).run(0)
      await sender.ref(Jobs, idle).run(0)
      gate.open()
      await stopped
      expect(log).toStrictEqual(["begin 1", "end 1"])
    })

    it("answers an ask that it was handling (11)", async () => {
      const id = bench.id()
      bench.claim(Jobs, id)
      const log: Array<string> = []
      const gate = latch()
      const stopping = await bench.start()
      await stopping.spawn(jobs(log, gate.opened), { id })
      const asked = (await bench.system).ref(Jobs, id).ask(7)
      await eventually("it has begun", () => log.length === 1)
      const stopped = stopping.stop()
      gate.open()
      expect(await asked).toBe(7)
      await stopped
    })

    it("gives a handler up that does not end in time: its tell is handled by the next system (11)", async () => {
      const id = bench.id()
      bench.claim(Jobs, id)
      const log: Array<string> = []
      const stopping = await bench.start()
      const never = new Promise<void>(() => {})
      await stopping.spawn(jobs(log, never), { id, shutdown: 100 })
      const ref = (await bench.system).ref(Jobs, id)
      await ref.run(1)
      await eventually("it has begun", () => log.length === 1)
      await stopping.stopActor(jobs(log, never), id)
      const next: Array<string> = []
      await (await bench.start()).spawn(jobs(next, Promise.resolve()), { id })
      await eventually("the next one handles it", () => next.length === 2)
      expect(next).toStrictEqual(["begin 1", "end 1"])
    })

    it("stops its children in the reverse of their order, each after its mail (11)", async () => {
      const log: Array<string> = []
      const P = protocol("part", "1.0.0", {})
      const part = (id: string) => {
        bench.claim(P, `${bench.prefix}-${id}`)
        const def = actor(P, (self) => {
          log.push(`${id} starts`)
          self.defer(() => void log.push(`${id} stops`))
          return {}
        })
        return child(def, { id: `${bench.prefix}-${id}` })
      }
      const tree = supervisor("app", { strategy: "rest-for-one" }, [
        part("a"),
        supervisor("inner", {}, [part("b"), part("c")]),
        part("d"),
      ])
      const system = await bench.start({ tree })
      expect(log).toStrictEqual(["a starts", "b starts", "c starts", "d starts"])
      await system.stop()
      expect(log.slice(4)).toStrictEqual(["d stops", "c stops", "b stops", "a stops"])
    })

    it("takes no calls any more, and ends those that are open (11)", async () => {
      const stay = latch()
      bench.after(stay.open)
      const log: Array<string> = []
      const ref = await bench.spawn(jobs(log, stay.opened))
      const stopping = await bench.start()
      const open = reasonOf(stopping.ref(Jobs, ref.$id).ask(1))
      await eventually("it is handled", () => log.length === 1)
      await stopping.stop()
      expect(await open).toMatchObject({ _tag: "Cancelled" })
      const late = stopping.ref(Jobs, ref.$id)
      for (const call of [late.ask(2), late.run(3)]) {
        expect(await reasonOf(call)).toMatchObject({ _tag: "Disconnected", why: "the system is stopping", sent: false })
      }
    })

    it("has every tell confirmed that it accepted before (3, 11)", async () => {
      const log: Array<string> = []
      const ref = await bench.spawn(jobs(log, Promise.resolve()))
      const stopping = await bench.start()
      const mine = stopping.ref(Jobs, ref.$id)
      const told = Array.from({ length: 50 }, (_, n) => mine.run(n))
      await stopping.stop()
      await Promise.all(told)
      await eventually("all are handled", () => log.length === 100)
    })

    it("does so once, also when it is told twice; `ended` resolves, and `await using` is enough (11)", async () => {
      const log: Array<string> = []
      const P = protocol("brief", "1.0.0", {})
      let ended: Promise<void> | undefined
      {
        await using system = await bench.start()
        const id = bench.id()
        bench.claim(P, id)
        await system.spawn(
          actor(P, (self) => {
            self.defer(() => void log.push("stopped"))
            return {}
          }),
          { id },
        )
        ended = system.ended
        void system.stop()
      }
      await ended
      expect(log).toStrictEqual(["stopped"])
    })
  })

  describe("a spawned actor", () => {
    it("can be stopped by its id, once; its durable mailbox stays (3, 11)", async () => {
      const system = await bench.system
      const log: Array<string> = []
      const def = jobs(log, Promise.resolve())
      const ref = await bench.spawn(def)
      expect(await system.stopActor(def, ref.$id)).toBe(true)
      expect(await system.stopActor(def, ref.$id)).toBe(false)
      await ref.run(1)
      expect(await bench.ready(bench.claim(Jobs, ref.$id))).toBe(1)
      await bench.spawn(def, { id: ref.$id })
      expect(await ref.ask(2)).toBe(2)
      expect(log).toStrictEqual(["begin 1", "end 1", "begin 2", "end 2"])
    })

    it("cannot have the id of another of the same protocol, but of another protocol (9)", async () => {
      const log: Array<string> = []
      const ref = await bench.spawn(jobs(log, Promise.resolve()))
      await rejection(bench.spawn(jobs(log, Promise.resolve()), { id: ref.$id }))
      expect(await ref.ask(1)).toBe(1)
      await bench.spawn(actor(protocol("others", "1.0.0", {}), {}), { id: ref.$id })
      expect(await ref.ask(1)).toBe(1)
    })

    it("is shown in the printed tree with its address, beside the connection and the inbox", async () => {
      const system = await bench.system
      const ref = await bench.spawn(jobs([], Promise.resolve()))
      const text = system.printTree()
      for (const part of ["guardian: running", "connection: running", "up.flowing", system.node, ref.$address]) {
        expect(text).toContain(part)
      }
    })
  })

  describe("a system that starts", () => {
    it("without a broker fails with BrokerUnreachable after `startTimeout`, and leaves nothing running (9)", async () => {
      const from = performance.now()
      const error = await rejection(bench.start({ broker: bench.venue.unreachable, startTimeout: 300 }))
      expect(error).toBeInstanceOf(BrokerUnreachable)
      expect(error).toMatchObject({ after: 300, message: expect.stringContaining("was not reached within 300 ms") })
      expect(performance.now() - from).toBeGreaterThanOrEqual(290)
      expect(performance.now() - from).toBeLessThan(3_000)
    })

    it.for([
      [{ domain: "a.b" }, "domain"],
      [{ domain: "a", prefix: "x".repeat(33) }, "prefix"],
    ] as const)("with %o is refused with words", async ([options, word]) => {
      const error = await rejection(
        ActorSystem.start({ broker: bench.venue.layer, signals: false, logLevel: "None", ...options }),
      )
      expect(error).toBeInstanceOf(BadOptions)
      expect(String(error)).toContain(word)
    })

    it("with a broker that is no broker is refused with words", async () => {
      const error = await rejection(ActorSystem.start({ domain: "a", broker: "http://localhost", signals: false }))
      expect(error).toBeInstanceOf(TypeError)
    })

    it("fails when an actor of its tree cannot be made, with the reason (6)", async () => {
      const P = protocol("broken", "1.0.0", {})
      const id = bench.id()
      bench.claim(P, id)
      const broken = actor(P, () => Effect.fail(new Error("no licence")) as Effect.Effect<{}, Error>)
      const error = await rejection(bench.start({ tree: supervisor("app", {}, [child(broken, { id })]) }))
      expect(String(error)).toContain("no licence")
    })
  })
}
