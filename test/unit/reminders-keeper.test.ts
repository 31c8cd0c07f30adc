// Who keeps reminders: when mail is sent, how often, and what becomes of it when somebody dies.

import { Clock, Effect } from "effect"
import { describe, expect, it } from "vitest"
import type { Link } from "../../src/broker/broker.ts"
import { names } from "../../src/wire/names.ts"
import { encodeReminder, reminderType } from "../../src/wire/reminder.ts"
import { frozen, pass, settle, turn } from "./embedded-fixture.ts"
import { elapse, makeWorld, passing, queue } from "./reminders-world.ts"

const minute = 60_000

/** Lets much time pass. */
const stride = (ms: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let passed = 0; passed < ms; passed += 1_000) yield* pass(Math.min(1_000, ms - passed))
  })

describe("a reminder", () => {
  it("sends its mail once, when it is due and not before, and is gone then", () =>
    frozen(
      Effect.gen(function* () {
        const { join, mails, told, view } = yield* makeWorld()
        const node = yield* join("a")
        yield* node.remind("tea", 5_000)
        yield* elapse(4_900 - (yield* Clock.currentTimeMillis))
        expect(told()).toStrictEqual([])
        yield* elapse(200)
        expect(told()).toStrictEqual([["tea", 5_000, 0]])
        expect(mails[0]).toMatchObject({ name: "ring", payload: "tea", sender: "shop/till/1", id: 5_000 })
        expect(mails[0]?.reminder?.repeated).toBe(false)
        yield* elapse(minute)
        expect(told()).toHaveLength(1)
        expect(view()).toMatchObject({ ready: 0, unacked: 0 })
        expect(yield* node.list).toStrictEqual([])
      }),
    ))

  it("that is due already, or never was before, comes at once", () =>
    frozen(
      Effect.gen(function* () {
        const { join, told } = yield* makeWorld()
        yield* elapse(1_000)
        const node = yield* join("a")
        yield* node.remind("late", 10)
        expect(told()).toStrictEqual([["late", 10, 0]])
      }),
    ))

  it("of every period comes each time, and keeps to its times", () =>
    frozen(
      Effect.gen(function* () {
        const { join, mails, told, view } = yield* makeWorld()
        const node = yield* join("a")
        yield* node.remind("beat", 2_000, 1_000)
        yield* elapse(4_500)
        expect(told()).toStrictEqual([2, 3, 4].map((n) => ["beat", n * 1_000, 0]))
        expect(new Set(mails.map(({ node, id }) => `${node}:${id}`)).size, "each has an id of its own").toBe(3)
        expect(view()).toMatchObject({ ready: 0, unacked: 1 })
        expect(yield* node.list).toStrictEqual([["beat", 5_000]])
      }),
    ))

  it("that fell due while nobody was there comes once, late, and says how much it stands for", () =>
    frozen(
      Effect.gen(function* () {
        const { join, told, view } = yield* makeWorld()
        const first = yield* join("a")
        yield* first.remind("beat", 10_000, 10_000)
        yield* first.remind("once", 12_000)
        yield* first.leave
        expect(view()).toMatchObject({ ready: 2, unacked: 0 })
        yield* elapse(55_000)
        expect(told()).toStrictEqual([])
        const next = yield* join("b")
        yield* elapse(100)
        expect(told()).toStrictEqual([
          ["beat", 10_000, 4],
          ["once", 12_000, 0],
        ])
        expect(yield* next.list).toStrictEqual([["beat", 60_000]])
        yield* elapse(10_000)
        expect(told()).toHaveLength(3)
        expect(told().at(-1)).toStrictEqual(["beat", 60_000, 0])
      }),
    ))

  it("is replaced by another of its name, and takes its own time then", () =>
    frozen(
      Effect.gen(function* () {
        const { join, told, view } = yield* makeWorld()
        const node = yield* join("a")
        yield* node.remind("tea", 5_000)
        yield* node.remind("tea", 9_000)
        expect(yield* node.list).toStrictEqual([["tea", 9_000]])
        expect(view()).toMatchObject({ ready: 0, unacked: 1 })
        yield* elapse(20_000)
        expect(told()).toStrictEqual([["tea", 9_000, 0]])
      }),
    ))

  it("is forgotten, which says whether there was one; and is remembered as forgotten for a minute", () =>
    frozen(
      Effect.gen(function* () {
        const { join, told, view } = yield* makeWorld()
        const node = yield* join("a")
        yield* node.remind("tea", 5_000)
        expect(yield* node.forget("tea")).toBe(true)
        expect(yield* node.forget("tea")).toBe(false)
        expect(yield* node.list).toStrictEqual([])
        expect(view()).toMatchObject({ ready: 0, unacked: 1 })
        yield* elapse(minute + 1_000)
        expect(told()).toStrictEqual([])
        expect(view()).toMatchObject({ ready: 0, unacked: 0 })
      }),
    ))

  it("is listed, set and forgotten by members that do not keep it", () =>
    frozen(
      Effect.gen(function* () {
        const { join, told } = yield* makeWorld()
        const a = yield* join("a")
        const b = yield* join("b")
        yield* b.remind("tea", 5_000)
        yield* a.remind("milk", 6_000)
        expect(yield* b.list).toStrictEqual([
          ["tea", 5_000],
          ["milk", 6_000],
        ])
        expect(yield* b.forget("milk")).toBe(true)
        yield* elapse(10_000)
        expect(told(), "once for the address, not for each member").toStrictEqual([["tea", 5_000, 0]])
      }),
    ))

  it("is kept by the next member when the one that keeps it is cut off, and comes once", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, mails, told } = yield* makeWorld()
        const a = yield* join("a")
        yield* join("b")
        yield* a.remind("beat", 3_000, 2_000)
        yield* elapse(3_500)
        broker.faults.cut({ name: "a" })
        yield* elapse(4_000)
        expect(told()).toStrictEqual([3, 5, 7].map((n) => ["beat", n * 1_000, 0]))
        expect(mails.map(({ reminder }) => reminder?.repeated)).toStrictEqual([false, false, false])
      }),
    ))

  it("comes again under the same id, and says that it may, when who kept it died between the mail and the ack", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, mails } = yield* makeWorld()
        const a = yield* join("a")
        yield* join("b")
        yield* a.remind("tea", 3_000)
        yield* elapse(2_500)
        broker.faults.loseConfirms(1)
        yield* elapse(600)
        expect(mails).toHaveLength(1)
        broker.faults.refuse()
        broker.faults.cut({ name: "a" })
        yield* elapse(500)
        expect(mails).toHaveLength(2)
        const ids = mails.map(({ node, id }) => `${node}:${id}`)
        expect(ids[1]).toBe(ids[0])
        expect(mails.map(({ reminder }) => reminder?.repeated)).toStrictEqual([false, true])
        broker.faults.allow()
        yield* elapse(30_000)
        expect(mails, "nor does the one that was cut off send what it had not heard of").toHaveLength(2)
      }),
    ))

  it("waits for a mailbox that is full, and comes late", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, told } = yield* makeWorld()
        const a = yield* join("a")
        yield* a.remind("tea", 3_000)
        yield* elapse(2_500)
        broker.faults.nack(2)
        yield* elapse(1_000)
        expect(told()).toStrictEqual([])
        yield* elapse(3_000)
        expect(told()).toStrictEqual([["tea", 3_000, 0]])
      }),
    ))

  it("may be due in years, and a clock that is set does not lose it", async () => {
    // A clock of its own: a test's would count every tenth of a second on the way.
    let ahead = 0
    const real = await Effect.runPromise(Clock.clockWith(Effect.succeed))
    const now = () => real.currentTimeMillisUnsafe() + ahead
    const clock: Clock.Clock = {
      ...real,
      sleep: real.sleep.bind(real),
      currentTimeMillisUnsafe: now,
      currentTimeMillis: Effect.sync(now),
    }
    const years = 3 * 365 * 24 * 3600 * 1000
    const work = Effect.gen(function* () {
      const { join, told } = yield* makeWorld(clock)
      const { requests } = yield* join("a")
      const due = now() + years
      yield* Effect.promise(() => requests.set({ name: "far", due, message: "ring", payload: 1 }))
      yield* Effect.sleep(200)
      expect(told()).toStrictEqual([])
      ahead = years - 1_500
      yield* Effect.sleep(500)
      expect(told()).toStrictEqual([])
      yield* Effect.sleep(1_300)
      expect(told()).toStrictEqual([["far", due, 0]])
      ahead = -years
      yield* Effect.promise(() => requests.set({ name: "past", due: now() + 300, message: "ring", payload: 1 }))
      yield* Effect.sleep(600)
      expect(told()).toHaveLength(2)
    })
    await Effect.runPromise(Effect.scoped(work))
  })
})

/** A link whose own channels may be made deaf and dumb: what is said there is not heard, and nothing comes any more. */
const muffled = () => {
  const state = { dumb: false, nacks: 0, written: 0, late: undefined as Array<() => void> | undefined }
  const dress = (link: Link): Link => ({
    ...link,
    publish: (message, settled) => {
      if (message.routingKey === queue) state.written++
      const isMail = message.exchange === names().mail
      link.publish(message, (failure) => {
        if (isMail && state.late !== undefined) state.late.push(() => settled(failure))
        else settled(failure)
      })
    },
    openChannel: Effect.map(link.openChannel, (channel) => ({
      close: channel.close,
      consume: (queue, options, listener) =>
        channel.consume(queue, options, {
          ...listener,
          delivery: (delivery) =>
            listener.delivery({
              ...delivery,
              nack: (how) => {
                state.nacks++
                if (!state.dumb) delivery.nack(how)
              },
              ack: () => {
                if (!state.dumb) delivery.ack()
              },
            }),
        }),
    })),
  })
  return { state, dress }
}

describe("who keeps reminders", () => {
  it("sends nothing without the proof that it still does, and begins anew when there is none", () =>
    frozen(
      Effect.gen(function* () {
        const { join, told } = yield* makeWorld()
        const { state, dress } = muffled()
        const a = yield* join("a", dress)
        yield* a.remind("tea", 5_000)
        state.dumb = true
        yield* elapse(10_000)
        expect(told(), "it may be kept elsewhere by now").toStrictEqual([])
        state.dumb = false
        yield* elapse(30_000)
        expect(told()).toStrictEqual([["tea", 5_000, 0]])
      }),
    ))

  it(
    "gives back what it holds for long before the broker takes it away, and writes it anew now and then",
    () =>
      frozen(
        Effect.gen(function* () {
          const { join, told, view } = yield* makeWorld()
          const { state, dress } = muffled()
          const a = yield* join("a", dress)
          const due = 4 * 60 * minute
          yield* a.remind("far", due)
          yield* stride(9 * minute)
          expect(state).toMatchObject({ nacks: 0, written: 1 })
          yield* stride(2 * minute)
          expect(state).toMatchObject({ nacks: 1, written: 1 })
          yield* stride(145 * minute)
          expect(state).toMatchObject({ nacks: 15, written: 1 })
          yield* stride(20 * minute)
          expect(state, "what was done to the old one is forgotten with it").toMatchObject({ nacks: 17, written: 2 })
          expect(view()).toMatchObject({ ready: 0, unacked: 1 })
          yield* stride(due - (yield* Clock.currentTimeMillis) - 1_000)
          expect(told()).toStrictEqual([])
          yield* elapse(2_000)
          expect(told()).toStrictEqual([["far", due, 0]])
        }),
      ),
    30_000,
  )

  it("writes no next occurrence of what was forgotten while its mail was on its way", () =>
    frozen(
      Effect.gen(function* () {
        const { join, told, view } = yield* makeWorld()
        const { state, dress } = muffled()
        const a = yield* join("a", dress)
        yield* a.remind("beat", 2_000, 1_000)
        state.late = []
        yield* elapse(2_500)
        expect(told()).toHaveLength(1)
        expect(yield* a.forget("beat")).toBe(true)
        for (const confirm of state.late) confirm()
        state.late = undefined
        yield* elapse(2 * minute)
        expect(told()).toHaveLength(1)
        expect(view()).toMatchObject({ ready: 0, unacked: 0 })
      }),
    ))

  it("lets a copy of its own not take the place of what was set meanwhile", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, told } = yield* makeWorld()
        const a = yield* join("a")
        yield* a.remind("beat", 2_000, 1_000)
        yield* elapse(1_500)
        broker.faults.slow(300)
        yield* elapse(800) // its mail is sent, the confirm is on its way
        const set = passing(a.requests.set({ name: "beat", due: 60_000, message: "ring", payload: 1 }))
        yield* set
        broker.faults.slow(0)
        yield* elapse(5_000)
        expect(yield* a.list).toStrictEqual([["beat", 60_000]])
        expect(told().length).toBeLessThan(3)
      }),
    ))

  it("puts what it cannot read among the dead letters, and goes on", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, side, told } = yield* makeWorld()
        const a = yield* join("a")
        const put = (more: object) =>
          Effect.callback<void>((resume) =>
            side.publish(
              {
                exchange: "",
                routingKey: queue,
                contentType: reminderType,
                messageId: "x",
                body: Buffer.from("{"),
                ...more,
              },
              () => resume(Effect.void),
            ),
          )
        yield* put({})
        yield* put({ contentType: "text/plain" })
        yield* put({ body: Buffer.alloc(100_000) })
        const set = encodeReminder({ op: "set", name: "a", set: "1", due: 1, message: "ring", payload: 1 })
        yield* put({ ...set, messageId: undefined })
        yield* a.remind("tea", 5_000)
        yield* elapse(6_000)
        expect(told()).toStrictEqual([["tea", 5_000, 0]])
        expect(broker.queue(names().deadLetters)?.ready).toBe(4)
        expect(broker.queue(queue)).toMatchObject({ ready: 0, unacked: 0 })
      }),
    ))

  it(
    "takes up to 10,000 names; one more is refused with words, or a dead letter when nobody waits any more",
    () =>
      frozen(
        Effect.gen(function* () {
          const { broker, join, side } = yield* makeWorld()
          const a = yield* join("a")
          for (let n = 0; n < 10_000; n++) {
            const record = { op: "set", name: `n${n}`, set: `${n}`, due: 1e9, message: "ring", payload: n } as const
            side.publish({ exchange: "", routingKey: queue, ...encodeReminder(record) }, () => {})
          }
          yield* settle
          yield* turn
          expect((yield* passing(a.requests.list())).length).toBe(10_000)
          const more = passing(a.requests.set({ name: "more", due: 1e9, message: "ring", payload: 1 }))
          const refused = yield* Effect.flip(Effect.catchDefect(more, (error) => Effect.fail(error)))
          expect(refused).toMatchObject({ _tag: "ReminderRefused", retrySafe: true })
          expect(String(refused)).toMatch(/remind "more" @ shop\/till\/1: there are 10000 reminders already/)
          const record = { op: "set", name: "again", set: "z", due: 1e9, message: "ring", payload: 1 } as const
          side.publish({ exchange: "", routingKey: queue, ...encodeReminder(record) }, () => {})
          yield* elapse(100)
          expect(broker.queue(names().deadLetters)?.ready).toBe(1)
          yield* a.remind("n5", 2e9) // in place of another one
          expect(yield* a.forget("n6")).toBe(true)
          yield* a.remind("more", 1e9)
        }),
      ),
    30_000,
  )

  it("answers within 10 s, or it is not known: it is safe to ask again", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, told } = yield* makeWorld()
        const a = yield* join("a")
        broker.faults.refuse()
        broker.faults.cut({ name: "a" })
        const asked = passing(a.requests.set({ name: "tea", due: 30_000, message: "ring", payload: 1 }))
        const failure = yield* Effect.flip(Effect.catchDefect(asked, (error) => Effect.fail(error)))
        expect(failure).toMatchObject({ _tag: "ReminderUnanswered", retrySafe: true })
        broker.faults.allow()
        yield* elapse(1_000)
        yield* a.remind("tea", 30_000)
        yield* elapse(30_000)
        expect(told()).toStrictEqual([["tea", 30_000, 0]])
      }),
    ))
})
