// Mail that comes back, or says that it did: however it comes, one member has one consumer, and everything is handled
// (promises 3, 10).

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import type { Delivery } from "../../src/broker/broker.ts"
import { actor, protocol, tell } from "../../src/index.ts"
import { encodeBatch, encodeItem } from "../../src/wire/batch.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"

const Sink = protocol("sink", "1.0.0", { put: tell(Schema.Number) })

const batchOf = (messageId: string, numbers: ReadonlyArray<number>) =>
  encodeBatch(
    { node: "n", messageId },
    numbers.map((n) => encodeItem({ kind: "tell", node: "n", id: n, name: "put", payload: n })),
  )

export const returnedMail = (bench: Bench): void => {
  const to = (id: string) => ({ exchange: bench.names.mail, routingKey: `test.sink.${id}.v1`, mandatory: true })
  const plain = (id: string, n: number) =>
    bench.publish({ ...to(id), type: "put", messageId: `${id}-${n}`, body: Buffer.from(`${n}`) })

  describe("a mailbox", () => {
    it("has one consumer, whatever split and fresh mail comes, and none when it is stopped (3, 11)", async () => {
      let got = 0
      const def = actor(Sink, {
        put: async () => {
          await new Promise((resolve) => setImmediate(resolve))
          got++
        },
      })
      const { $id } = await bench.spawn(def)
      const queue = bench.claim(Sink, $id)
      const state = () => bench.run(bench.link.inspectQueue(queue))
      // A quorum queue counts a consumer that has been cancelled until what it was given is acked: look when all is.
      const atRest = (consumers: number, messages = 0) =>
        eventually(`it has ${consumers} consumers and ${messages} messages`, async () => {
          const now = await state()
          return now.consumers === consumers && now.messages === messages
        })
      let sent = 0
      for (let round = 0; round < 5; round++) {
        const split = { ...to($id), ...batchOf(`s${round}`, [++sent]), headers: { "warren-split": true } }
        const all = [bench.publish(split), ...Array.from({ length: 30 }, () => plain($id, ++sent))]
        await Promise.all(all)
        await eventually("all is handled", () => got === sent)
        await atRest(1)
      }
      expect(await (await bench.system).stopActor(def, $id)).toBe(true)
      await atRest(0)
      // Nobody is left who would take these into his hand.
      for (let n = 0; n < 3; n++) await plain($id, ++sent)
      await atRest(0, 3)
      await bench.spawn(def, { id: $id })
      await eventually("the next one handles them", () => got === sent)
    })

    it("that is full handles a returned batch where it is, when its parts cannot be sent again (3, 10)", async () => {
      const got = new Set<number>()
      const def = actor(Sink, { put: (n) => void got.add(n) }, { mailbox: "transient", capacity: 5 })
      const { $id } = await bench.spawn(def)
      const queue = bench.claim(Sink, $id)
      await (await bench.system).stopActor(def, $id)
      await bench.publish({ ...to($id), ...batchOf("back", [1, 2]) })
      let batch: Delivery | undefined
      await eventually("it is in hand", async () => {
        batch = await bench.run(bench.link.get(queue))
        return batch !== undefined
      })
      const want = [1, 2]
      for (let n = 3; want.length < 50; n++) {
        const taken = await plain($id, n).then(
          () => true,
          () => false,
        )
        if (!taken) break
        want.push(n)
      }
      expect(want.length, "it is full").toBeLessThan(50)
      batch?.nack({ requeue: true })
      await eventually("it is back", async () => (await bench.ready(queue)) === want.length - 1)
      await bench.spawn(def, { id: $id })
      await eventually("all is handled", () => want.every((n) => got.has(n)))
      await eventually("nothing is left", async () => (await bench.ready(queue)) === 0)
    })
  })
}
