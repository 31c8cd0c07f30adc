// Events and AMQP clients that are no nodes, in good faith and in bad (docs/wire.md, "Events"; promise 7).

import { describe, expect, it } from "vitest"
import type { Outgoing } from "../../src/broker/broker.ts"
import { sourceKey } from "../../src/wire/event-key.ts"
import { decodePlainEvent } from "../../src/wire/plain-event.ts"
import { type Bench, domain } from "./bench.ts"
import { bodies, collect, sales, till } from "./event-fixture.ts"
import { eventually } from "./eventually.ts"

export const plainEvents = (bench: Bench): void => {
  const publish = (id: string, message: Partial<Outgoing>, body: string, event = "sold") =>
    bench.publish({
      exchange: bench.names.events,
      routingKey: `test.till.${id}.v1.${event}`,
      body: Buffer.from(body),
      ...message,
    })

  /** A queue of a foreign subscriber. */
  const foreign = async (pattern: string) => {
    const queue = bench.claimQueue(`${bench.prefix}.foreign.${bench.id()}`)
    await bench.run(bench.link.declareQueue({ name: queue, type: "classic" }))
    await bench.run(bench.link.bind({ queue, exchange: bench.names.events, routingKey: pattern }))
    return {
      next: async () => {
        let taken: Awaited<ReturnType<typeof bench.takeAll>> = []
        await eventually("something has come", async () => {
          taken = await bench.takeAll(queue)
          return taken.length > 0
        })
        return taken.map(({ message }) => message)
      },
    }
  }

  describe("a plain AMQP client", () => {
    it("emits an event by publishing JSON with its key", async () => {
      const ref = await bench.spawn(till)
      const loop = await collect(ref.sold())
      const batch = await collect(ref.sold({ topic: "eu.#", headers: { big: true } }))
      const headers = { big: true, "x-own": 1, "warren-epoch": 12 }
      await publish(ref.$id, { headers, messageId: "m-1", timestamp: 1_700_000_000_000 }, "7", "sold.eu.west")
      await publish(ref.$id, { contentType: "application/json; charset=utf-8" }, "8")
      await loop.count(2)
      await batch.count(1)
      expect(loop.events[0]).toStrictEqual({
        body: 7,
        source: ref.$address,
        topic: "eu.west",
        headers: { big: true },
        messageId: expect.stringContaining("m-1"),
        at: 1_700_000_000_000,
        epoch: 12,
        attempt: 1,
        offset: undefined,
        dropped: 0,
        gap: false,
      })
      expect(loop.events[1]).toMatchObject({ body: 8, topic: "", headers: {} })
      expect(bodies(batch.events)).toStrictEqual([7])
    })

    it("gets the events of one turn in one batch, and each that is plain as a message of its own", async () => {
      const ref = await bench.spawn(till)
      const all = await foreign(`test.till.${ref.$id}.v1.#`)
      await ref.sell([{ body: 1, topic: "eu", headers: { big: true } }])
      const [batch] = await all.next()
      expect(batch).toMatchObject({
        routingKey: `test.till.${ref.$id}.v1.sold.eu`,
        contentType: "application/vnd.warren.v1+json",
      })
      expect(JSON.parse(batch!.body.toString())).toStrictEqual({
        node: (await bench.system).node,
        items: [{ k: "e", i: expect.any(Number), n: "sold", m: expect.any(Number), h: { big: true }, p: 1 }],
      })
      await ref.open({ body: { price: 2 }, headers: { big: false } })
      const [plain] = await all.next()
      expect(plain).toMatchObject({
        routingKey: `test.till.${ref.$id}.v1.opened`,
        contentType: "application/json",
        type: "opened",
        messageId: expect.stringContaining((await bench.system).node),
        headers: { big: false, "warren-at": expect.any(Number) },
      })
      expect(JSON.parse(plain!.body.toString())).toStrictEqual({ price: 2 })
      expect(decodePlainEvent(plain!, "opened", () => "")).toMatchObject({
        kind: "event",
        node: (await bench.system).node,
      })
    })

    it("cannot emit plainly with headers that are the broker's or ours (7)", async () => {
      const ref = await bench.spawn(till)
      for (const headers of [{ "x-death": "me" }, { "warren-epoch": 5 }]) {
        const outcome = await ref.open.outcome({ body: 1, headers })
        expect(outcome).toMatchObject({ ok: false, error: { reason: { _tag: "Crashed" } } })
        expect(String(outcome.ok ? "" : outcome.error)).toContain("not for headers of one's own")
      }
    })

    it.for([
      ["bad JSON", {}, "{"],
      ["bytes that are no text", { contentType: "application/octet-stream" }, "\u0000\u0001"],
      ["a body of another shape", {}, '"many"'],
      ["no body", {}, ""],
      ["a batch that cannot be read", { contentType: "application/vnd.warren.v1+json" }, '{"node":1}'],
      ["a batch of another version", { contentType: "application/vnd.warren.v9+json" }, '{"node":"n","items":[]}'],
      [
        "a tell",
        { contentType: "application/vnd.warren.v1+json" },
        '{"node":"n","items":[{"k":"t","i":1,"n":"sold","p":1}]}',
      ],
      [
        "an item without a name",
        { contentType: "application/vnd.warren.v1+json" },
        '{"node":"n","items":[{"k":"e","i":1,"p":1}]}',
      ],
      [
        "an item with another name than its key",
        { contentType: "application/vnd.warren.v1+json" },
        '{"node":"n","items":[{"k":"e","i":1,"n":"opened","p":1}]}',
      ],
      [
        "an item that says it is another actor's",
        { contentType: "application/vnd.warren.v1+json" },
        '{"node":"n","items":[{"k":"e","i":1,"n":"sold","a":"no key","p":1}]}',
      ],
      [
        "headers that are none",
        { contentType: "application/vnd.warren.v1+json" },
        '{"node":"n","items":[{"k":"e","i":1,"n":"sold","h":[1],"p":1}]}',
      ],
    ] as const)(
      "that sends %s costs itself: subscribers go on, and a group buries it (7)",
      async ([, message, body]) => {
        const ref = await bench.spawn(till)
        const group = `g-${bench.id()}`
        const source = { domain, type: "till", id: ref.$id, major: 1, event: "sold" }
        const queue = bench.claimQueue(bench.names.group(domain, group, sourceKey(source)))
        const loops = [await collect(ref.sold()), await collect(ref.sold({ group }))]
        await publish(ref.$id, message, body)
        await ref.sell(sales([1]))
        for (const loop of loops) {
          await loop.count(1)
          expect(bodies(loop.events)).toStrictEqual([1])
        }
        await eventually("it is buried", async () =>
          (await bench.deadLetters("")).some(
            ({ origin, reason }) => origin.routingKey === queue && (reason === "undecodable" || reason === "rejected"),
          ),
        )
      },
    )

    it("that writes straight into the queue of a node costs itself as well (7)", async () => {
      const ref = await bench.spawn(till)
      const loop = await collect(ref.sold())
      const queue = bench.names.eventsOf((await bench.system).node, 1)
      await bench.publish({ exchange: "", routingKey: queue, mandatory: true, body: Buffer.from("1") })
      await bench.publish({
        exchange: "",
        routingKey: queue,
        mandatory: true,
        headers: { "warren-key": `test.till.${ref.$id}.v1.sold` },
        body: Buffer.from("2"),
      })
      await ref.sell(sales([3]))
      await loop.count(2)
      expect(bodies(loop.events), "who may write there may say anything, but no more than that").toStrictEqual([2, 3])
    })
  })
}
