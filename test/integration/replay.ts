// Events that are retained, for subscribers who begin in the past (docs/semantics.md, "Events"; promises 3, 6, 9).

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { actor, ask, event, events, protocol, tell } from "../../src/index.ts"
import { sourceKey } from "../../src/wire/event-key.ts"
import { type Bench, domain } from "./bench.ts"
import { bodies, collect, take } from "./event-fixture.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"
import { reasonOf } from "./rejection.ts"

export const replays = (bench: Bench): void => {
  /** A protocol of this test alone, as what it retains outlives it. */
  const open = async (retain: { readonly age?: number; readonly bytes?: number } = { bytes: 1_000_000 }) => {
    const P = protocol(`diary-${bench.id()}`, "1.0.0", {
      write: ask({ payload: Schema.Array(Schema.String) }),
      written: event(Schema.String, { retain }),
    })
    const source = { domain, type: P.name, id: undefined, major: 1, event: "written" }
    const stream = bench.claimQueue(bench.names.retained(sourceKey(source)))
    const def = actor(P, (self) => ({
      write: async (lines) => {
        for (const line of lines) await self.emit("written", line, { headers: { first: line === "a" } })
      },
    }))
    const claim = (name: string, id?: string) =>
      bench.claimQueue(bench.names.position(domain, name, sourceKey({ ...source, id })))
    return { P, def, stream, claim, ref: await bench.spawn(def) }
  }

  describe("what is retained", () => {
    it("is read from the first, the newest, a number or what comes next, and goes on with what comes", async () => {
      const { ref } = await open()
      await ref.write(["a", "b", "c", "d"])
      const starts = ["first", "last", "next", 2] as const
      const loops = await Promise.all(starts.map((from) => collect(ref.written({ from }))))
      await eventually("what there is is read", () => loops[0]!.events.length === 4 && loops[1]!.events.length === 1)
      await ref.write(["e"])
      for (const loop of loops) await loop.count(1)
      await loops[0]!.count(5)
      await loops[1]!.count(2)
      await loops[3]!.count(3)
      expect(loops.map(({ events }) => events.map(({ offset, body }) => `${offset}${body}`))).toStrictEqual([
        ["0a", "1b", "2c", "3d", "4e"],
        ["3d", "4e"],
        ["4e"],
        ["2c", "3d", "4e"],
      ])
      expect(loops[0]!.events[0]).toMatchObject({
        source: ref.$address,
        headers: { first: true },
        attempt: 1,
        gap: false,
      })
    })

    it("is read from a time on", async () => {
      const { ref } = await open()
      await ref.write(["a", "b"])
      const written = Date.now()
      await eventually("the clock has moved", () => Date.now() > written)
      const from = new Date()
      await ref.write(["c", "d"])
      expect(bodies(await take(ref.written({ from }), 2))).toStrictEqual(["c", "d"])
      expect(bodies(await take(ref.written({ from: new Date(0) }), 4))).toStrictEqual(["a", "b", "c", "d"])
    })

    it("can be chosen by id, topic and headers, and is there for live subscribers and groups as well", async () => {
      const { P, def, ref } = await open()
      const other = await bench.spawn(def)
      const group = `g-${bench.id()}`
      bench.claimQueue(
        bench.names.group(
          domain,
          group,
          sourceKey({ domain, type: P.name, id: undefined, major: 1, event: "written" }),
        ),
      )
      const system = await bench.system
      const live = await collect(ref.written())
      const shared = await collect(system.events(P).written({ group }))
      await ref.write(["a", "b"])
      await other.write(["c", "a"])
      expect(bodies(await take(other.written({ from: "first" }), 2))).toStrictEqual(["c", "a"])
      expect(bodies(await take(system.events(P).written({ from: "first" }), 4))).toStrictEqual(["a", "b", "c", "a"])
      const firsts = system.events(P).written({ from: "first", headers: { first: true } })
      expect((await take(firsts, 2)).map(({ offset }) => offset)).toStrictEqual([0, 3])
      await shared.count(4)
      await live.count(2)
      expect(bodies(live.events)).toStrictEqual(["a", "b"])
      expect(live.events[0]!.offset).toBeUndefined()
    })

    it("is read on by name, where the last reader stopped, in another process (3)", async () => {
      const { P, ref, claim } = await open()
      claim("audit", ref.$id)
      await ref.write(["a", "b", "c", "d", "e"])
      const first = await bench.start()
      const loop = await first.ref(P, ref.$id).written({ resume: "audit" }).open()
      expect((await loop.next()).value?.body).toBe("a")
      expect((await loop.next()).value?.body).toBe("b")
      expect((await loop.next()).value?.body).toBe("c") // and so "b" is done
      await loop.close()
      await first.stop()
      const second = await bench.start()
      expect(bodies(await take(second.ref(P, ref.$id).written({ resume: "audit" }), 2))).toStrictEqual(["c", "d"])
      await second.stop()
      await ref.write(["f"])
      const third = await bench.start()
      const rest = await collect(third.ref(P, ref.$id).written({ resume: "audit", from: "first" }))
      await rest.count(3)
      expect(bodies(rest.events)).toStrictEqual(["d", "e", "f"])
      await third.stop() // in good order: all that was done is noted
      const fourth = await bench.start()
      const next = await collect(fourth.ref(P, ref.$id).written({ resume: "audit" }))
      await ref.write(["g"])
      await next.count(1)
      expect(bodies(next.events)).toStrictEqual(["g"])
    })

    it("waits for a reader that is slow: nothing is left out (10)", async () => {
      const { ref } = await open()
      const loop = await ref.written({ from: "first" }).open()
      const lines = Array.from({ length: 1500 }, (_, n) => `${n}`)
      for (let at = 0; at < lines.length; at += 500) await ref.write(lines.slice(at, at + 500))
      const got = await take(loop, lines.length)
      expect(bodies(got)).toStrictEqual(lines)
      expect(got.every(({ dropped }) => dropped === 0)).toBe(true)
    })

    it("is bounded by its size: the oldest go", async () => {
      const { ref } = await open({ bytes: 100_000 })
      const line = "x".repeat(1_000)
      await eventually("the oldest are gone", async () => {
        await ref.write(Array.from({ length: 100 }, () => line))
        const [oldest] = await take(ref.written({ from: "first" }), 1)
        return oldest!.offset! > 0
      })
    })

    it("is bounded by its age: what is older is not read", async () => {
      const { P, ref } = await open({ age: 60_000 })
      await bench.publish({
        exchange: bench.names.events,
        routingKey: `test.${P.name}.${ref.$id}.v1.written`,
        mandatory: true,
        headers: { "warren-at": Date.now() - 61_000 },
        body: Buffer.from('"old"'),
      })
      await ref.write(["new"])
      expect(bodies(await take(ref.written({ from: "first" }), 1))).toStrictEqual(["new"])
    })

    it("clashes with another retention: the actor is refused, and told what differs (9)", async () => {
      const { P, ref } = await open()
      const other = protocol(P.name, "1.0.0", {
        ...P.messages,
        written: event(Schema.String, { retain: { bytes: 50_000 } }),
      })
      const system = await bench.start()
      const refused = await system
        .spawn(actor(other, { write: () => {} }), { id: ref.$id })
        .then(() => "started", String)
      for (const words of ["x-max-length-bytes", "1000000", "50000"]) expect(refused).toContain(words)
      expect(await reasonOf(system.ref(other, ref.$id).written({ from: "first" }).open())).toMatchObject({
        _tag: "Rejected",
        why: expect.stringContaining("x-max-length-bytes"),
      })
    })

    it("begins anew when somebody deletes it: nothing that is emitted is lost silently", async () => {
      const { ref, stream } = await open()
      await ref.write(["a"])
      const loop = await collect(ref.written({ from: "first" }))
      await loop.count(1)
      await bench.run(bench.link.deleteQueue(stream))
      await ref.write(["b"])
      await loop.count(2)
      await ref.write(["c"])
      await loop.count(3)
      expect(bodies(loop.events)).toStrictEqual(["a", "b", "c"])
      expect(bodies(await take(ref.written({ from: "first" }), 2))).toStrictEqual(["b", "c"])
    })

    it("is kept again, and read from its first by name, when it was deleted while nobody read it", async () => {
      const { ref, stream, claim } = await open()
      claim("audit", ref.$id)
      await ref.write(["a", "b", "c"])
      const loop = await collect(ref.written({ resume: "audit" }))
      await loop.count(3)
      await loop.close()
      await bench.run(bench.link.deleteQueue(stream))
      await ref.write(["d"]) // its number is less than where the audit stopped
      const [event] = await take(ref.written({ resume: "audit" }), 1)
      expect(event).toMatchObject({ body: "d", offset: 0, gap: true })
    })

    it("is handled by an actor from where it stopped, after a crash as well (6)", async () => {
      const { P, ref, claim } = await open()
      claim("reader")
      await ref.write(["a", "b", "bad", "c"])
      const Reader = protocol("reader", "1.0.0", { read: ask({ reply: Schema.Array(Schema.String) }), nothing: tell() })
      const log: Array<string> = []
      const stay = latch()
      const reader = actor(Reader, (self) => {
        self.on(events(P).written({ resume: "reader" }), async (line, { attempt }) => {
          log.push(`${line}${attempt}`)
          if (line === "bad") throw new Error("bad")
          if (line === "d") await stay.opened
        })
        return { read: () => log, nothing: () => {} }
      })
      const running = await bench.spawn(reader, { backoff: { initial: 1, max: 2 }, shutdown: 2_000 })
      await eventually("all are read", () => log.includes("c1"))
      expect(log).toStrictEqual(["a1", "b1", "bad1", "bad2", "bad3", "c1"])
      const system = await bench.system
      await system.stopActor(reader, running.$id)
      await ref.write(["d"])
      await system.spawn(reader, { id: running.$id })
      await eventually("it goes on", () => log.length === 7)
      expect(log.at(-1)).toBe("d1")
      stay.open()
    })
  })
}
