// Actions: long goals that can be watched, cancelled and found again (docs/semantics.md, "Actions"; promises 1, 6, 7, 11).

import { Effect, Schema, Stream } from "effect"
import { describe, expect, it } from "vitest"
import {
  type ActorSystem,
  AskError,
  action,
  actor,
  ask,
  type GoalHandle,
  type GoalOutcome,
  protocol,
  type,
} from "../../src/index.ts"
import { Actors } from "../../src/system/actors.ts"
import { encodeBatch, encodeItem } from "../../src/wire/batch.ts"
import type { Bench, StartOptions } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { Broken, Factory, factory } from "./fixtures/factory.ts"
import { latch } from "./latch.ts"
import { reasonOf, rejection } from "./rejection.ts"

const upTo = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)
const soon = { backoff: { initial: 1, max: 2 } }

const all = async <A>(items: AsyncIterable<A>): Promise<Array<A>> => {
  const seen: Array<A> = []
  for await (const item of items) seen.push(item)
  return seen
}

type Counting = GoalHandle<number, ReadonlyArray<number>, Broken>
type Counted = GoalOutcome<ReadonlyArray<number>, Broken>

/** What an aborted goal says for a reason, if that is not a declared error. */
const whyAborted = (outcome: Counted): AskError["reason"] => {
  if (outcome.status === "aborted" && outcome.error instanceof AskError) return outcome.error.reason
  throw new Error(`it ended otherwise: ${JSON.stringify(outcome)}`)
}

/** Waits until the feedback has come this far. */
const reaches = async (goal: Counting, step: number): Promise<void> => {
  for await (const at of goal.feedback) if (at >= step) return
  throw new Error(`it ended (${goal.status}) before step ${step}`)
}

/** A system that notices soon when another one is gone. */
const watchful: StartOptions = { presence: { interval: 300 } }

export const actions = (bench: Bench): void => {
  const spawn = (log: Array<string> = [], options: Parameters<typeof factory>[1] = {}, policy = {}) =>
    bench.spawn(factory(log, options), policy)

  describe("a goal", () => {
    it.for(["count", "effect"] as const)("of 5 steps gives its feedback and its result (%s)", async (kind) => {
      const ref = await spawn()
      const goal = await ref[kind]({ steps: 5, each: 20 })
      expect(await all(goal.feedback)).toStrictEqual([0, 1, 2, 3, 4])
      expect(await goal.result).toStrictEqual(upTo(5))
      expect(await goal.outcome).toStrictEqual({ ok: true, status: "succeeded", value: upTo(5) })
      expect(goal.status).toBe("succeeded")
      expect(await all(goal.statuses)).toStrictEqual(["succeeded"])
    })

    it("is the same for clients in Effect", async () => {
      const { $id } = await spawn()
      const running = Effect.gen(function* () {
        const client = yield* Actors.ref(Factory, $id)
        const goal = yield* client.count({ steps: 5, each: 20 })
        const steps = yield* Stream.runCollect(goal.feedback)
        const failing = yield* client.count({ steps: 5, each: 1, fails: [1, "declared"] })
        const error = yield* Effect.flip(failing.result)
        const long = yield* client.effect({ steps: 1000, each: 5 })
        yield* Stream.runHead(Stream.filter(long.feedback, (step) => step >= 3))
        const found = yield* client.effect.goal(long.id)
        yield* found.cancel
        return { steps, error, ended: yield* long.outcome, goals: yield* client.count.goals() }
      })
      const { steps, error, ended, goals } = await bench.effects().runPromise(running)
      expect(steps).toStrictEqual([0, 1, 2, 3, 4])
      expect(error).toStrictEqual(new Broken({ at: 1 }))
      expect(ended).toMatchObject({ status: "canceled" })
      expect(goals.map(({ status }) => status)).toStrictEqual(["succeeded", "aborted"])
    })

    it.for(["count", "effect"] as const)(
      "cancelled at step 3 of 20 ends canceled within one step, with what it had (%s)",
      async (kind) => {
        const log: Array<string> = []
        const ref = await spawn(log)
        const goal = await ref[kind]({ steps: 20, each: 100 })
        await reaches(goal, 3)
        await goal.cancel()
        const outcome = await goal.outcome
        expect(outcome).toMatchObject({ ok: false, status: "canceled", error: { reason: { _tag: "Cancelled" } } })
        const partial = outcome.status === "canceled" ? outcome.partial : undefined
        expect(partial).toStrictEqual(upTo(partial!.length))
        expect([3, 4]).toContain(partial!.length)
        expect(await reasonOf(goal.result)).toMatchObject({ _tag: "Cancelled" })
        expect(await ref.incarnation(), "a cancel is no crash").toBe(1)
      },
    )

    it.for(["count", "effect"] as const)(
      "that has nothing to give when it is cancelled gives nothing (%s)",
      async (kind) => {
        const ref = await spawn()
        const goal = await ref[kind]({ steps: 100, each: 10, stops: "empty" })
        await reaches(goal, 1)
        await Promise.all([goal.cancel(), goal.cancel()])
        const outcome = await goal.outcome
        expect(outcome.status).toBe("canceled")
        expect("partial" in outcome).toBe(false)
        await goal.cancel() // it is over: nothing comes of it
        expect(await ref.incarnation()).toBe(1)
      },
    )

    it("is canceled by the signal of its call, before and after it was accepted", async () => {
      const log: Array<string> = []
      const ref = await spawn(log)
      const abort = new AbortController()
      const goal = await ref.count({ steps: 1000, each: 5 }, { signal: abort.signal })
      await reaches(goal, 1)
      abort.abort()
      expect(await goal.outcome).toMatchObject({ status: "canceled" })
      expect(await reasonOf(ref.count({ steps: 1, each: 1 }, { signal: abort.signal }))).toMatchObject({
        _tag: "Cancelled",
      })
      expect(log.filter((line) => line.startsWith("begin"))).toHaveLength(1)
    })

    it("that fails ends aborted with the error that its protocol declares", async () => {
      const ref = await spawn()
      for (const kind of ["count", "effect"] as const) {
        const goal = await ref[kind]({ steps: 5, each: 1, fails: [2, "declared"] })
        expect(await goal.outcome).toStrictEqual({ ok: false, status: "aborted", error: new Broken({ at: 2 }) })
        expect(await rejection(goal.result)).toStrictEqual(new Broken({ at: 2 }))
      }
      const atOnce = await ref.count({ steps: 5, each: 1, fails: [0, "declared"] })
      expect(await atOnce.outcome).toMatchObject({ status: "aborted", error: { at: 0 } })
      expect(await ref.incarnation(), "an answer is no crash").toBe(1)
    })

    it("that throws anything else crashes its cell, and the goals that run beside it (6); those that wait go on", async () => {
      const ref = await spawn([], { actions: { count: { atMost: 2 } } }, soon)
      const beside = await ref.count({ steps: 1000, each: 5 })
      const crashing = await ref.count({ steps: 5, each: 20, fails: [2, "crash"] })
      const waiting = await ref.count({ steps: 2, each: 1 })
      expect(waiting.status).toBe("accepted")
      expect(whyAborted(await crashing.outcome)).toMatchObject({ _tag: "Crashed", why: "broken at 2" })
      expect(whyAborted(await beside.outcome)).toMatchObject({ _tag: "Crashed" })
      expect(await waiting.result).toStrictEqual([0, 1])
      expect(await ref.incarnation()).toBe(2)
    })

    it("ends aborted when another message crashes its cell (6)", async () => {
      const ref = await spawn([], {}, soon)
      const goal = await ref.count({ steps: 1000, each: 5 })
      await reasonOf(ref.crash())
      expect(whyAborted(await goal.outcome)).toMatchObject({ _tag: "Crashed", why: "down" })
    })

    it("that is deaf to its signal is crashed after `stuckAfter`, like any handler (1)", async () => {
      const ref = await spawn([], { stuckAfter: 1_000 }, soon)
      const goal = await ref.count({ steps: 100, each: 10, stops: "never" })
      await goal.cancel()
      expect(goal.status).toBe("canceling")
      const outcome = await goal.outcome
      expect(whyAborted(outcome)).toMatchObject({ _tag: "Crashed", why: expect.stringContaining("stuck") })
      await eventually("the next cell is there", async () => (await ref.incarnation()) === 2)
    })

    it("runs beside the mailbox: an actor that does one thing at a time answers meanwhile (1)", async () => {
      const ref = await spawn([], { concurrency: 1 })
      const goal = await ref.count({ steps: 1000, each: 5 })
      expect(await ref.incarnation()).toBe(1)
      expect(goal.status).toBe("executing")
      const [listed] = await (await bench.system).registry.list({ id: ref.$id })
      expect(listed?.handling, "and presence tells what it is at (12)").toMatchObject([{ message: "count" }])
      await goal.cancel()
    })

    it("asks others for as long as it takes: the deadline of the call that sent it is none of its own", async () => {
      const Slow = protocol("slow-clerk", "1.0.0", { answer: ask({ reply: Schema.String }) })
      const open = latch()
      const clerk = await bench.spawn(actor(Slow, { answer: () => open.opened.then(() => "at last") }))
      const Asking = protocol("asking", "1.0.0", { go: action({ goal: Schema.Void, result: Schema.String }) })
      const ref = await bench.spawn(actor(Asking, (self) => ({ go: () => self.ref(Slow, clerk.$id).answer() })))
      const sent = Date.now()
      const goal = await ref.go(undefined, { timeout: 150 })
      await eventually("the deadline has passed", () => Date.now() > sent + 300)
      open.open()
      expect(await goal.result).toBe("at last")
    })

    it("is acked as soon as it is accepted, so that the broker never takes it back", async () => {
      const id = bench.id()
      const queue = bench.claim(Factory, id)
      const first = await bench.start()
      await first.spawn(factory(), { id, shutdown: 500 })
      const client = (await bench.system).ref(Factory, id)
      const goal = await client.count({ steps: 1000, each: 5 })
      await reaches(goal, 1)
      await first.stop()
      expect(await bench.ready(queue), "nothing came back").toBe(0)
    })
  })

  describe("feedback", () => {
    const Teller = protocol("teller", "1.0.0", {
      tell: action({ goal: Schema.Number, feedback: type<unknown>(), result: type<unknown>() }),
    })

    it("arrives when it is falsy, and so does a falsy result", async () => {
      const values = [0, "", false, null, undefined]
      const ref = await bench.spawn(
        actor(Teller, {
          tell: async ({ goal, feedback }) => {
            feedback(values[goal])
            return values[goal]
          },
        }),
      )
      for (const [index, value] of values.entries()) {
        const goal = await ref.tell(index)
        expect(await all(goal.feedback)).toStrictEqual([value])
        expect(await goal.outcome).toStrictEqual({ ok: true, status: "succeeded", value })
      }
    })

    it("of a goal comes to a reader who waits for it without a gap, though it is given all at once", async () => {
      const ref = await bench.spawn(
        actor(Teller, {
          tell: ({ goal, feedback }) => {
            for (const n of upTo(goal)) feedback(n)
          },
        }),
      )
      const goal = await ref.tell(5)
      expect(await all(goal.feedback)).toStrictEqual(upTo(5))
    })

    it("of a quick goal comes to a slow reader as the newest, never as a backlog", async () => {
      const ref = await bench.spawn(
        actor(Teller, {
          tell: async ({ goal, feedback }) => {
            for (let n = 0; n < goal; n++) {
              feedback(n)
              if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
            }
            return "done"
          },
        }),
      )
      const goal = await ref.tell(20_000)
      const reader = goal.feedback[Symbol.asyncIterator]()
      await goal.outcome
      await new Promise((resolve) => setImmediate(resolve))
      expect(await reader.next()).toStrictEqual({ done: false, value: 19_999 })
      expect(await reader.next()).toMatchObject({ done: true })
    })

    it("that is not what the handler's own protocol says is its crash (6)", async () => {
      const Numbers = protocol("numbers", "1.0.0", { go: action({ goal: Schema.Void, feedback: Schema.Number }) })
      const ref = await bench.spawn(actor(Numbers, { go: ({ feedback }) => feedback("no number" as never) }), soon)
      const goal = await ref.go()
      expect(await goal.outcome).toMatchObject({ status: "aborted", error: { reason: { _tag: "Crashed" } } })
    })

    it("that is not what the reader's protocol says fails the reading, and nothing else (7)", async () => {
      const { $id } = await spawn()
      const Other = protocol("factory", "1.0.0", {
        count: action({
          goal: Schema.Struct({ steps: Schema.Number, each: Schema.Number }),
          feedback: Schema.String,
          result: Schema.Array(Schema.Number),
        }),
      })
      const goal = await (await bench.system).ref(Other, $id).count({ steps: 2, each: 5 })
      expect(await reasonOf(all(goal.feedback))).toMatchObject({ _tag: "Rejected" })
      expect(await goal.result).toStrictEqual([0, 1])
    })
  })

  describe("a result", () => {
    it("that is not what the reader's protocol says ends the goal with a typed failure (7)", async () => {
      const { $id } = await spawn()
      const slots = { goal: Schema.Struct({ steps: Schema.Number, each: Schema.Number }), feedback: Schema.Number }
      const Other = protocol("factory", "1.0.0", { count: action({ ...slots, result: Schema.String }) })
      const goal = await (await bench.system).ref(Other, $id).count({ steps: 2, each: 1 })
      expect(await goal.outcome).toMatchObject({ status: "aborted", error: { reason: { _tag: "Rejected" } } })
    })

    it("that is too large for the broker ends the goal as aborted, which says so", async () => {
      const Large = protocol("large", "1.0.0", { go: action({ goal: Schema.Number, result: Schema.String }) })
      const ref = await bench.spawn(actor(Large, { go: ({ goal }) => "x".repeat(goal) }))
      const small = await ref.go(300_000)
      expect((await small.result).length).toBe(300_000)
      const goal = await ref.go(17 * 1024 * 1024)
      expect(await goal.outcome).toMatchObject({ status: "aborted", error: { reason: { _tag: "Rejected" } } })
    })

    it("that is not what the handler's protocol says is its crash (6)", async () => {
      const Wrong = protocol("wrong", "1.0.0", { go: action({ goal: Schema.Void, result: Schema.Number }) })
      const ref = await bench.spawn(actor(Wrong, { go: () => "no number" as never }), soon)
      const goal = await ref.go()
      expect(await goal.outcome).toMatchObject({ status: "aborted", error: { reason: { _tag: "Crashed" } } })
    })
  })

  describe("a second goal, while one runs,", () => {
    const begun = (log: ReadonlyArray<string>) => log.filter((line) => line.startsWith("begin")).length

    it("waits for its turn by default, accepted, and then runs", async () => {
      const log: Array<string> = []
      const ref = await spawn(log)
      const first = await ref.count({ steps: 5, each: 20 })
      const second = await ref.count({ steps: 2, each: 5 })
      expect([first.status, second.status]).toStrictEqual(["executing", "accepted"])
      const statuses = all(second.statuses)
      expect(begun(log)).toBe(1)
      expect(await first.result).toStrictEqual(upTo(5))
      expect(await second.result).toStrictEqual(upTo(2))
      expect(await statuses).toStrictEqual(["accepted", "executing", "succeeded"])
      expect(log.indexOf(`end ${first.id}`)).toBeLessThan(log.indexOf(`begin ${second.id}`))
    })

    it("is rejected when no more may wait", async () => {
      const ref = await spawn([], { actions: { count: { waiting: 1 } } })
      const [first] = [await ref.count({ steps: 1000, each: 5 }), await ref.count({ steps: 1, each: 1 })]
      const third = await ref.count.outcome({ steps: 1, each: 1 })
      expect(third).toMatchObject({ ok: false, error: { reason: { _tag: "Rejected" } } })
      await first.cancel()
    })

    it("that waits is canceled at once", async () => {
      const log: Array<string> = []
      const ref = await spawn(log)
      const first = await ref.count({ steps: 1000, each: 5 })
      const second = await ref.count({ steps: 1, each: 1 })
      await second.cancel()
      expect(await second.outcome).toMatchObject({ status: "canceled" })
      expect(begun(log)).toBe(1)
      await first.cancel()
    })

    it("is rejected with `reject`, and the action is free again when the first one is done", async () => {
      const ref = await spawn([], { actions: { count: { policy: "reject" } } })
      const first = await ref.count({ steps: 10, each: 10 })
      expect(await reasonOf(ref.count({ steps: 1, each: 1 }))).toMatchObject({ _tag: "Rejected" })
      await first.result
      const again = await ref.count({ steps: 1, each: 1 })
      expect(await again.result).toStrictEqual([0])
    })

    it("takes its place with `preempt`: the first ends preempted, with what it had; the last one wins", async () => {
      const log: Array<string> = []
      const ref = await spawn(log, { actions: { count: { policy: "preempt" } } })
      const first = await ref.count({ steps: 1000, each: 50 })
      await reaches(first, 1)
      const [second, third] = await Promise.all([ref.count({ steps: 1, each: 1 }), ref.count({ steps: 3, each: 1 })])
      expect(await first.outcome).toMatchObject({ status: "preempted", partial: [0, 1] })
      expect(await second.outcome, "it never ran").toMatchObject({ status: "preempted" })
      expect(await third.result).toStrictEqual(upTo(3))
      expect(begun(log)).toBe(2)
      expect(log.findIndex((line) => line.startsWith(`stop ${first.id}`))).toBeLessThan(
        log.indexOf(`begin ${third.id}`),
      )
    })

    it("runs beside it when there is room, up to the bound", async () => {
      const log: Array<string> = []
      const ref = await spawn(log, { actions: { count: { atMost: 3 } } })
      const goals = await Promise.all(upTo(5).map(() => ref.count({ steps: 5, each: 20 })))
      expect(begun(log)).toBe(3)
      await Promise.all(goals.map(({ result }) => result))
      expect(begun(log)).toBe(5)
    })

    it("of another action is none of its business", async () => {
      const ref = await spawn()
      const first = await ref.count({ steps: 1000, each: 5 })
      const second = await ref.effect({ steps: 2, each: 1 })
      expect(await second.result).toStrictEqual([0, 1])
      await first.cancel()
    })
  })

  it.for([
    [{ fly: { atMost: 2 } }, "protocol factory has no action"],
    [{ incarnation: { atMost: 2 } }, "protocol factory has no action"],
    [{ count: { atMost: 0 } }, "atMost of count"],
    [{ count: { atMost: Number.POSITIVE_INFINITY } }, "atMost of count"],
    [{ count: { waiting: -1 } }, "waiting of count"],
  ] as const)("an actor whose actions make no sense is not started: %j", async ([options, why]) => {
    expect(String(await rejection(spawn([], { actions: options as never })))).toContain(why)
  })

  describe("a goal that its handler refuses", () => {
    it("is rejected with the reason, and leaves no trace", async () => {
      const ref = await spawn()
      const refused = await ref.count.outcome({ steps: 5, each: 1, fails: [0, "reject"] })
      expect(refused).toMatchObject({ ok: false, error: { reason: { _tag: "Rejected", why: "no step 0" } } })
      expect(await ref.count.goals()).toStrictEqual([])
      expect(await ref.incarnation()).toBe(1)
    })

    it("later than at once is aborted with the reason", async () => {
      const ref = await spawn()
      const goal = await ref.count({ steps: 5, each: 5, fails: [1, "reject"] })
      expect(whyAborted(await goal.outcome)).toMatchObject({ _tag: "Rejected", why: "no step 1" })
      expect(await ref.incarnation()).toBe(1)
    })

    it("is also one that does not fit its slot, that nobody serves, or of which the actor knows nothing (7)", async () => {
      const ref = await spawn()
      expect(await reasonOf(ref.count({ steps: "many" } as never))).toMatchObject({ _tag: "Rejected" })
      const system = await bench.system
      expect(await reasonOf(system.ref(Factory, bench.id()).count({ steps: 1, each: 1 }))).toMatchObject({
        _tag: "NoSuchActor",
      })
      const More = protocol("factory", "1.0.0", { paint: action({ goal: Schema.Void }) })
      expect(await reasonOf(system.ref(More, ref.$id).paint())).toMatchObject({ _tag: "Rejected" })
      const Loose = protocol("factory", "1.0.0", { count: action({ goal: Schema.Unknown }) })
      expect(await reasonOf(system.ref(Loose, ref.$id).count({ steps: "many" }))).toMatchObject({ _tag: "Rejected" })
    })

    it("leaves a call that nobody waits for any more canceled: its timeout, before a cell takes it", async () => {
      const made = latch()
      const log: Array<string> = []
      const Slow = protocol("slow", "1.0.0", { go: action({ goal: Schema.Number }) })
      const id = bench.id()
      bench.claim(Slow, id)
      const system = await bench.system
      const def = actor(Slow, async (self) => {
        if (self.incarnation > 1) await made.opened
        return {
          go: ({ goal }) => {
            log.push(`go ${goal}`)
            if (goal === 0) throw new Error("down")
          },
        }
      })
      const ref = await system.spawn(def, { id, ...soon, shutdown: 500 })
      await (await ref.go(0)).outcome
      const deadline = Date.now() + 100
      expect(await reasonOf(ref.go(1, { timeout: 50 }))).toMatchObject({ _tag: "TimedOut" })
      await eventually("its deadline has passed", () => Date.now() > deadline)
      made.open()
      await (await ref.go(2)).result
      expect(log).toStrictEqual(["go 0", "go 2"])
    })
  })

  describe("a goal whose client is gone", () => {
    const twoSystems = async (options: Parameters<typeof factory>[1] = {}) => {
      const id = bench.id()
      bench.claim(Factory, id)
      const log: Array<string> = []
      const executor = await bench.start(watchful)
      await executor.spawn(factory(log, options), { id, shutdown: 1_000 })
      const start = async () => {
        const system = await bench.start(watchful)
        return { system, ref: system.ref(Factory, id) }
      }
      return { id, log, executor, start }
    }

    it("goes on, and is found again by its id, in another process: while it runs and after", async () => {
      const { start } = await twoSystems()
      const { system, ref } = await start()
      const lost = await ref.count({ steps: 40, each: 20 })
      await reaches(lost, 1)
      const ended = lost.outcome
      await system.stop()
      expect(whyAborted(await ended)).toMatchObject({ _tag: "Disconnected", sent: true })
      const { ref: again } = await start()
      const found = await again.count.goal(lost.id)
      expect(found.status).toBe("executing")
      const [first] = await all(found.feedback)
      expect(first, "at once where it stands").toBeGreaterThanOrEqual(1)
      expect(await found.result).toStrictEqual(upTo(40))
      const later = await again.count.goal(lost.id)
      expect(later.status).toBe("succeeded")
      expect(await later.result).toStrictEqual(upTo(40))
      expect(await all(later.feedback)).toStrictEqual([39])
    })

    it("can be canceled by whoever found it", async () => {
      const { start } = await twoSystems()
      const [{ ref }, { ref: other }] = [await start(), await start()]
      const goal = await ref.count({ steps: 1000, each: 5 })
      await reaches(goal, 1)
      await (await other.count.goal(goal.id)).cancel()
      expect(await goal.outcome).toMatchObject({ status: "canceled" })
    })

    it("is canceled with it, if that was asked for", async () => {
      const { log, start } = await twoSystems({ actions: { count: { atMost: 2 } } })
      const { system, ref } = await start()
      const kept = await ref.count({ steps: 30, each: 50 })
      const goal = await ref.count({ steps: 1000, each: 5 }, { abandon: "cancel" })
      await reaches(goal, 1)
      await system.stop()
      await eventually("its handler hears of it", () => log.some((line) => line.startsWith(`stop ${goal.id}`)))
      expect(log.some((line) => line.startsWith(`stop ${kept.id}`))).toBe(false)
    })

    it("is found and listed wherever its clique runs it", async () => {
      const { id, executor, start } = await twoSystems()
      const second = await bench.start(watchful)
      await second.spawn(factory(), { id, shutdown: 1_000 })
      const { ref } = await start()
      const goals: Array<Counting> = []
      const nodes = () => new Set(goals.map((goal) => goal.id.split(".")[0]))
      await eventually("both members run some", async () => {
        goals.push(await ref.count({ steps: 2000, each: 5 }))
        return nodes().size === 2
      })
      expect(nodes()).toStrictEqual(new Set([executor.node, second.node]))
      const { ref: other } = await start()
      const listed = await other.count.goals()
      expect(new Set(listed.map((goal) => goal.id))).toStrictEqual(new Set(goals.map((goal) => goal.id)))
      expect(new Set(listed.map((goal) => goal.node))).toStrictEqual(nodes())
      expect(await other.effect.goals(), "only of this action").toStrictEqual([])
      for (const goal of goals) {
        const found = await other.count.goal(goal.id)
        await found.cancel()
        expect(await goal.outcome).toMatchObject({ status: "canceled" })
      }
    })

    it("is not found under an id that there is not, nor by another actor or action (7)", async () => {
      const ref = await spawn()
      const goal = await ref.count({ steps: 1000, each: 5 })
      const node = goal.id.split(".")[0]
      const other = await spawn()
      for (const finding of [
        ref.count.goal("what?"),
        ref.count.goal(`${node}.12345`),
        ref.effect.goal(goal.id),
        other.count.goal(goal.id),
      ]) {
        expect(await reasonOf(finding)).toMatchObject({ _tag: "Rejected" })
      }
      const nobody = "01932f7b-1111-7abc-8def-0123456789ab.1"
      expect(await reasonOf(ref.count.goal(nobody))).toMatchObject({ _tag: "Disconnected" })
      await goal.cancel()
    })
  })

  describe("a goal whose actor ends", () => {
    const ends: ReadonlyArray<readonly [string, (system: ActorSystem, id: string) => Promise<unknown>]> = [
      ["is stopped", (system, id) => system.stopActor(factory(), id)],
      ["is in a system that stops", (system) => system.stop()],
    ]
    it.for(ends)("because it %s is aborted, and whoever watches is told (11)", async ([, end]) => {
      const id = bench.id()
      bench.claim(Factory, id)
      const log: Array<string> = []
      const executor = await bench.start(watchful)
      await executor.spawn(factory(log), { id, shutdown: 2_000 })
      const ref = (await bench.start(watchful)).ref(Factory, id)
      const running = await ref.count({ steps: 1000, each: 5 })
      const waiting = await ref.count({ steps: 1, each: 1 })
      await reaches(running, 1)
      await end(executor, id)
      expect(whyAborted(await running.outcome)).toMatchObject({
        _tag: "Crashed",
        why: expect.stringContaining("was stopped"),
      })
      expect(whyAborted(await waiting.outcome), "no handler has seen it").toMatchObject({ _tag: "Rejected" })
      expect(
        log.some((line) => line.startsWith(`stop ${running.id}`)),
        "its handler had the time to stop",
      ).toBe(true)
    })

    it("because its leader steps down is aborted: the next one begins with no goals (8)", async () => {
      const id = bench.id()
      bench.claimClique(Factory, id)
      const def = factory([], { clique: "single" })
      const leader = await bench.start(watchful)
      await leader.spawn(def, { id, shutdown: 1_000 })
      await eventually("it leads", () => leader.printTree().includes("leading.running"))
      const standby = await bench.start(watchful)
      await standby.spawn(def, { id, shutdown: 1_000 })
      const ref = (await bench.start(watchful)).ref(Factory, id)
      const goal = await ref.count({ steps: 1000, each: 5 })
      await reaches(goal, 1)
      expect(await leader.stepDown({ protocol: Factory }, id)).toBe(true)
      expect(whyAborted(await goal.outcome)).toMatchObject({ _tag: "Crashed" })
      const next = await ref.count({ steps: 2, each: 1 })
      expect(next.id.split(".")[0]).toBe(standby.node)
      expect(await next.result).toStrictEqual([0, 1])
    })
  })

  describe("what nobody said", () => {
    it("about a goal changes nothing: forged reports, orders and numbers (7)", { timeout: 15_000 }, async () => {
      const log: Array<string> = []
      const ref = await spawn(log)
      const system = await bench.system
      const goal = await ref.count({ steps: 100, each: 10 })
      await reaches(goal, 1)
      const inbox = bench.names.inbox(system.node, 1)
      const say = (...items: ReadonlyArray<object>) =>
        bench.publish({
          exchange: "",
          routingKey: inbox,
          ...encodeBatch(
            { node: "forger", messageId: bench.id(), replyTo: `${bench.prefix}.nobody` },
            items.map((item) => JSON.stringify(item)),
          ),
        })
      const key = `test.factory.${ref.$id}.v1`
      await say(
        { k: "g", i: 1, g: goal.id, u: 99, s: "aborted" },
        { k: "g", i: -5, g: goal.id, u: 99, s: "succeeded", v: "x" },
        { k: "b", i: 1, g: goal.id, u: 2 ** 40, p: 1 },
        { k: "b", i: 7, g: `${system.node}.1`, u: 1, p: 1 },
        { k: "g", i: 3, g: "somebody-else.4", u: 0, s: "executing" },
        { k: "o", i: 1, x: "cancel", g: `${system.node}.1`, a: key, n: "count" },
        { k: "o", i: 1, x: "cancel", g: goal.id, a: key, n: "effect" },
        { k: "o", i: 1, x: "cancel", g: goal.id, a: "test.factory.other.v1", n: "count" },
        { k: "o", i: 1, x: "leave", g: goal.id, a: key, n: "count" },
        { k: "o", i: 2, x: "list", a: "__proto__", n: "constructor" },
        { k: "o", i: 1, x: "explode", g: goal.id, a: key, n: "count" },
        { k: "g", i: 1 },
      )
      await say(...upTo(300).map((i) => ({ k: "o", i, x: "watch", g: goal.id, a: key, n: "count" })))
      expect(await goal.result).toStrictEqual(upTo(100))
      expect(await ref.incarnation()).toBe(1)
    })

    it("a goal that comes twice, to two members, is canceled in one of them", async () => {
      const id = bench.id()
      const routingKey = `test.factory.${id}.v1`
      bench.claim(Factory, id)
      const log: Array<string> = []
      await (await bench.start(watchful)).spawn(factory(log), { id, shutdown: 500 })
      const spy = `${bench.prefix}.spy.${bench.id()}`
      await bench.run(bench.link.declareQueue({ name: spy, type: "classic", expires: 60_000 }))
      bench.after(() => bench.run(bench.link.deleteQueue(spy)))
      await bench.run(bench.link.bind({ queue: spy, exchange: bench.names.mail, routingKey }))
      const ref = (await bench.start(watchful)).ref(Factory, id)
      const goal = await ref.count({ steps: 500, each: 5 })
      const [sent] = await bench.takeAll(spy)
      const second: Array<string> = []
      await (await bench.start(watchful)).spawn(factory(second), { id, shutdown: 500 })
      await eventually("the other member has it too", async () => {
        const { contentType, replyTo, body } = sent!.message
        const again = { contentType: contentType!, replyTo: replyTo!, messageId: bench.id(), body }
        await bench.publish({ exchange: bench.names.mail, routingKey, mandatory: true, ...again })
        return second.length > 0
      })
      await eventually("and gives it up", () => second.some((line) => line.startsWith("stop")))
      expect(await goal.result).toStrictEqual(upTo(500))
      expect(log).toHaveLength(2)
    })

    it("a goal that comes twice runs once", async () => {
      const log: Array<string> = []
      const ref = await spawn(log)
      const queue = `${bench.prefix}.inbox.${bench.id()}`
      await bench.run(bench.link.declareQueue({ name: queue, type: "classic", expires: 60_000 }))
      bench.after(() => bench.run(bench.link.deleteQueue(queue)))
      const deadline = Date.now() + 10_000
      const payload = { steps: 3, each: 1 }
      const ask = { kind: "ask", node: "n", id: 5, name: "count", payload, deadline, replyTo: queue } as const
      const routingKey = `test.factory.${ref.$id}.v1`
      for (const messageId of [bench.id(), bench.id()]) {
        const batch = encodeBatch({ node: "n", messageId, replyTo: queue }, [encodeItem(ask)])
        await bench.publish({ exchange: bench.names.mail, routingKey, mandatory: true, ...batch })
      }
      await eventually("it is done", () => log.some((line) => line.startsWith("end")))
      await ref.incarnation() // the second message was handled before this one
      expect(log).toHaveLength(2)
      expect(await ref.count.goals()).toHaveLength(1)
    })
  })
}
