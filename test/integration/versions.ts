// Several versions of one protocol at the same address: major versions live side by side, minor ones mix (promises 7, 8, 12).

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { type ActorSystem, actor, ask, protocol, tell, type View } from "../../src/index.ts"
import { replay } from "../../src/wire/dead-letter.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { reasonOf } from "./rejection.ts"

/** Who answers. */
const Answer = Schema.Struct({ version: Schema.String, node: Schema.String, epoch: Schema.Number })
const messages = { who: ask({ reply: Answer }), put: tell(Schema.Struct({ n: Schema.Number })) }
const Old = protocol("till", "1.0.0", messages)
/** One message more, and one field more in each direction. */
const New = protocol("till", "1.1.0", {
  who: ask({ reply: Schema.Struct({ ...Answer.fields, mood: Schema.optionalKey(Schema.String) }) }),
  put: tell(Schema.Struct({ n: Schema.Number, note: Schema.optionalKey(Schema.String) })),
  extra: ask({ reply: Schema.String }),
  jot: tell(Schema.Number),
})
const Patched = protocol("till", "1.1.7", New.messages)
const Next = protocol("till", "2.0.0", messages)

/** What was handled: `version n`. */
type Done = Array<string>
const clique = (single: boolean) => ({ clique: single ? "single" : "shared" }) as const
const old = (done: Done, single = false) => actor(Old, (self) => handlers(self, Old.version, done), clique(single))
const next = (done: Done, single = false) => actor(Next, (self) => handlers(self, Next.version, done), clique(single))
const newer = (done: Done, single = false, Version: typeof New = New) =>
  actor(
    Version,
    (self) => ({
      ...handlers(self, Version.version, done),
      who: () => ({ version: Version.version, node: self.node, epoch: self.epoch, mood: "good" }),
      extra: () => `extra by ${self.node}`,
      jot: (n) => void done.push(`${Version.version} ${n}`),
    }),
    clique(single),
  )
const handlers = (self: { readonly node: string; readonly epoch: number }, version: string, done: Done) => ({
  who: () => ({ version, node: self.node, epoch: self.epoch }),
  put: ({ n }: { readonly n: number }) => void done.push(`${version} ${n}`),
})

const leaves = (view: View): ReadonlyArray<View> =>
  view.children.length === 0 ? [view] : view.children.flatMap((each) => leaves(each))
/** The phases of the members that run in a system under this id. */
const phases = (system: ActorSystem, id: string): ReadonlyArray<string> =>
  leaves(system.tree()).flatMap(({ detail = "" }) => (detail.includes(`/${id}`) ? [detail] : []))

export const versions = (bench: Bench): void => {
  const policy = { shutdown: 1_000 }
  const fresh = () => {
    const id = bench.id()
    for (const P of [Old, Next]) bench.claimClique(P, id)
    return id
  }
  const leads = (system: ActorSystem, id: string) => phases(system, id).some((each) => each.includes("leading.running"))

  describe("two major versions of an actor", () => {
    it("live side by side in one system: each has a mailbox, and is reached by those who speak it (12)", async () => {
      const [id, done, system] = [fresh(), [] as Done, await bench.system]
      const one = await system.spawn(old(done), { ...policy, id })
      const two = await system.spawn(next(done), { ...policy, id })
      expect((await one.who()).version).toBe("1.0.0")
      expect((await two.who()).version).toBe("2.0.0")
      await Promise.all([one.put({ n: 1 }), two.put({ n: 2 })])
      await eventually("both are handled", () => done.length === 2)
      expect(done.toSorted()).toStrictEqual(["1.0.0 1", "2.0.0 2"])
      const queues = [Old, Next].map((P) => bench.claim(P, id))
      expect(queues[0]).not.toBe(queues[1])
      for (const queue of queues) expect(await bench.ready(queue)).toBe(0)

      const again = expect(system.spawn(newer(done), { ...policy, id })).rejects
      await again.toThrow(`there is a child "till/${id}.v1" already`)
      expect(await system.stopActor(old(done), id)).toBe(true)
      expect(phases(system, id)).toHaveLength(1)
      expect((await two.who()).version).toBe("2.0.0")
      expect(await system.stopActor(old(done), id)).toBe(false)
    })

    it("live side by side in several systems, and who asks a third one is told that there is none (4, 12)", async () => {
      const [id, done] = [fresh(), [] as Done]
      await (await bench.start()).spawn(old(done), { ...policy, id })
      await (await bench.start()).spawn(next(done), { ...policy, id })
      const caller = await bench.start()
      for (let n = 0; n < 5; n++) {
        expect((await caller.ref(Old, id).who()).version).toBe("1.0.0")
        expect((await caller.ref(Next, id).who()).version).toBe("2.0.0")
      }
      const Third = protocol("till", "3.0.0", messages)
      expect(await reasonOf(caller.ref(Third, id).who())).toMatchObject({ _tag: "NoSuchActor" })
    })

    it("have a leader each, at the same time, in epochs of their own (8)", async () => {
      const [id, done] = [fresh(), [] as Done]
      const [a, b] = [await bench.start(), await bench.start()]
      await a.spawn(old(done, true), { ...policy, id })
      await b.spawn(next(done, true), { ...policy, id })
      await eventually("both lead", () => leads(a, id) && leads(b, id))
      await b.spawn(old(done, true), { ...policy, id })
      await a.spawn(next(done, true), { ...policy, id })
      const caller = await bench.start()
      const [one, two] = [caller.ref(Old, id), caller.ref(Next, id)]
      const before = [await one.who(), await two.who()] as const
      expect(before.map(({ node }) => node)).toStrictEqual([a.node, b.node])
      expect(await a.stepDown(old(done), id)).toBe(true)
      const after = [await one.who(), await two.who()] as const
      expect(after.map(({ node, version }) => `${version} ${node}`)).toStrictEqual([
        `1.0.0 ${b.node}`,
        `2.0.0 ${b.node}`,
      ])
      expect(after[0].epoch).toBeGreaterThan(before[0].epoch)
      expect(after[1].epoch, "the other has not moved").toBe(before[1].epoch)
      expect(await a.stepDown(next(done), id), "it stands by there").toBe(false)
    })

    it("are told apart by the registry (12)", async () => {
      const [id, done] = [fresh(), [] as Done]
      const [a, b] = [await bench.start(), await bench.start()]
      await a.spawn(old(done), { ...policy, id })
      await a.spawn(next(done), { ...policy, id })
      await b.spawn(newer(done), { ...policy, id })
      const observer = await bench.start()
      const listed = async (filter: object) =>
        (await observer.registry.list({ id, ...filter })).map(({ version, node }) => `${version} ${node}`).sort()
      await eventually("all are listed", async () => (await listed({})).length === 3)
      expect(await listed({ version: "1.0.0" })).toStrictEqual([`1.0.0 ${a.node}`])
      expect(await listed({ version: "1.1.0" })).toStrictEqual([`1.1.0 ${b.node}`])
      expect(await listed({ version: "2.0.0" })).toStrictEqual([`2.0.0 ${a.node}`])
      expect(await listed({ version: "1" }), "exactly").toStrictEqual([])
      expect(await observer.registry.find({ id, version: "2.0.0" })).toMatchObject({ version: "2.0.0" })
    })

    it("may be children of one actor, under one id (12)", async () => {
      const [id, done] = [fresh(), [] as Done]
      const Parent = protocol("parent", "1.0.0", { grow: ask({}), prune: ask({ reply: Schema.Boolean }) })
      const parent = await bench.spawn(
        actor(Parent, (self) => ({
          grow: async () => {
            await self.spawn(old(done), { ...policy, id })
            await self.spawn(next(done), { ...policy, id })
          },
          prune: () => self.stopChild(old(done), id),
        })),
      )
      await parent.grow()
      const system = await bench.system
      expect((await system.ref(Old, id).who()).version).toBe("1.0.0")
      expect(await parent.prune()).toBe(true)
      expect((await system.ref(Next, id).who()).version).toBe("2.0.0")
      expect(phases(system, id)).toHaveLength(1)
    })
  })

  describe("minor versions and patches of an actor", () => {
    /** A member of each, in systems of their own; and somebody who calls them. */
    const mix = async (single: boolean) => {
      const [id, done] = [fresh(), [] as Done]
      const systems = [await bench.start(), await bench.start(), await bench.start()] as const
      await systems[0].spawn(old(done, single), { ...policy, id })
      if (single) await eventually("the first leads", () => leads(systems[0], id))
      await systems[1].spawn(newer(done, single), { ...policy, id })
      await systems[2].spawn(newer(done, single, Patched), { ...policy, id })
      const caller = await bench.start()
      return { id, done, systems, ref: caller.ref(New, id), oldRef: caller.ref(Old, id) }
    }
    const turns = (count: number) => Array.from({ length: count }, (_, n) => n)

    it("share one mailbox: all of them get mail, whoever sends it (7)", async () => {
      const { ref, oldRef } = await mix(false)
      const seen = new Set<string>()
      for (const n of turns(30)) seen.add((await (n % 2 === 0 ? ref : oldRef).who()).version)
      expect([...seen].sort()).toStrictEqual(["1.0.0", "1.1.0", "1.1.7"])
    })

    it("what one of them does not know of a payload or a reply it passes over (7)", async () => {
      const { done, ref, oldRef } = await mix(false)
      await Promise.all(turns(30).map((n) => ref.put({ n, note: "by a newer one" })))
      await eventually("all are handled", () => new Set(done).size === 30)
      for (const _ of turns(6))
        expect(Object.keys(await oldRef.who()).sort()).toStrictEqual(["epoch", "node", "version"])
    })

    it("an older member refuses an ask that it does not know, in words, and nothing else is hurt (7)", async () => {
      const { id, systems, ref } = await mix(false)
      const outcomes = []
      for (const _ of turns(30)) outcomes.push(await ref.extra.outcome())
      const refused = outcomes.flatMap((each) => (each.ok ? [] : [each.error]))
      expect(refused.length).toBeGreaterThan(0)
      expect(refused.length).toBeLessThan(30)
      for (const error of refused) {
        expect(error).toMatchObject({ reason: { _tag: "Rejected" }, retrySafe: true })
        expect(error.message).toContain('there is no message "extra" in till 1.0.0, which this member speaks')
      }
      for (const _ of turns(6)) await ref.who()
      for (const system of systems) expect(phases(system, id), "none was restarted").toHaveLength(1)
      expect(await bench.deadLetters(`test/till/${id}`)).toStrictEqual([])
    })

    it("a tell that an older member does not know is a dead letter, and can be sent again once that one is gone (6, 7)", async () => {
      const { id, done, systems, ref } = await mix(false)
      // One after the other: what is told together travels together, to one member.
      for (const n of turns(30)) await ref.jot(n)
      const letters = async () => bench.deadLetters(`test/till/${id}`)
      await eventually("each is handled or buried", async () => done.length + (await letters()).length === 30)
      const buried = await letters()
      expect(buried.length).toBeGreaterThan(0)
      for (const letter of buried) {
        const message =
          'there is no message "jot" in till 1.0.0, which this member speaks; sent again unchanged it will be refused again'
        expect(letter).toMatchObject({ reason: "rejected", error: { name: "Rejected", message } })
      }
      await systems[0].stop()
      for (const letter of buried) {
        const { exchange, routingKey } = letter.origin
        const again = replay(letter, { messageId: bench.id(), deadline: 0 })
        await bench.publish({ exchange, routingKey, mandatory: true, persistent: true, ...again })
      }
      await eventually("all are handled", () => done.length === 30)
      expect(new Set(done.map((each) => each.split(" ")[1])).size).toBe(30)
    })

    it("are one clique: one of them leads, and another takes over in a larger epoch (8)", async () => {
      const { id, systems, ref } = await mix(true)
      const first = await ref.who()
      expect(first).toMatchObject({ version: "1.0.0", node: systems[0].node })
      expect(await reasonOf(ref.extra()), "the leader is the older one").toMatchObject({ _tag: "Rejected" })
      await systems[0].stop()
      const second = await ref.who()
      expect(second).toMatchObject({ version: "1.1.0", node: systems[1].node })
      expect(second.epoch).toBeGreaterThan(first.epoch)
      expect(await ref.extra()).toBe(`extra by ${systems[1].node}`)
      expect(leads(systems[2], id)).toBe(false)
    })

    it("a rolling deploy moves the leadership once per process, and no mail is refused or lost (3, 5, 8)", async () => {
      const [id, done] = [fresh(), [] as Done]
      const former: Array<ActorSystem> = []
      for (let n = 0; n < 3; n++) {
        former.push(await bench.start())
        await former[n]!.spawn(old(done, true), { ...policy, id })
        if (n === 0) await eventually("the first leads", () => leads(former[0]!, id))
      }
      const caller = (await bench.start()).ref(Old, id)
      const answers: Array<typeof Answer.Type> = []
      let deploying = true
      let told = 0
      const asking = (async () => {
        for (; deploying; told++) {
          await caller.put({ n: told })
          answers.push(await caller.who())
        }
      })()
      for (const system of former) {
        const before = answers.length
        await eventually("it is asked", () => answers.length > before + 5)
        await (await bench.start()).spawn(newer(done, true), { ...policy, id })
        await system.stop()
      }
      const last = answers.length
      await eventually("it is asked", () => answers.length > last + 5)
      deploying = false
      await asking
      await eventually("all are handled", () => done.length >= told)
      expect(done.map((each) => Number(each.split(" ")[1]))).toStrictEqual(turns(told))
      const terms = answers.filter(({ node }, n) => node !== answers[n - 1]?.node)
      expect(terms.map(({ version }) => version)).toStrictEqual(["1.0.0", "1.0.0", "1.0.0", "1.1.0"])
      expect(new Set(terms.map(({ epoch }) => epoch)).size, "each in an epoch of its own").toBe(4)
      const epochs = answers.map(({ epoch }) => epoch)
      expect(epochs).toStrictEqual(epochs.toSorted((a, b) => a - b))
    })
  })
}
