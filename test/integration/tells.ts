// Tells: stored before they resolve, retried when they crash, kept when they cannot be handled (promises 3, 6, 7).

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { actor, ask, protocol, tell, type } from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"
import { reasonOf } from "./rejection.ts"

const Notes = protocol("notes", "1.0.0", {
  note: tell(Schema.Struct({ n: Schema.Number })),
  noted: ask({ reply: Schema.Array(Schema.Number) }),
  incarnation: ask({ reply: Schema.Number }),
})

/** Keeps what it is told, over its own restarts too. */
const notes = (kept: Array<number> = [], fails: (n: number) => boolean = () => false) =>
  actor(Notes, (self) => ({
    note: ({ n }) => {
      if (fails(n)) throw new RangeError(`${n} is too much`)
      kept.push(n)
    },
    noted: () => kept,
    incarnation: () => self.incarnation,
  }))

/** The same protocol by name and version, as somebody might have it who is of another opinion. */
const Loose = protocol("notes", "1.0.0", {
  note: tell(type<unknown>()),
  forget: tell(),
  noted: ask({ payload: type<unknown>() }),
})

export const tells = (bench: Bench): void => {
  describe("a tell", () => {
    it("resolves when the broker has stored it, whether anybody takes mail now or not (3)", async () => {
      const kept: Array<number> = []
      const def = notes(kept)
      const ref = await bench.spawn(def)
      const system = await bench.system
      await system.stopActor(def, ref.$id)
      for (const n of [1, 2, 3]) await ref.note({ n })
      expect(await bench.ready(bench.claim(Notes, ref.$id))).toBe(3)
      expect(kept).toStrictEqual([])
      await bench.spawn(def, { id: ref.$id })
      expect(await ref.noted()).toStrictEqual([1, 2, 3])
    })

    it("to nobody ends as NoSuchActor (3)", async () => {
      const system = await bench.system
      const nobody = system.ref(Notes, bench.id())
      expect(await reasonOf(nobody.note({ n: 1 }))).toMatchObject({ _tag: "NoSuchActor", address: nobody.$address })
      expect(await nobody.note.outcome({ n: 1 })).toMatchObject({ ok: false, error: { retrySafe: true } })
    })

    it("that always crashes is retried with backoff and then kept with all there is to know; its neighbours are handled in order (6)", async () => {
      const kept: Array<number> = []
      const tried: Array<number> = []
      const fails = (n: number) => {
        if (n === 2) tried.push(performance.now())
        return n === 2
      }
      const ref = await bench.spawn(notes(kept, fails), { backoff: { initial: 60, factor: 2, jitter: "none" } })
      const before = Date.now()
      await Promise.all([1, 2, 3, 4].map((n) => ref.note({ n })))
      expect(await ref.noted()).toStrictEqual([1, 3, 4])
      await eventually("it is dead", async () => (await bench.deadLetters(ref.$address)).length === 1)

      expect(tried).toHaveLength(3)
      const [first, second, third] = tried as [number, number, number]
      expect(second - first).toBeGreaterThanOrEqual(55)
      expect(third - second).toBeGreaterThanOrEqual(115)
      const system = await bench.system
      const [letter] = await bench.deadLetters(ref.$address)
      expect(letter).toMatchObject({
        reason: "crashed",
        error: {
          name: "RangeError",
          message: "2 is too much",
          stack: expect.stringContaining("tells.ts"),
        },
        attempts: 3,
        origin: { exchange: bench.names.mail, node: system.node },
        replays: 0,
        remains: { kind: "item", item: { kind: "tell", name: "note", payload: { n: 2 }, node: system.node } },
      })
      expect(letter!.at).toBeGreaterThanOrEqual(before)
      expect(letter!.at).toBeLessThanOrEqual(Date.now())
      expect(await ref.incarnation()).toBe(4)
    })

    it("is tried as often as `maxDeliveries` says, with the same id and a growing attempt (6)", async () => {
      const P = protocol("stubborn", "1.0.0", { fail: tell(), done: ask({}) })
      const seen: Array<readonly [string, number]> = []
      const ref = await bench.spawn(
        actor(
          P,
          {
            fail: (_, { messageId, attempt, deadline }) => {
              expect(deadline).toBeUndefined()
              seen.push([messageId, attempt])
              throw new Error("no")
            },
            done: () => {},
          },
          { maxDeliveries: 2 },
        ),
        { backoff: { initial: 1, max: 1 } },
      )
      await ref.fail()
      await ref.done()
      expect(seen.map(([, attempt]) => attempt)).toStrictEqual([1, 2])
      expect(new Set(seen.map(([id]) => id)).size).toBe(1)
    })

    it("that a later attempt handles leaves no dead letter (6)", async () => {
      let crashes = 2
      const kept: Array<number> = []
      const ref = await bench.spawn(
        notes(kept, (n) => n === 2 && crashes-- > 0),
        { backoff: { initial: 1, max: 2 } },
      )
      for (const n of [1, 2, 3]) await ref.note({ n })
      expect(await ref.noted()).toStrictEqual([1, 2, 3])
      expect(await bench.deadLetters(ref.$address)).toStrictEqual([])
    })

    it("names the actor that sent it in its dead letter (6)", async () => {
      const P = protocol("sender", "1.0.0", { send: ask({ payload: Schema.String }) })
      const ref = await bench.spawn(
        notes([], () => true),
        { backoff: { initial: 1, max: 1 } },
      )
      const sender = await bench.spawn(actor(P, (self) => ({ send: (id) => self.ref(Notes, id).note({ n: 1 }) })))
      await sender.send(ref.$id)
      await eventually("it is dead", async () => (await bench.deadLetters(ref.$address)).length === 1)
      expect((await bench.deadLetters(ref.$address))[0]?.origin).toMatchObject({ sender: sender.$address })
    })

    it("that fits no schema goes to the dead letters as rejected, and the actor is not restarted (7)", async () => {
      const kept: Array<number> = []
      const ref = await bench.spawn(notes(kept))
      const loose = (await bench.system).ref(Loose, ref.$id)
      await loose.note({ n: "one" })
      await loose.forget()
      await ref.note({ n: 1 })
      expect(await ref.noted()).toStrictEqual([1])
      expect(await ref.incarnation()).toBe(1)
      await eventually("both are dead", async () => (await bench.deadLetters(ref.$address)).length === 2)
      const letters = await bench.deadLetters(ref.$address)
      expect(letters).toMatchObject([
        { reason: "rejected", attempts: 1, remains: { item: { payload: { n: "one" } } } },
        { reason: "rejected", attempts: 1, error: { message: expect.stringContaining('no message "forget"') } },
      ])
    })

    it("that fits no schema of the sender's own is not sent (7)", async () => {
      const kept: Array<number> = []
      const ref = await bench.spawn(notes(kept))
      expect(await reasonOf(ref.note({ n: "one" } as never))).toMatchObject({ _tag: "Rejected" })
      expect(await ref.noted()).toStrictEqual([])
    })

    it("to a full mailbox ends as MailboxFull; what was taken is handled, what was not is not (10)", async () => {
      const P = protocol("narrow", "1.0.0", {
        put: tell(Schema.Number),
        got: ask({ reply: Schema.Array(Schema.Number) }),
      })
      const stay = latch()
      bench.after(stay.open)
      const got: Array<number> = []
      const put = async (n: number) => {
        await stay.opened
        got.push(n)
      }
      const ref = await bench.spawn(actor(P, { put, got: () => got }, { capacity: 5 }))
      const taken: Array<number> = []
      const refused: Array<number> = []
      // 5 in the queue, up to 8 in hand, and a broker that may notice a little late.
      for (let n = 0; refused.length < 3 && n < 100; n++) {
        const outcome = await ref.put.outcome(n)
        if (outcome.ok) taken.push(n)
        else {
          expect(outcome.error.reason).toMatchObject({ _tag: "MailboxFull", what: ref.$address })
          expect(outcome.error.retrySafe).toBe(true)
          refused.push(n)
        }
      }
      expect(refused).toHaveLength(3)
      expect(taken.length).toBeGreaterThanOrEqual(5)
      stay.open()
      await eventually("all is handled", () => got.length === taken.length)
      expect(await ref.got()).toStrictEqual(taken)
    })

    it("in a transient mailbox is in a classic queue that goes when nobody uses it (3)", async () => {
      const def = actor(
        Notes,
        { note: () => {}, noted: () => [], incarnation: () => 1 },
        { mailbox: "transient", expires: 500 },
      )
      const ref = await bench.spawn(def)
      const name = bench.claim(Notes, ref.$id)
      const spec = {
        name,
        type: "classic",
        maxLength: 100_000,
        deadLetter: { exchange: bench.names.dead, routingKey: bench.names.deadLetters },
      } as const
      // The broker compares: the same arguments are accepted, others are not.
      await bench.run(bench.link.declareQueue({ ...spec, expires: 500 }))
      await expect(bench.run(bench.link.declareQueue({ ...spec, expires: 501 }))).rejects.toMatchObject({
        _tag: "Refused",
      })
      await (await bench.system).stopActor(def, ref.$id)
      // To look at the queue would keep it alive.
      await eventually("the queue is gone", async () => {
        const outcome = await ref.note.outcome({ n: 1 })
        return !outcome.ok && outcome.error.reason._tag === "NoSuchActor"
      })
    })

    it("in a durable mailbox is in a quorum queue that stays (3)", async () => {
      const ref = await bench.spawn(notes())
      const name = bench.claim(Notes, ref.$id)
      const deadLetter = { exchange: bench.names.dead, routingKey: bench.names.deadLetters }
      const spec = { name, type: "quorum", maxLength: 100_000, deliveryLimit: 100, deadLetter } as const
      await bench.run(bench.link.declareQueue(spec))
      await expect(bench.run(bench.link.declareQueue({ ...spec, type: "classic" }))).rejects.toMatchObject({
        _tag: "Refused",
      })
    })
  })
}
