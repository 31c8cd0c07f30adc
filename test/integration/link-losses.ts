// What a lost link must not do to spawns that are under way, nor to the mail of strangers (promises 3, 9), on a broker
// whose links can be cut.

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { type ActorSystem, actor, ask, protocol, tell, type View } from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"
import { rejection } from "./rejection.ts"

const Work = protocol("work", "1.0.0", {
  echo: ask({ payload: Schema.Number, reply: Schema.Number }),
  item: tell(Schema.Number),
})
const handlers = { echo: (n: number) => n, item: () => {} }
const worker = actor(Work, handlers)
/** The same actor with a mailbox that is declared in another way. */
const clashing = actor(Work, handlers, { capacity: 7 })
const clash = "exists with another x-max-length"

const find = (view: View, id: string): View | undefined =>
  view.id === id ? view : view.children.map((each) => find(each, id)).find((found) => found !== undefined)

export const linkLosses = (bench: Bench): void => {
  const open = async () => {
    const broker = bench.venue.embedded!
    const system = await bench.start({ broker: broker.as("cut") })
    const ids = { taken: bench.id(), good: bench.id() }
    const queues = { taken: bench.claim(Work, ids.taken), good: bench.claim(Work, ids.good) }
    const lose = async () => {
      broker.faults.refuse()
      expect(broker.faults.cut({ name: "cut" })).toBe(1)
      await eventually("the loss is noticed", () => find(system.tree(), "link")?.state !== "running")
    }
    return { broker, system, ids, queues, lose }
  }
  const answers = async (system: ActorSystem, id: string) =>
    expect(await system.ref(Work, id).echo(1, { timeout: 5_000 })).toBe(1)

  describe("a spawn", () => {
    it("that was refused ends nothing when the link is lost later: the others answer again (9)", async () => {
      const { broker, system, ids } = await open()
      await (await bench.system).spawn(worker, { id: ids.taken })
      await system.spawn(worker, { id: ids.good })
      expect(String(await rejection(system.spawn(clashing, { id: ids.taken })))).toContain(clash)
      for (let round = 0; round < 2; round++) {
        expect(broker.faults.cut({ name: "cut" })).toBe(1)
        await answers(system, ids.good)
      }
    })

    it("that is taken back while there is no link leaves no consumer when there is one again (9)", async () => {
      const { broker, system, ids, queues, lose } = await open()
      await lose()
      const spawned = system.spawn(worker, { id: ids.taken }).then(
        () => "started",
        () => "taken back",
      )
      await eventually("it is starting", () => find(system.tree(), "spawned")?.children.length === 1)
      expect(await system.stopActor(worker, ids.taken)).toBe(true)
      expect(await spawned).toBe("taken back")
      broker.faults.allow()
      await system.spawn(worker, { id: ids.good })
      await answers(system, ids.good)
      expect(broker.queue(queues.taken)?.consumers ?? 0).toBe(0)
    })

    it("that is refused once there is a link again rejects alone (9)", async () => {
      const { broker, system, ids, lose } = await open()
      await (await bench.system).spawn(worker, { id: ids.taken })
      await lose()
      const refused = rejection(system.spawn(clashing, { id: ids.taken }))
      const good = system.spawn(worker, { id: ids.good })
      broker.faults.allow()
      expect(String(await refused)).toContain(clash)
      await good
      await answers(system, ids.good)
    })
  })

  describe("plain tells", () => {
    it("that share a message id are each handled at least once, also over a lost link (3)", async () => {
      const { broker, system, ids } = await open()
      const stay = latch()
      bench.after(stay.open)
      const begun: Array<number> = []
      const item = async (n: number) => {
        begun.push(n)
        if (n === 0) await stay.opened
      }
      await system.spawn(actor(Work, { ...handlers, item }), { id: ids.good })
      const send = (messageId: string, n: number) =>
        bench.publish({
          exchange: bench.names.mail,
          routingKey: `test.work.${ids.good}.v1`,
          mandatory: true,
          type: "item",
          messageId,
          body: Buffer.from(`${n}`),
        })
      await send("first", 0)
      for (const n of [1, 2, 3]) await send("same", n)
      await eventually("the first is at work", () => begun.length === 1)
      const [queue] = broker.queues().filter(({ name }) => name.includes(ids.good))
      await eventually("all are in hand", () => broker.queue(queue!.name)?.unacked === 4)
      broker.faults.cut({ name: "cut" })
      await eventually("it is back", () => broker.queue(queue!.name)?.consumers === 1)
      stay.open()
      await eventually("all are handled", () => [0, 1, 2, 3].every((n) => begun.includes(n)))
      await eventually("nothing is left", () => {
        const { ready, unacked } = broker.queue(queue!.name)!
        return ready + unacked === 0
      })
    })
  })
}
