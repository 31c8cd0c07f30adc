// How nodes judge each other over a broker, on a clock that only the test moves.

import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { connect, frozen, settle, until } from "./embedded-fixture.ts"
import { elapse, interval, makeWorld, passing, watching } from "./presence-world.ts"

const addresses = (members: ReadonlyArray<{ readonly address: string; readonly health: string }>) =>
  members.map(({ address, health }) => `${address} ${health}`)

describe("a node that falls silent", () => {
  it("is suspect after 1.5 of its intervals, gone after 1.7, and back with its next beat (W3)", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, cut } = yield* makeWorld
        const a = yield* join("a")
        yield* join("b", ["acme/worker/1"])
        const told = yield* watching(a)
        expect(told.splice(0)).toStrictEqual(["joined acme/worker/1"])
        yield* elapse(4 * interval)
        expect(told).toStrictEqual([])
        yield* cut("b")
        yield* elapse(0.45 * interval)
        expect(told).toStrictEqual([])
        yield* elapse(1.1 * interval)
        expect(told.splice(0)).toStrictEqual([
          expect.stringMatching(/^suspect acme\/worker\/1 \(no beat for 7\.\d s\)$/),
        ])
        expect(addresses(yield* passing(a.registry.list()))).toStrictEqual(["acme/worker/1 suspect"])
        yield* elapse(0.5 * interval)
        expect(told.splice(0)).toStrictEqual([
          expect.stringMatching(/^left acme\/worker\/1 \(no beat for (8|9)\.\d s\)$/),
        ])
        broker.faults.allow()
        yield* elapse(100)
        expect(told.splice(0)).toStrictEqual(["joined acme/worker/1"])
      }),
    ))

  it("is told of once per change, and costs the broker a message or two, not one per observer and beat", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, cut } = yield* makeWorld
        const a = yield* join("a")
        yield* join("b", ["acme/worker/1"])
        const told = yield* watching(a)
        yield* cut("b")
        yield* elapse(20 * interval)
        expect(told).toHaveLength(3)
        yield* until("all is acked", () => {
          const { ready, unacked } = broker.queue(a.node.names.beats(a.node.id, 1))!
          return ready + unacked === 0
        })
      }),
    ))
})

describe("nobody is judged", () => {
  it("for the time that the observer was cut off; what it knew is suspect meanwhile (W3)", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, cut } = yield* makeWorld
        const a = yield* join("a", ["acme/own/1"])
        yield* join("b", ["acme/worker/1"])
        const told = yield* watching(a)
        told.length = 0
        yield* cut("a")
        yield* elapse(10 * interval)
        expect(told).toStrictEqual([])
        const list = yield* passing(a.registry.list())
        expect(addresses(list)).toStrictEqual(["acme/own/1 alive", "acme/worker/1 suspect"])
        expect(list[1]?.why).toBe("this node has heard nothing from the broker for 50.0 s")
        broker.faults.allow()
        yield* elapse(4 * interval)
        expect(told).toStrictEqual([])
        expect(addresses(yield* passing(a.registry.list()))).toStrictEqual(["acme/own/1 alive", "acme/worker/1 alive"])
      }),
    ))

  it("while the broker takes no messages, nor right after (W3)", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join } = yield* makeWorld
        const a = yield* join("a")
        yield* join("b", ["acme/worker/1"])
        const told = yield* watching(a)
        told.length = 0
        const link = yield* connect(broker, "spy")
        yield* link.declareQueue({ name: "spy", type: "classic" })
        yield* link.bind({ queue: "spy", exchange: a.node.names.presence, routingKey: "#" })
        broker.faults.block("memory")
        yield* elapse(10 * interval)
        broker.faults.unblock()
        yield* elapse(100)
        expect(broker.queue("spy")?.ready).toBe(2) // one beat of each, and none that was kept
        yield* elapse(4 * interval)
        expect(told.filter((change) => change.startsWith("left"))).toStrictEqual([])
        expect(addresses(yield* passing(a.registry.list()))).toStrictEqual(["acme/worker/1 alive"])
      }),
    ))

  it("while the broker is slow, however slow (W3)", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join } = yield* makeWorld
        const a = yield* join("a")
        yield* join("b", ["acme/worker/1"])
        const told = yield* watching(a)
        told.length = 0
        broker.faults.slow(1.8 * interval)
        yield* elapse(10 * interval)
        broker.faults.slow(0)
        yield* elapse(4 * interval)
        expect(told.filter((change) => change.startsWith("left"))).toStrictEqual([])
      }),
    ))

  it("before everything has been read that came while the observer was held up (W3)", () =>
    frozen(
      Effect.gen(function* () {
        const { join } = yield* makeWorld
        const a = yield* join("a")
        yield* join("b", ["acme/worker/1"])
        const told = yield* watching(a)
        told.length = 0
        yield* TestClock.adjust(7.3 * interval)
        yield* settle
        yield* elapse(2 * interval)
        expect(told).toStrictEqual([])
      }),
    ))

  it("and yet the dead are found where the broker is always slow (W3)", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, cut } = yield* makeWorld
        const a = yield* join("a")
        yield* join("b", ["acme/worker/1"])
        const told = yield* watching(a)
        told.length = 0
        broker.faults.slow(400)
        yield* elapse(2 * interval)
        yield* cut("b")
        yield* elapse(4 * interval)
        expect(told.at(-1)).toContain("left acme/worker/1")
      }),
    ))
})

describe("those who do not ask", () => {
  it("pay nothing, and those who asked once stop paying after a minute (W1)", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join } = yield* makeWorld
        const a = yield* join("a")
        const b = yield* join("b", ["acme/worker/1"])
        const queue = ({ id }: typeof a.node) =>
          broker.queues().find(({ name }) => name.startsWith(`warren.presence.${id}.`))
        yield* elapse(2 * interval)
        expect([queue(a.node), queue(b.node)]).toStrictEqual([undefined, undefined])
        for (let round = 0; round < 2; round++) {
          expect(yield* passing(a.registry.list())).toHaveLength(1)
          expect(queue(a.node)).toMatchObject({ type: "classic", consumers: 1 })
          yield* elapse(59_000)
          expect(queue(a.node)).toBeDefined()
          yield* elapse(1_500)
          expect(queue(a.node)).toBeUndefined()
        }
        yield* passing(a.registry.list())
        yield* elapse(30_000)
        const release = a.presence.follow()
        yield* elapse(120_000)
        expect(queue(a.node)).toBeDefined()
        release()
        release()
        yield* elapse(61_000)
        expect(queue(a.node)).toBeUndefined()
        expect(queue(b.node)).toBeUndefined()
      }),
    ))

  it("leave nothing behind when they stop, nor do those who asked (W1)", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join } = yield* makeWorld
        const a = yield* join("a")
        yield* passing(a.registry.list())
        const waiting = a.registry.find({ type: "nobody" }, { timeout: "1 hour" }).catch((error: unknown) => error)
        yield* a.leave
        expect(broker.queues().filter(({ name }) => name.startsWith("warren.presence"))).toStrictEqual([])
        expect(yield* Effect.promise(() => waiting)).toMatchObject({ _tag: "RegistryClosed" })
        expect(yield* Effect.promise(() => a.registry.list().catch((error: unknown) => error))).toMatchObject({
          message: "the registry cannot be read: the system has stopped; ask again once the broker is reachable",
        })
      }),
    ))
})

describe("a list", () => {
  it("waits for a broker that is away, for 5 seconds", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, cut } = yield* makeWorld
        const a = yield* join("a")
        yield* cut("a")
        yield* elapse(100)
        const list = a.registry.list().catch((error: unknown) => error)
        yield* elapse(4_900)
        let over = false
        void list.then(() => {
          over = true
        })
        yield* settle
        expect(over).toBe(false)
        yield* elapse(200)
        expect(yield* Effect.promise(() => list)).toMatchObject({
          _tag: "RegistryClosed",
          message: expect.stringContaining("the connection was refused"),
        })
        broker.faults.allow()
        yield* elapse(100)
        expect(yield* passing(a.registry.list())).toStrictEqual([])
      }),
    ))
})

describe("the last member of an address", () => {
  it("is missed once, when it has gone in whatever way", () =>
    frozen(
      Effect.gen(function* () {
        const { join, cut } = yield* makeWorld
        const a = yield* join("a")
        const b = yield* join("b", ["acme/parent/1", "acme/other/1"])
        yield* join("c", ["acme/parent/1"])
        let gone = 0
        a.presence.onGone("acme/parent/1", () => gone++)
        yield* elapse(3 * interval)
        yield* b.leave
        yield* elapse(interval)
        expect(gone).toBe(0)
        yield* cut("c")
        yield* elapse(1.9 * interval)
        yield* elapse(0.2 * interval)
        expect(gone).toBe(1)
        yield* elapse(5 * interval)
        expect(gone).toBe(1)
      }),
    ))

  it("is missed soon when there never was one, but not while that is not known", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, cut } = yield* makeWorld
        const a = yield* join("a", ["acme/own/1"])
        const gone: Array<string> = []
        a.presence.onGone("acme/own/1", () => gone.push("own"))
        a.presence.onGone("acme/nobody/1", () => gone.push("nobody"))
        a.presence.onGone("acme/taken/back", () => gone.push("taken back"))()
        yield* elapse(1_000)
        expect(gone).toStrictEqual(["nobody"])
        yield* cut("a")
        a.presence.onGone("acme/nobody/2", () => gone.push("nobody 2"))
        yield* elapse(10 * interval)
        expect(gone).toStrictEqual(["nobody"])
        broker.faults.allow()
        yield* elapse(1_000)
        expect(gone).toStrictEqual(["nobody", "nobody 2"])
      }),
    ))
})
