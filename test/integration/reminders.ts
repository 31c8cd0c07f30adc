// Reminders: mail that an actor sends to itself at a time, whoever runs then (docs/semantics.md, "Reminders").

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import {
  type ActorOptions,
  type ActorSystem,
  actor,
  ask,
  child,
  type MessageContext,
  protocol,
  type Self,
  supervisor,
  tell,
} from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { rejection } from "./rejection.ts"

const Diary = protocol("diary", "1.0.0", {
  ring: tell(Schema.Struct({ at: Schema.Date })),
  tick: tell(),
  set: ask({ payload: Schema.String }),
  forget: ask({ payload: Schema.String, reply: Schema.Boolean }),
  list: ask({ reply: Schema.Array(Schema.Tuple([Schema.String, Schema.Number])) }),
  crash: ask({}),
})
type DiarySelf = Self<(typeof Diary)["messages"]>

const soon = { backoff: { initial: 1, max: 2 } }
const then = new Date(1_700_000_000_000)

/** What was heard of a reminder. */
interface Heard {
  readonly name: string | undefined
  readonly due: number
  readonly missed: number
  /** ms from when it was due. */
  readonly late: number
  readonly id: string
  readonly incarnation: number
  readonly payload: unknown
}

/** Of a reminder that is due every second: no occurrence is told of twice, and none of them is left out. */
const isComplete = (heard: ReadonlyArray<Heard>): void => {
  for (const [n, { due, missed }] of heard.entries()) {
    if (n + 1 < heard.length) expect(heard[n + 1]?.due).toBe(due + (missed + 1) * 1_000)
  }
}

/** An actor that sets what the test says, and keeps what it hears. */
const diary = (heard: Array<Heard>, set: (self: DiarySelf, how: string) => unknown, options: ActorOptions = {}) =>
  actor(
    Diary,
    (self) => {
      const hear = (payload: unknown, { reminder, messageId }: MessageContext) => {
        const { name, due = 0, missed = 0 } = reminder ?? {}
        heard.push({ name, due, missed, late: Date.now() - due, id: messageId, incarnation: self.incarnation, payload })
      }
      return {
        ring: hear,
        tick: hear,
        set: async (how) => void (await set(self, how)),
        forget: (name) => self.forget(name),
        list: async () => (await self.reminders()).map(({ name, every }) => [name, every ?? 0] as const),
        crash: () => {
          throw new Error("down")
        },
      }
    },
    { reminders: true, ...options },
  )

export const reminders = (bench: Bench): void => {
  describe("a reminder", () => {
    const claim = (id: string) => {
      bench.claimClique(Diary, id)
      bench.claimReminders(Diary, id)
    }
    const open = async (set: (self: DiarySelf, how: string) => unknown, options: ActorOptions = {}) => {
      const heard: Array<Heard> = []
      const id = bench.id()
      claim(id)
      const def = diary(heard, set, options)
      return { ref: await bench.spawn(def, { id, ...soon }), heard, def, id }
    }
    const far = { after: "1 hour" } as const

    it("comes as mail when it is due: once, with its payload, and saying which it is", async () => {
      const before = Date.now()
      const { ref, heard } = await open((self, name) =>
        self.remind(name, { after: 300, message: "ring", payload: { at: then } }),
      )
      await ref.set("tea")
      await eventually("it comes", () => heard.length > 0)
      const [first] = heard
      expect(first).toMatchObject({ name: "tea", missed: 0, payload: { at: then }, incarnation: 1 })
      expect(first?.due).toBeGreaterThanOrEqual(before + 300)
      expect(first?.late).toBeGreaterThanOrEqual(0)
      expect(first?.id).toMatch(new RegExp(`^reminder:[0-9a-f-]+:${first?.due}$`))
      expect(await ref.list()).toEqual([])
      await ref.set("milk")
      await eventually("the next comes", () => heard.length > 1)
      expect(heard.map(({ name }) => name)).toEqual(["tea", "milk"])
    })

    it("of every second comes every second, outlives the crash of its cell, and ends when it is forgotten", async () => {
      const { ref, heard } = await open((self, name) =>
        self.remind(name, { every: "1 second", at: 0, message: "tick" }),
      )
      await ref.set("beat")
      await eventually("it comes", () => heard.length >= 2)
      await ref.crash.outcome()
      await eventually("the next cell hears it", () => heard.some(({ incarnation }) => incarnation === 2))
      expect(await ref.list()).toEqual([["beat", 1_000]])
      expect(await ref.forget("beat")).toBe(true)
      expect(await ref.forget("beat")).toBe(false)
      expect(heard[0]?.missed, "all that fell due since 1970").toBeGreaterThan(1_700_000_000)
      expect(heard[1]!.due % 1_000).toBe(0)
      isComplete(heard)
      expect(new Set(heard.map(({ id }) => id)).size).toBe(heard.length)
      const count = heard.length
      await new Promise((resolve) => setTimeout(resolve, 1_200)) // it would have come
      expect(heard).toHaveLength(count)
      expect(await ref.list()).toEqual([])
    })

    it("is replaced by another of its name", async () => {
      const { ref, heard } = await open((self, how) =>
        how === "first"
          ? self.remind("tea", { ...far, message: "ring", payload: { at: then } })
          : self.remind("tea", { at: new Date(), message: "tick" }),
      )
      await ref.set("first")
      expect(await ref.list()).toEqual([["tea", 0]])
      await ref.set("second")
      await eventually("it comes", () => heard.length === 1)
      expect(heard[0]).toMatchObject({ name: "tea", payload: undefined })
      expect(await ref.list()).toEqual([])
    })

    it("that fell due while nobody was there comes once, late, and says how much it stands for", async () => {
      const heard: Array<Heard> = []
      const id = bench.id()
      claim(id)
      const set = (self: DiarySelf) => self.remind("beat", { every: "1 second", message: "tick" })
      const def = diary(heard, set)
      const tree = () => supervisor("app", {}, [child(def, { id })])
      const first = await bench.start({ tree: tree() })
      await first.ref(Diary, id).set("")
      await eventually("it comes", () => heard.length >= 1)
      await first.stop()
      const before = heard.length
      await new Promise((resolve) => setTimeout(resolve, 3_400))
      await bench.start({ tree: tree() })
      await eventually("it goes on", () => heard.length >= before + 2)
      expect(heard[before]?.missed).toBeGreaterThanOrEqual(2)
      isComplete(heard)
    })

    it.for(["shared", "single"] as const)(
      "of a %s clique comes once for the address, and goes on when the member that keeps it has gone",
      async (clique) => {
        const heard: Array<Heard> = []
        const id = bench.id()
        claim(id)
        const set = (self: DiarySelf) =>
          self.remind("beat", { every: "1 second", at: Date.now() + 500, message: "tick" })
        const def = diary(heard, set, { clique })
        const start = () => bench.start({ tree: supervisor("app", {}, [child(def, { id })]) })
        const systems: ReadonlyArray<ActorSystem> = [await start(), await start()]
        await systems[1]!.ref(Diary, id).set("")
        await eventually("it comes", () => heard.length >= 2)
        await systems[0]!.stop()
        const before = heard.length
        await eventually("it goes on", () => heard.length >= before + 2)
        isComplete(heard)
      },
    )

    it("of an actor that shares its queue comes to that actor", async () => {
      const name = bench.id()
      bench.claimShared(name)
      const [one, other]: ReadonlyArray<Array<Heard>> = [[], []]
      const ids = [bench.id(), bench.id()]
      for (const id of ids) claim(id)
      const set = (self: DiarySelf) => self.remind("tea", { after: 100, message: "tick" })
      const children = [one!, other!].map((heard, n) => child(diary(heard, set, { queue: name }), { id: ids[n]! }))
      const system = await bench.start({ tree: supervisor("app", {}, children) })
      await system.ref(Diary, ids[1]!).set("")
      await eventually("it comes", () => other!.length === 1)
      expect(one).toEqual([])
    })

    it("whose message its handler crashes on is retried like any tell, and then dead (6)", async () => {
      const id = bench.id()
      claim(id)
      const begun: Array<readonly [number, string | undefined]> = []
      const def = actor(
        Diary,
        (self) => ({
          ring: () => {},
          tick: (_, { attempt, reminder }) => {
            begun.push([attempt, reminder?.name])
            throw new Error("poison")
          },
          set: async () => void (await self.remind("tea", { at: 0, message: "tick" })),
          forget: () => true,
          list: () => [],
          crash: () => {},
        }),
        { reminders: true, maxDeliveries: 2 },
      )
      const ref = await bench.spawn(def, { id, ...soon })
      await ref.set("")
      await eventually("it is dead", async () => (await bench.deadLetters(ref.$address)).length === 1)
      expect(begun).toEqual([
        [1, "tea"],
        [2, "tea"],
      ])
      expect(await bench.deadLetters(ref.$address)).toMatchObject([
        { remains: { item: { reminder: { name: "tea", due: 0, missed: 0 } } } },
      ])
    })
  })

  describe("what cannot be set", () => {
    const why = async (set: (self: DiarySelf) => unknown, options: ActorOptions = {}): Promise<unknown> => {
      let refusal: unknown
      const id = bench.id()
      bench.claimReminders(Diary, id)
      const def = diary(
        [],
        async (self) => {
          refusal = await rejection(Promise.resolve(set(self)))
        },
        options,
      )
      const ref = await bench.spawn(def, { id })
      await ref.set("")
      return refusal
    }

    it.for([
      ["without a name", (self: DiarySelf) => self.remind("", { at: 0, message: "tick" }), /name/],
      ["with a name too long", (self: DiarySelf) => self.forget("x".repeat(256)), /name/],
      ["at no time", (self: DiarySelf) => self.remind("a", { at: Number.NaN, message: "tick" }), /due at a time/],
      [
        "never",
        (self: DiarySelf) => self.remind("a", { after: Number.POSITIVE_INFINITY, message: "tick" }),
        /due at a time/,
      ],
      ["too often", (self: DiarySelf) => self.remind("a", { every: 999, message: "tick" }), /self\.timers/],
      [
        "without a tell",
        (self: DiarySelf) => self.remind("a", { at: 0, message: "list" as never }),
        /"list" is no tell/,
      ],
      ["after no duration", (self: DiarySelf) => self.remind("a", { after: "soon" as never, message: "tick" }), /soon/],
      [
        "with a payload that does not fit",
        (self: DiarySelf) => self.remind("a", { at: 0, message: "ring", payload: { at: 7 as never } }),
        /at/,
      ],
    ] as const)("%s is refused with words", async ([, set, words]) => {
      const refusal = await why(set)
      expect(refusal).toMatchObject({ _tag: "ReminderRefused", retrySafe: true })
      expect(`${refusal}`).toMatch(words)
    })

    it("is refused for an actor that is not declared with reminders", async () => {
      const refusal = await why((self) => self.remind("a", { at: 0, message: "tick" }), { reminders: false })
      expect(`${refusal}`).toMatch(/\{ reminders: true \}/)
    })

    it("is an actor that has no durable mailbox", async () => {
      const def = diary([], () => {}, { mailbox: "transient" })
      expect(await rejection(bench.spawn(def))).toMatchObject({ message: expect.stringMatching(/transient/) })
    })
  })
}
