// Presence: every node can say who is there, and no process is special (promise 12).

import { describe, expect, it } from "vitest"
import { NobodyServes } from "../../src/presence/errors.ts"
import type { Change } from "../../src/presence/listed.ts"
import { beatKey, beatType, encodeBeat, type MemberReport, type Role } from "../../src/wire/beat.ts"
import { aMember } from "../unit/presence-fixture.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { interval, join, type PresentNode, spy } from "./presence-nodes.ts"
import { rejection } from "./rejection.ts"

const addresses = async ({ registry }: PresentNode) =>
  (await registry.list()).map(({ address, health }) => `${address} ${health}`)

/** What a node is told, as it comes. */
const watched = async ({ registry }: PresentNode) => {
  const changes: Array<Change & { readonly at: number }> = []
  await registry.watch({}, (change) => changes.push({ ...change, at: performance.now() }))
  return changes
}
const kinds = (changes: ReadonlyArray<Change>) => changes.map(({ kind, member }) => `${kind} ${member.id}`)
/** A busy machine may hold up an event loop for a moment, and the beat says so: that is no failure. */
const lasting = (changes: ReadonlyArray<Change>) =>
  kinds(changes.filter(({ kind }) => kind === "joined" || kind === "left"))

export const presence = (bench: Bench): void => {
  describe("presence", () => {
    it("lists everybody for everybody, as they describe themselves, long before the next beat is due (12)", async () => {
      const minute = 60_000
      const boss: Partial<MemberReport> = {
        address: "acme/boss/main",
        version: "2.1.0",
        role: "leader",
        epoch: 12,
        state: "leading.running",
        restarts: 3,
        handling: [{ message: "plan", since: 1_700_000_000_000 }],
        waiting: 4,
      }
      const a = await join(bench, () => [boss], minute)
      const b = await join(bench, () => [{ address: "acme/worker/1", parent: "acme/boss/main" }], minute)
      for (const node of [a, b]) {
        const [own, other] = await node.registry.list()
        expect(own?.node).toBe(node.id)
        const listed = node === a ? own : other
        expect(listed).toMatchObject({ ...boss, domain: "acme", type: "boss", id: "main", node: a.id })
        expect(listed).toMatchObject({ health: "alive", pid: process.pid })
        expect(node === a ? other : own).toMatchObject({ address: "acme/worker/1", parent: "acme/boss/main" })
        expect((await node.registry.nodes()).map(({ node, members, health }) => [node, members, health])).toStrictEqual(
          (node === a ? [a, b] : [b, a]).map(({ id }) => [id, 1, "alive"]),
        )
      }
      const c = await join(bench, () => [{ address: "acme/late/1" }], minute)
      await eventually(
        "the others have heard of it",
        async () => (await a.registry.list({ type: "late" })).length === 1,
      )
      expect(await addresses(c)).toHaveLength(3)
    })

    it("tells at once of a goodbye (12)", async () => {
      const a = await join(bench, undefined, 60_000)
      const b = await join(bench, () => [{ address: "acme/worker/1" }], 60_000)
      const changes = await watched(a)
      expect(kinds(changes)).toStrictEqual(["joined 1"])
      await b.stop()
      await eventually("it is gone", () => changes.length === 2)
      expect(changes[1]).toMatchObject({ kind: "left", why: "its node has stopped" })
      expect(await addresses(a)).toStrictEqual([])
      expect(await a.registry.nodes()).toHaveLength(1)
    })

    it("tells of a death within two intervals, and of the suspicion before (12)", async () => {
      const a = await join(bench)
      const b = await join(bench, () => [{ address: "acme/worker/1", handling: [{ message: "crunch", since: 1 }] }])
      const changes = await watched(a)
      b.cut()
      const cutAt = performance.now()
      await eventually("it is gone", () => changes.at(-1)?.kind === "left")
      expect(kinds(changes).slice(-2)).toStrictEqual(["suspect 1", "left 1"])
      const [suspect, left] = changes.slice(-2)
      expect(suspect).toMatchObject({
        why: expect.stringMatching(/^no beat for .* handling `crunch` in acme\/worker\/1/),
      })
      expect(left!.at - cutAt).toBeLessThan(2 * interval + 250)
      expect(left!.at - suspect!.at).toBeGreaterThan(0.1 * interval)
      b.reconnect()
      await eventually("it is back", async () => (await addresses(a)).includes("acme/worker/1 alive"))
    })

    it("does not bury others because the observer itself was cut off (12)", async () => {
      const a = await join(bench, () => [{ address: "acme/own/1" }])
      const b = await join(bench, () => [{ address: "acme/worker/1" }])
      const changes = await watched(a)
      a.cut()
      await eventually("it knows that it is blind", async () => (await addresses(a)).includes("acme/worker/1 suspect"))
      const from = performance.now()
      await eventually("time passes", () => performance.now() - from > 3 * interval)
      expect(await addresses(a)).toStrictEqual(["acme/own/1 alive", "acme/worker/1 suspect"])
      expect((await addresses(b)).some((each) => each.startsWith("acme/own/1"))).toBe(false)
      a.reconnect()
      await eventually("both know of both", async () => {
        const [one, other] = await Promise.all([addresses(a), addresses(b)])
        return [...one, ...other].filter((each) => each.endsWith("alive")).length === 4
      })
      expect(lasting(changes)).toStrictEqual(["joined 1", "joined 1"])
    })

    it("tells of nodes whose event loop was blocked, and takes it back with the next beat (12)", async () => {
      const a = await join(bench)
      const b = await join(bench, () => [{ address: "acme/worker/1" }])
      const beats = await spy(bench)
      const changes = await watched(a)
      const until = performance.now() + 0.8 * interval
      while (performance.now() < until);
      await eventually("it is told and over", () => changes.at(-1)?.kind === "changed")
      expect(kinds(changes).slice(0, 3)).toStrictEqual(["joined 1", "suspect 1", "changed 1"])
      expect(changes[2]).toMatchObject({ member: { health: "alive" } })
      const lags = (await beats()).filter(({ node }) => node === b.id).map(({ lag }) => lag)
      expect(Math.max(...lags)).toBeGreaterThan(0.6 * interval)
    })

    it("costs one message per node and interval, and one for many questions and changes (12)", async () => {
      const beats = await spy(bench)
      const nodes = await Promise.all([join(bench), join(bench), join(bench)])
      await Promise.all(nodes.map(({ registry }) => registry.list()))
      const [first] = nodes
      const of = async (node: PresentNode) => (await beats()).filter((beat) => beat.node === node.id)
      const start = (await of(first!)).length
      await eventually("the answers are sent", async () => (await of(first!)).length > start)
      const before = (await of(first!)).length
      const from = performance.now()
      await eventually("eight beats", async () => (await of(first!)).length >= before + 8)
      const intervals = (performance.now() - from) / interval
      expect(intervals).toBeGreaterThan(6.5)
      expect(intervals).toBeLessThan(9.5)

      const numbers = (await of(first!)).map(({ seq }) => seq)
      expect(numbers).toStrictEqual([...new Set(numbers)].sort((a, b) => a - b))

      const quiet = await join(bench, undefined, 60_000)
      const others = await Promise.all(Array.from({ length: 10 }, () => join(bench, undefined, 60_000)))
      const atFirst = (await of(quiet)).length
      await Promise.all(others.map(addresses))
      for (let n = 0; n < 100; n++) quiet.presence.changed()
      quiet.presence.add(() => aMember({ address: "acme/last/1" }))
      await others[0]!.registry.find({ type: "last" })
      expect((await of(quiet)).length - atFirst).toBeLessThanOrEqual(5)
    })

    it("costs those nothing who do not ask", async () => {
      const a = await join(bench)
      const b = await join(bench)
      await addresses(a)
      const look = (node: PresentNode) => bench.run(bench.link.inspectQueue(bench.names.beats(node.id, 1)))
      expect(await look(a)).toMatchObject({ consumers: 1 })
      await expect(look(b)).rejects.toMatchObject({ _tag: "NotFound" })
    })

    it("takes no harm from what others write to its exchange (7)", async () => {
      const a = await join(bench, () => [{ address: "acme/own/2" }])
      const b = await join(bench, () => [{ address: "acme/worker/1" }])
      const changes = await watched(a)
      const routingKey = beatKey(b.id)
      const [sample] = await (async () => {
        const beats = await spy(bench)
        await eventually("a beat", async () => (await beats()).some(({ node }) => node === b.id))
        return (await beats()).filter(({ node }) => node === b.id)
      })()
      const own = encodeBeat({ ...sample!, node: a.id, seq: 1e9, bye: true })
      const stranger = encodeBeat({ ...sample!, node: "stranger", seq: 1e9, bye: true })
      for (const message of [
        { routingKey, body: Buffer.from("{") },
        { routingKey, contentType: beatType, body: Buffer.from("{") },
        { routingKey, contentType: beatType, body: Buffer.alloc(200_000, 0x5b) },
        { routingKey, ...stranger },
        { routingKey: beatKey(a.id), ...own },
        { routingKey: "who", contentType: "text/plain", body: Buffer.alloc(100_000, 1) },
        { routingKey: "beat.x.y", body: Buffer.alloc(0) },
      ]) {
        await bench.publish({ exchange: bench.names.presence, ...message })
      }
      await bench.publish({
        exchange: "",
        routingKey: bench.names.beats(a.id, 1),
        messageId: "1",
        body: Buffer.alloc(0),
      })
      const beats = await spy(bench)
      await eventually("all go on", async () => new Set((await beats()).map(({ node }) => node)).size === 2)
      expect(lasting(changes)).toStrictEqual(["joined 2", "joined 1"])
      expect(await addresses(a)).toStrictEqual(["acme/own/2 alive", "acme/worker/1 alive"])
    })
  })

  describe("the registry", () => {
    it("filters exactly: `proj` is not `proj2`", async () => {
      const a = await join(bench, () => [{ address: "acme/proj/1" }, { address: "acme/proj2/1", version: "1.0.1" }])
      const b = await join(bench, () => [{ address: "acme/proj/10" }, { address: "acme2/proj/1" }])
      const of = async (filter: Parameters<typeof b.registry.list>[0]) =>
        (await b.registry.list(filter)).map(({ address }) => address).sort()
      expect(await of({ type: "proj" })).toStrictEqual(["acme/proj/1", "acme/proj/10", "acme2/proj/1"])
      expect(await of({ type: "proj", domain: "acme", id: "1" })).toStrictEqual(["acme/proj/1"])
      expect(await of({ version: "1.0.1" })).toStrictEqual(["acme/proj2/1"])
      expect(await of({ node: a.id })).toStrictEqual(["acme/proj/1", "acme/proj2/1"])
      expect(await of({ type: "pro" })).toStrictEqual([])
      expect(await of({ role: "leader" })).toStrictEqual([])
    })

    it("shows the own node as it is now, without waiting for a beat", async () => {
      const a = await join(bench, undefined, 60_000)
      expect(await addresses(a)).toStrictEqual([])
      const takeOff = a.presence.add(() => aMember({ address: "acme/new/1" }))
      expect(await addresses(a)).toStrictEqual(["acme/new/1 alive"])
      takeOff()
      takeOff()
      expect(await addresses(a)).toStrictEqual([])
    })

    it("watches with a filter: who turns into it joins, who turns out of it leaves", async () => {
      let role: Role = "standby"
      const a = await join(bench, undefined, 60_000)
      const b = await join(bench, () => [{ address: "acme/boss/main", role, epoch: role === "leader" ? 1 : 0 }], 60_000)
      const changes: Array<Change> = []
      const stop = await a.registry.watch({ role: "leader" }, (change) => changes.push(change))
      expect(changes).toStrictEqual([])
      role = "leader"
      b.presence.changed()
      await eventually("it leads", () => changes.length === 1)
      role = "standby"
      b.presence.changed()
      await eventually("it does not", () => changes.length === 2)
      expect(changes.map(({ kind }) => kind)).toStrictEqual(["joined", "left"])
      stop()
      role = "leader"
      b.presence.changed()
      await eventually("it leads again", async () => (await a.registry.list({ role: "leader" })).length === 1)
      expect(changes).toHaveLength(2)
    })

    it("finds who serves: not a standby, and not before there is one", async () => {
      let role: Role = "standby"
      const a = await join(bench, undefined, 60_000)
      const b = await join(bench, () => [{ address: "acme/boss/main", role }], 60_000)
      const filter = { domain: "acme", type: "boss" }
      await addresses(a)
      const found = a.registry.find(filter)
      const failure = await rejection(a.registry.find(filter, { timeout: 200 }))
      expect(failure).toBeInstanceOf(NobodyServes)
      expect(String(failure)).toContain(
        'nobody has served domain "acme", type "boss" within 200 ms: 1 standing by, and nobody leads; start the actor',
      )
      role = "leader"
      b.presence.changed()
      expect(await found).toMatchObject({ node: b.id, role: "leader" })
      expect(await a.registry.find({ ...filter, role: "leader" })).toMatchObject({ node: b.id })

      const leaving = new AbortController()
      const never = rejection(a.registry.find({ type: "nobody" }, { signal: leaving.signal }))
      leaving.abort(new Error("enough"))
      expect(await never).toMatchObject({ message: "enough" })
      expect(String(await rejection(a.registry.find({ type: "nobody" }, { timeout: 50 })))).toContain(
        "nobody is on the list",
      )
    })

    it("hears every beat of a leader of the address and its major version, with its epoch", async () => {
      const leader = (epoch: number, version = "1.4.0") => ({
        address: "acme/boss/main",
        role: "leader" as const,
        epoch,
        version,
      })
      const a = await join(bench)
      const b = await join(bench, () => [leader(8)])
      const c = await join(bench, () => [leader(9), leader(99, "2.0.0")])
      const seen: Array<string> = []
      bench.after(a.presence.onLeader("acme/boss/main", 1, (epoch, node) => seen.push(`${epoch} ${node}`)))
      await eventually("both were heard twice", () =>
        [`8 ${b.id}`, `9 ${c.id}`].every((line) => seen.filter((each) => each === line).length >= 2),
      )
      expect(new Set(seen).size).toBe(2)
    })
  })
}
