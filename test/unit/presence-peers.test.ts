// What a node is told of the others it works with, on a clock that only the test moves (promise 12).

import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import type { Node } from "../../src/messaging/node.ts"
import { frozen } from "./embedded-fixture.ts"
import { elapse, interval, makeWorld } from "./presence-world.ts"

const watch = (node: Node, peer: string) => {
  const told: Array<string> = []
  const end = node.watchPeer(peer, (why) => told.push(why))
  return { told, end }
}

describe("a node that watches another", () => {
  it("is told once, with the next beat that does not come (12)", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, cut } = yield* makeWorld
        const [a, b] = [yield* join("a"), yield* join("b")]
        const { told } = watch(a.node, b.node.id)
        yield* elapse(4 * interval)
        expect(told).toStrictEqual([])
        yield* cut("b")
        yield* elapse(2 * interval)
        expect(told).toStrictEqual(["it is not heard of any more"])
        broker.faults.allow()
        yield* elapse(interval)
        yield* cut("b")
        yield* elapse(4 * interval)
        expect(told).toHaveLength(1)
      }),
    ))

  it("is told at once of a goodbye, and each watcher for itself (12)", () =>
    frozen(
      Effect.gen(function* () {
        const { join } = yield* makeWorld
        const [a, b] = [yield* join("a"), yield* join("b")]
        const [one, two, three] = [1, 2, 3].map(() => watch(a.node, b.node.id))
        yield* elapse(1_000)
        two!.end()
        yield* b.leave
        yield* elapse(100)
        expect(one!.told).toStrictEqual(["it has stopped"])
        expect(two!.told).toStrictEqual([])
        expect(three!.told).toStrictEqual(["it has stopped"])
      }),
    ))

  it("is told within two intervals of one that was never heard, however often its own link is lost before (W3)", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, cut } = yield* makeWorld
        const a = yield* join("a")
        const { told } = watch(a.node, "nobody")
        yield* elapse(1.5 * interval)
        yield* cut("a")
        yield* elapse(10 * interval)
        broker.faults.allow()
        yield* elapse(1.5 * interval)
        expect(told).toStrictEqual([])
        yield* elapse(0.5 * interval)
        expect(told).toStrictEqual(["it is not heard of any more"])
      }),
    ))

  it("is told nothing of one who comes late, or comes back in time, or of itself (12)", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, cut } = yield* makeWorld
        const [a, b] = [yield* join("a"), yield* join("b")]
        yield* cut("b")
        const other = watch(a.node, b.node.id)
        const own = watch(a.node, a.node.id)
        yield* elapse(1.4 * interval)
        broker.faults.allow()
        yield* elapse(6 * interval)
        expect([...other.told, ...own.told]).toStrictEqual([])
      }),
    ))

  it("stops listening when it has let go of all", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join } = yield* makeWorld
        const [a, b] = [yield* join("a"), yield* join("b")]
        const watches = [watch(a.node, b.node.id), watch(a.node, "nobody")]
        yield* elapse(1_000)
        expect(broker.queue(a.node.names.beats(a.node.id, 1))).toBeDefined()
        for (const { end } of watches) end()
        yield* elapse(61_000)
        expect(broker.queue(a.node.names.beats(a.node.id, 1))).toBeUndefined()
      }),
    ))
})
