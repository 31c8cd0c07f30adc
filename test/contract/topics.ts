// The contract of topic patterns: the broker and the fan-out in a node must agree on each of them, for an event that the
// broker lets through is looked at again there.

import { Effect } from "effect"
import { describe, expect } from "vitest"
import { matches, wordsOf } from "../../src/protocol/topic.ts"
import { bodyOf, exchanges, publish, ready } from "./bench.ts"
import type { Suite } from "./contract.ts"

const patterns = ["#", "*", "a", "a.b", "a.*", "*.b", "a.#", "#.b", "*.*", "a.*.c", "a.#.c", "*.#", "#.#", "a.b.c.#"]
const keys = ["a", "b", "a.b", "a.c", "b.b", "a.b.c", "a.x.c", "a.c.c", "a.x.y.c", "a.b.c.d", "ab", "a..c"]

export const topics = ({ spec }: Suite): void => {
  describe("topic patterns", () => {
    spec(`choose as the fan-out in a node does, in ${patterns.length * keys.length} cases`, (bench) =>
      Effect.gen(function* () {
        const link = yield* bench.link
        const root = bench.name("topic").replaceAll(".", "-")
        const exchange = exchanges.topic.name
        const queues = yield* Effect.forEach(patterns, (pattern) =>
          Effect.tap(bench.queue(link, { type: "classic" }), (queue) =>
            link.bind({ queue, exchange, routingKey: `${root}.${pattern}` }),
          ),
        )
        yield* Effect.forEach(keys, (key) =>
          publish(link, { exchange, routingKey: `${root}.${key}`, body: Buffer.from(key) }),
        )
        for (const [index, pattern] of patterns.entries()) {
          const chosen = keys.filter((key) => matches(wordsOf(`${root}.${pattern}`), wordsOf(`${root}.${key}`)))
          yield* ready(link, queues[index]!, chosen.length)
          const got: Array<string> = []
          for (let next = yield* link.get(queues[index]!); next; next = yield* link.get(queues[index]!)) {
            got.push(bodyOf(next))
            next.ack()
          }
          expect(got, pattern).toEqual(chosen)
        }
      }),
    )
  })
}
