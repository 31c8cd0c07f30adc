// Members of a `single` clique: who leads, who takes over, and what becomes of the mail (promises 5, 8).

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { type ActorSystem, actor, ask, protocol, tell, type View } from "../../src/index.ts"
import { decodeBatch, encodeBatch, encodeItem } from "../../src/wire/batch.ts"
import { isMalformed } from "../../src/wire/malformed.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"

const Ledger = protocol("ledger", "1.0.0", {
  /** The node that handles it, and its epoch. */
  who: ask({ reply: Schema.Struct({ node: Schema.String, epoch: Schema.Number, incarnation: Schema.Number }) }),
  put: tell(Schema.Number),
  hold: ask({ payload: Schema.String, reply: Schema.String }),
  crash: ask({}),
})

/** What the members of one test did, in the order in which they did it. */
interface Record {
  readonly made: Array<string>
  readonly led: Array<{ readonly node: string; readonly epoch: number }>
  readonly put: Array<{ readonly n: number; readonly attempt: number; readonly epoch: number }>
  readonly held: Array<string>
}

const ledger = (record: Record, options: { readonly warm?: boolean; readonly gate?: Promise<void> } = {}) =>
  actor(
    Ledger,
    (self) => {
      record.made.push(self.node)
      self.onLead((epoch) => void record.led.push({ node: self.node, epoch }))
      return {
        who: () => ({ node: self.node, epoch: self.epoch, incarnation: self.incarnation }),
        put: (n, { attempt }) => void record.put.push({ n, attempt, epoch: self.epoch }),
        hold: async (text) => {
          record.held.push(self.node)
          if (record.held.length > 1) return `${text} by ${self.node}`
          if (text === "yield") self.yieldTo(self.epoch + 1_000) // as when a store refuses what is written
          await options.gate
          return `${text} by ${self.node}`
        },
        crash: () => {
          throw new Error("down")
        },
      }
    },
    { clique: "single", warm: options.warm === true, maxDeliveries: 20 },
  )

const find = (view: View, detail: string): View | undefined =>
  view.detail?.includes(detail)
    ? view
    : view.children.map((each) => find(each, detail)).find((found) => found !== undefined)

export const cliques = (bench: Bench): void => {
  const fresh = (): Record => ({ made: [], led: [], put: [], held: [] })
  const policy = { shutdown: 1_000, backoff: { initial: 1, max: 2 } }

  /** Systems with one member each, the first of which leads. */
  const gather = async (count: number, def: ReturnType<typeof ledger>) => {
    const id = bench.id()
    const queues = bench.claimClique(Ledger, id)
    const systems: Array<ActorSystem> = []
    for (let n = 0; n < count; n++) {
      const system = await bench.start()
      await system.spawn(def, { ...policy, id })
      systems.push(system)
      if (n === 0) await eventually("the first leads", () => phase(system, id).includes("leading.running"))
    }
    const caller = await bench.start()
    return { id, systems, ref: caller.ref(Ledger, id), queues }
  }
  const phase = (system: ActorSystem, id: string): string => find(system.tree(), `/${id}`)?.detail ?? "none"
  const leaders = (systems: ReadonlyArray<ActorSystem>, id: string) =>
    systems.filter((system) => phase(system, id).includes("leading"))

  describe("of a `single` clique", () => {
    it("one member leads, and handles all mail (8)", async () => {
      const record = fresh()
      const { id, systems, ref } = await gather(3, ledger(record))
      const answers = await Promise.all(Array.from({ length: 20 }, () => ref.who()))
      expect(new Set(answers.map(({ node }) => node))).toStrictEqual(new Set([systems[0]!.node]))
      expect(leaders(systems, id)).toHaveLength(1)
      expect(phase(systems[1]!, id)).toContain("standby")
    })

    it("the factory runs on the leader alone, unless the clique is warm (8)", async () => {
      const cold = fresh()
      const first = await gather(2, ledger(cold))
      expect(cold.made).toStrictEqual([first.systems[0]!.node])
      const warm = fresh()
      const second = await gather(2, ledger(warm, { warm: true }))
      await eventually("the standby is made", () => warm.made.length === 2)
      expect(warm.led.map(({ node }) => node)).toStrictEqual([second.systems[0]!.node])
      await second.systems[0]!.stop()
      await eventually("it is told when it leads", () => warm.led.length === 2)
      expect(warm.made, "nothing is made anew").toHaveLength(2)
      expect((await second.ref.who()).node).toBe(second.systems[1]!.node)
    })

    it("the next one leads when the leader stops, in a larger epoch (8)", async () => {
      const record = fresh()
      const { systems, ref } = await gather(3, ledger(record))
      const epochs = [(await ref.who()).epoch]
      for (const stopping of [0, 1]) {
        await systems[stopping]!.stop()
        const { node, epoch } = await ref.who()
        expect(node).toBe(systems[stopping + 1]!.node)
        epochs.push(epoch)
      }
      expect(epochs).toStrictEqual([...epochs].sort((a, b) => a - b))
      expect(new Set(epochs).size).toBe(3)
      expect(record.led.map(({ epoch }) => epoch)).toStrictEqual(epochs)
    })

    it("a leader that steps down finishes what it began, and stands by again (8)", async () => {
      const record = fresh()
      const gate = latch()
      bench.after(gate.open)
      const def = ledger(record, { gate: gate.opened })
      const { id, systems, ref } = await gather(2, def)
      const held = ref.hold("kept")
      await eventually("it is being handled", () => record.held.length === 1)
      const steppedDown = systems[0]!.stepDown(def, id)
      const next = ref.who()
      await eventually("it drains", () => phase(systems[0]!, id).includes("draining"))
      expect(leaders([systems[1]!], id), "nobody leads beside it").toHaveLength(0)
      gate.open()
      expect(await held).toBe(`kept by ${systems[0]!.node}`)
      expect(await steppedDown).toBe(true)
      expect((await next).node).toBe(systems[1]!.node)
      await eventually("it stands by", () => phase(systems[0]!, id).includes("standby"))
      expect(await systems[0]!.stepDown(def, id), "it does not lead").toBe(false)
    })

    it("who steps down alone leads again, in a larger epoch (8)", async () => {
      const def = ledger(fresh())
      const { id, systems, ref } = await gather(1, def)
      const before = await ref.who()
      expect(await systems[0]!.stepDown(def, id)).toBe(true)
      const after = await ref.who()
      expect(after.epoch).toBeGreaterThan(before.epoch)
      expect(after.incarnation).toBe(before.incarnation + 1)
    })

    it("a crash of its cell does not move the leadership (6, 8)", async () => {
      const { systems, ref } = await gather(2, ledger(fresh()))
      const before = await ref.who()
      expect((await ref.crash.outcome()).ok).toBe(false)
      const after = await ref.who()
      expect(after).toStrictEqual({ node: systems[0]!.node, epoch: before.epoch, incarnation: 2 })
    })

    it("one that learns of a larger epoch leads no longer, and what it was handling is handled by the next (8)", async () => {
      const record = fresh()
      const gate = latch()
      bench.after(gate.open)
      const { systems, ref } = await gather(2, ledger(record, { gate: gate.opened }))
      const { epoch } = await ref.who()
      const held = ref.hold("yield")
      expect(await held).toBe(`yield by ${systems[1]!.node}`)
      expect((await ref.who()).epoch).toBeGreaterThan(epoch)
      expect(record.held).toStrictEqual([systems[0]!.node, systems[1]!.node])
    })

    it("tells of one sender are handled in order over many hand-overs, none is missing (3, 5)", async () => {
      const record = fresh()
      const def = ledger(record)
      const { id, systems, ref } = await gather(3, def)
      const total = 600
      const told = (async () => {
        for (let n = 0; n < total; n += 20) {
          await Promise.all(Array.from({ length: 20 }, (_, k) => ref.put(n + k)))
        }
      })()
      for (let handOver = 0; handOver < 6; handOver++) {
        await eventually("somebody leads", () => leaders(systems, id).length === 1)
        await eventually("some more are handled", () => record.put.length >= (handOver + 1) * 50)
        await leaders(systems, id)[0]!.stepDown(def, id)
      }
      await told
      await eventually("all are handled", () => new Set(record.put.map(({ n }) => n)).size === total)
      const firsts = record.put.filter(({ n }, index) => record.put.findIndex((other) => other.n === n) === index)
      expect(firsts.map(({ n }) => n)).toStrictEqual(Array.from({ length: total }, (_, n) => n))
      const again = record.put.filter((each) => !firsts.includes(each))
      expect(
        again.every(({ attempt }) => attempt > 1),
        "what is handled again says so",
      ).toBe(true)
      const epochs = record.put.map(({ epoch }) => epoch)
      expect(epochs, "no former leader handles anything").toStrictEqual([...epochs].sort((a, b) => a - b))
    })

    it("the order is kept when leaders are lost one after the other, in the middle of what came back (5, 8)", async () => {
      const Line = protocol("line", "1.0.0", { put: tell(Schema.Number) })
      const done: Array<number> = []
      const tripped = new Set<number>()
      const fails = (n: number) => n % 3 === 0 && !tripped.has(n) && tripped.add(n)
      const def = actor(
        Line,
        (self) => ({
          put: async (n, { signal }) => {
            if (fails(n)) {
              self.yieldTo(self.epoch + 10) // unfinished: all that is in hand goes back
              await new Promise((resolve) => signal.addEventListener("abort", resolve))
            }
            if (!signal.aborted) done.push(n)
          },
        }),
        { clique: "single", maxDeliveries: 5 },
      )
      const id = bench.id()
      bench.claimClique(Line, id)
      const total = 24
      const caller = await bench.start()
      // Nobody leads twice: who has had the mail before would put it in order.
      const members = await Promise.all(Array.from({ length: total / 3 + 1 }, () => bench.start()))
      for (const member of members) await member.spawn(def, { ...policy, id })
      for (let n = 0; n < total; n++) await caller.ref(Line, id).put(n)
      await eventually("all are handled", () => new Set(done).size === total)
      const firsts = done.filter((n, index) => done.indexOf(n) === index)
      expect(firsts).toStrictEqual(Array.from({ length: total }, (_, n) => n))
      expect(await bench.deadLetters(`test/line/${id}`)).toStrictEqual([])
    })

    it("an ask waits for a leader where there is none yet (4, 8)", async () => {
      const def = ledger(fresh())
      const { id, systems, ref } = await gather(1, def)
      await systems[0]!.stop()
      const asked = ref.who(undefined, { timeout: 10_000 })
      const late = await bench.start()
      await late.spawn(def, { ...policy, id })
      expect((await asked).node).toBe(late.node)
    })

    it.for(["deleted", "purged and deleted"] as const)(
      "somebody leads again when the token queue is %s under the leader, in a larger epoch (8)",
      async (how) => {
        const record = fresh()
        const { id, systems, ref, queues } = await gather(2, ledger(record))
        const { epoch } = await ref.who()
        if (how !== "deleted") await bench.run(bench.link.purgeQueue(queues.token))
        await bench.run(bench.link.deleteQueue(queues.token))
        await eventually("somebody leads in a new term", () => record.led.length === 2)
        expect((await ref.who()).epoch).toBeGreaterThan(epoch)
        expect(leaders(systems, id)).toHaveLength(1)
      },
    )

    it("the epoch of a leader is in what it sends, and no other (8)", async () => {
      const Heard = protocol("heard", "1.0.0", { note: ask({ reply: Schema.NullOr(Schema.Number) }) })
      const Speaker = protocol("speaker", "1.0.0", {
        speak: ask({ reply: Schema.Array(Schema.NullOr(Schema.Number)) }),
      })
      const heard = await bench.spawn(actor(Heard, { note: (_, { epoch }) => epoch ?? null }))
      const id = bench.id()
      bench.claimClique(Speaker, id)
      const speak = (self: { ref: (protocol: typeof Heard, id: string) => typeof heard; readonly epoch: number }) => ({
        speak: async () => [await self.ref(Heard, heard.$id).note(), self.epoch],
      })
      const leader = await bench.spawn(
        actor(Speaker, (self) => speak(self as never), { clique: "single" }),
        { id },
      )
      const [told, own] = await leader.speak()
      expect(told).toBe(own)
      expect(own).toBeGreaterThan(0)
      const plain = await bench.spawn(actor(Speaker, (self) => speak(self as never)))
      expect(await plain.speak()).toStrictEqual([null, 0])
      expect(await heard.note()).toBe(null)
    })

    it("the epoch of a leader is in its replies and in the dead letters that it writes, and no other (8)", async () => {
      const Seer = protocol("seer", "1.0.0", { see: ask({ reply: Schema.Number }), crash: ask({}) })
      const make = (self: { readonly epoch: number }) => ({
        see: () => self.epoch,
        crash: () => {
          throw new Error("down")
        },
      })
      /** The epochs of what comes of three asks and a tell in a batch, and of a plain ask; as AMQP has them. */
      const epochsOf = async (id: string) => {
        const replies = `${bench.prefix}.replies.${id}`
        await bench.run(bench.link.declareQueue({ name: replies, type: "classic", expires: 60_000 }))
        bench.after(() => bench.run(bench.link.deleteQueue(replies)))
        const mail = { node: "me", deadline: Date.now() + 10_000, replyTo: replies, payload: undefined }
        const asks = ["see", "crash", "nothing"].map((name, id) => encodeItem({ ...mail, kind: "ask", id, name }))
        const tell = encodeItem({ ...mail, kind: "tell", id: 3, name: "nothing" })
        const to = { exchange: bench.names.mail, routingKey: `test.seer.${id}.v1`, replyTo: replies, mandatory: true }
        await bench.publish({ ...to, ...encodeBatch({ node: "me", messageId: id, replyTo: replies }, [...asks, tell]) })
        await bench.publish({ ...to, type: "see", body: Buffer.alloc(0) })
        const epochs: Array<unknown> = []
        await eventually("all are answered, and the tell is buried", async () => {
          for (const { message } of await bench.takeAll(replies)) {
            const batch = decodeBatch(message)
            if (isMalformed(batch)) epochs.push(message.headers["warren-epoch"])
            else epochs.push(...batch.items.map((item) => (item.kind === "reply" ? item.epoch : item)))
          }
          return epochs.length === asks.length + 1 && (await bench.deadLetters(`test/seer/${id}`)).length === 1
        })
        return [...epochs, (await bench.deadLetters(`test/seer/${id}`))[0]?.epoch]
      }
      const id = bench.id()
      bench.claimClique(Seer, id)
      const leader = await bench.spawn(actor(Seer, make, { clique: "single" }), { ...policy, id })
      const epoch = await leader.see()
      expect(epoch).toBeGreaterThan(0)
      expect(await epochsOf(id)).toStrictEqual(Array(5).fill(epoch))
      const shared = await bench.spawn(actor(Seer, make), policy)
      expect(await epochsOf(shared.$id)).toStrictEqual(Array(5).fill(undefined))
    })
  })

  describe("an actor of a `single` clique", () => {
    it("cannot share a mailbox queue", async () => {
      const def = actor(Ledger, ledger(fresh()).make as never, { clique: "single", queue: "all" })
      await expect(bench.spawn(def as never)).rejects.toThrow("takes mail from a queue of its own")
    })
  })
}
