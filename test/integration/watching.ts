// What systems know of each other: the registry as programs see it, and actors that watch others (promise 12).

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { actor, ask, protocol } from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"

const Plain = protocol("plain", "1.2.3", { wait: ask({}) })
const Guard = protocol("guard", "1.0.0", { gone: ask({ reply: Schema.Array(Schema.String) }) })

export const watching = (bench: Bench): void => {
  describe("the registry of a system", () => {
    it("lists the members of all systems with version, role, epoch, parent and what they handle (12)", async () => {
      const gate = latch()
      bench.after(gate.open)
      const plain = actor(Plain, { wait: () => gate.opened })
      const parent = actor(Plain, (self) => ({ wait: async () => void (await self.spawn(plain, { id: childId })) }))
      const childId = bench.id()
      bench.claim(Plain, childId)
      const ref = await bench.spawn(parent)
      await ref.wait()
      const system = await bench.system
      const held = system.ref(Plain, childId).wait()
      const id = bench.id()
      bench.claimClique(Plain, id)
      const single = actor(Plain, { wait: () => {} }, { clique: "single" })
      await system.spawn(single, { id })
      await eventually("it leads", async () => (await system.registry.list({ id, role: "leader" })).length === 1)
      const other = await bench.start()
      await other.spawn(single, { id })

      const observer = await bench.start()
      const listed = async (filter: object) =>
        (await observer.registry.list(filter)).map(({ role, node }) => [role, node])
      await eventually("both are listed", async () => (await listed({ id })).length === 2)
      expect(new Set(await listed({ id }))).toStrictEqual(
        new Set([
          ["leader", system.node],
          ["standby", other.node],
        ]),
      )
      const [leader] = await observer.registry.list({ id, role: "leader" })
      expect(leader).toMatchObject({ address: `test/plain/${id}`, version: "1.2.3", state: "leading.running" })
      expect(leader!.epoch).toBeGreaterThan(0)
      expect(await observer.registry.find({ id })).toMatchObject({ role: "leader" })
      const busy = async () => (await observer.registry.list({ id: childId }))[0]
      await system.stopActor(single, id) // a change, so that there is a beat now
      await eventually("what it handles is told", async () => (await busy())?.handling[0]?.message === "wait")
      expect(await busy()).toMatchObject({ role: "member", state: "running", parent: `test/plain/${ref.$id}` })
      gate.open()
      await held
    })
  })

  describe("an actor that watches another", () => {
    const guard = (address: string) =>
      actor(Guard, (self) => {
        const gone: Array<string> = []
        self.watch({ $address: address }, () => void gone.push(address))
        return { gone: () => gone }
      })

    it("is told once, when its last member is gone (12)", async () => {
      const id = bench.id()
      bench.claim(Plain, id)
      const plain = actor(Plain, { wait: () => {} })
      const members = [await bench.start(), await bench.start()]
      for (const member of members) await member.spawn(plain, { id })
      const watcher = await bench.spawn(guard(`test/plain/${id}`))
      const system = await bench.system
      await eventually("both are known", async () => (await system.registry.list({ id })).length === 2)
      await members[0]!.stop()
      await eventually("one is left", async () => (await system.registry.list({ id })).length === 1)
      expect(await watcher.gone()).toStrictEqual([])
      await members[1]!.stop()
      await eventually("it is told", async () => (await watcher.gone()).length > 0)
      const again = await bench.start()
      await again.spawn(plain, { id })
      await eventually("it is back", async () => (await system.registry.list({ id })).length === 1)
      await again.stop()
      await eventually("it is gone again", async () => (await system.registry.list({ id })).length === 0)
      expect(await watcher.gone(), "once").toStrictEqual([`test/plain/${id}`])
    })

    it("is told soon when there is none (12)", async () => {
      const watcher = await bench.spawn(guard("test/plain/nobody"))
      await eventually("it is told", async () => (await watcher.gone()).length === 1)
    })
  })
}
