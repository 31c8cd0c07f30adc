// Bad input and bounds: refused in words, and nobody is hurt (promises 7, 10).

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { actor, ask, protocol, StartFailed, tell, type } from "../../src/index.ts"
import { batchType } from "../../src/wire/batch.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"
import { reasonOf, rejection } from "./rejection.ts"

const Strict = protocol("strict", "1.0.0", {
  double: ask({ payload: Schema.Number, reply: Schema.Number }),
  incarnation: ask({ reply: Schema.Number }),
})
const strict = actor(Strict, (self) => ({ double: (n) => 2 * n, incarnation: () => self.incarnation }))
/** The same by name and version, as somebody has it who is of another opinion. */
const Loose = protocol("strict", "1.0.0", {
  double: ask({ payload: type<unknown>(), reply: Schema.String }),
  halve: ask({ payload: Schema.Number }),
  constructor_: ask({}),
  toString: tell(),
})

export const refusals = (bench: Bench): void => {
  describe("an ask is refused", () => {
    it("when it fits no schema of the callee, which is not restarted (7)", async () => {
      const ref = await bench.spawn(strict)
      const loose = (await bench.system).ref(Loose, ref.$id)
      for (const payload of ["one", null, undefined, {}, [1]]) {
        expect(await reasonOf(loose.double(payload))).toMatchObject({
          _tag: "Rejected",
          why: expect.stringMatching(/^double: /),
        })
      }
      expect(await ref.double(2)).toBe(4)
      expect(await ref.incarnation()).toBe(1)
    })

    it("when the callee has no such message, which is not restarted (7)", async () => {
      const ref = await bench.spawn(strict)
      const loose = (await bench.system).ref(Loose, ref.$id)
      expect(await reasonOf(loose.halve(1))).toMatchObject({
        _tag: "Rejected",
        why: 'there is no message "halve" in strict 1.0.0, which this member speaks',
      })
      expect(await reasonOf(loose.constructor_())).toMatchObject({ _tag: "Rejected" })
      expect(await ref.incarnation()).toBe(1)
    })

    it("when its reply fits no schema of the caller (7)", async () => {
      const ref = await bench.spawn(strict)
      const loose = (await bench.system).ref(Loose, ref.$id)
      expect(await reasonOf(loose.double(1))).toMatchObject({
        _tag: "Rejected",
        why: expect.stringContaining("the reply is not what the protocol says"),
      })
    })

    it("when its payload is no JSON, where no schema makes it so (7)", async () => {
      const ref = await bench.spawn(strict)
      const loose = (await bench.system).ref(Loose, ref.$id)
      const loop: { self?: unknown } = {}
      loop.self = loop
      expect(await reasonOf(loose.double(1n))).toMatchObject({ _tag: "Rejected" })
      expect(await reasonOf(loose.double(loop))).toMatchObject({ _tag: "Rejected" })
      expect(await ref.double(3)).toBe(6)
    })

    it("when it is larger than the broker takes; others go on (7)", async () => {
      const ref = await bench.spawn(strict)
      const loose = (await bench.system).ref(Loose, ref.$id)
      const reason = await reasonOf(loose.double("x".repeat(17 * 1024 * 1024)))
      expect(reason).toMatchObject({ _tag: "Rejected" })
      expect(await ref.double(3)).toBe(6)
    })

    it("when the actor's address could not be one (7)", async () => {
      const system = await bench.system
      for (const id of ["", "a.b", "a/b", "ü", "x".repeat(64)]) expect(() => system.ref(Strict, id)).toThrow(TypeError)
    })
  })

  describe("a message that cannot be read", () => {
    it.for([
      ["garbage", batchType, "}{"],
      ["no batch", batchType, '"hello"'],
      ["items without a node", batchType, '{"items":[]}'],
      ["another wire version", "application/vnd.warren.v9+json", "{}"],
      ["another content type", "image/png", "\u0000"],
    ] as const)("(%s) is a dead letter, and the actor goes on (7)", async ([, contentType, body]) => {
      const ref = await bench.spawn(strict)
      await bench.publish({
        exchange: bench.names.mail,
        routingKey: `test.strict.${ref.$id}.v1`,
        mandatory: true,
        contentType,
        messageId: bench.id(),
        body: Buffer.from(body),
      })
      await eventually("it is dead", async () => (await bench.deadLetters(ref.$address)).length === 1)
      expect(await bench.deadLetters(ref.$address)).toMatchObject([
        { reason: "undecodable", attempts: 0, remains: { kind: "message", body: Buffer.from(body) } },
      ])
      expect(await ref.double(2)).toBe(4)
      expect(await ref.incarnation()).toBe(1)
    })

    it("costs itself, and not its neighbours in the same batch (7)", async () => {
      const P = protocol("bulk", "1.0.0", {
        put: tell(Schema.Number),
        got: ask({ reply: Schema.Array(Schema.Number) }),
      })
      const got: Array<number> = []
      const ref = await bench.spawn(actor(P, { put: (n) => void got.push(n), got: () => got }))
      const items = [1, 2, 3].map((n) => ({ k: "t", i: n, n: n === 2 ? null : "put", p: n }))
      await bench.publish({
        exchange: bench.names.mail,
        routingKey: `test.bulk.${ref.$id}.v1`,
        mandatory: true,
        contentType: batchType,
        messageId: bench.id(),
        body: Buffer.from(JSON.stringify({ node: "somebody", items })),
      })
      await eventually("the others are handled", () => got.length === 2)
      expect(await ref.got()).toStrictEqual([1, 3])
      await eventually("it is dead", async () => (await bench.deadLetters(ref.$address)).length === 1)
    })
  })

  describe("a node's outbox", () => {
    it("refuses at once what is beyond its bounds, and what is in it is sent (10)", async () => {
      const system = await bench.start({ outbox: { items: 5 } })
      const ref = await bench.spawn(strict)
      const mine = system.ref(Strict, ref.$id)
      const outcomes = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((n) => mine.double.outcome(n)))
      expect(outcomes.slice(0, 5)).toStrictEqual([2, 4, 6, 8, 10].map((value) => ({ ok: true, value })))
      for (const outcome of outcomes.slice(5)) {
        expect(outcome).toMatchObject({ ok: false, error: { reason: { _tag: "MailboxFull", what: "outbox" } } })
      }
      expect(await mine.double(8)).toBe(16)
    })

    it("has a bound in bytes as well (10)", async () => {
      const system = await bench.start({ outbox: { bytes: 1_000 } })
      const ref = await bench.spawn(strict)
      const loose = system.ref(Loose, ref.$id)
      expect(await reasonOf(loose.double("x".repeat(1_000)))).toMatchObject({ _tag: "MailboxFull", what: "outbox" })
      expect(await system.ref(Strict, ref.$id).double(8)).toBe(16)
    })
  })

  describe("an actor whose options mean nothing", () => {
    it.for([{ concurrency: 0 }, { concurrency: 1.5 }, { maxDeliveries: 0 }, { capacity: -1 }])(
      "(%o) does not start, and the message says why",
      async (options) => {
        const system = await bench.system
        const [name] = Object.keys(options)
        const def = actor(Strict, { double: (n) => n, incarnation: () => 1 }, options)
        const error = await rejection(system.spawn(def, { id: bench.id() }))
        expect(String(error)).toContain(`${name} must be a whole number of at least 1`)
        expect(error).not.toBeInstanceOf(StartFailed)
      },
    )
  })

  it("a mailbox that exists with other arguments stops the actor's start with what differs (9)", async () => {
    const stay = latch()
    bench.after(stay.open)
    const id = bench.id()
    const name = bench.claim(Strict, id)
    await bench.run(bench.link.declareQueue({ name, type: "classic" }))
    const system = await bench.system
    const error = await rejection(system.spawn(strict, { id }))
    expect(String(error)).toContain(name)
  })
}
