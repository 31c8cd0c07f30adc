// Mail for actors that are not here: how long it waits for them, and what becomes of it (promises 3, 4).

import { Clock, Effect } from "effect"
import { describe, expect, it } from "vitest"
import { Burial } from "../../src/messaging/burial.ts"
import { Cancels } from "../../src/messaging/cancels.ts"
import { Deadlines } from "../../src/messaging/deadlines.ts"
import type { Hand } from "../../src/messaging/hand.ts"
import { Job } from "../../src/messaging/job.ts"
import type { Node } from "../../src/messaging/node.ts"
import type { Death, Post } from "../../src/messaging/post.ts"
import { Unclaimed } from "../../src/messaging/unclaimed.ts"
import type { Outcome } from "../../src/wire/item.ts"
import { frozen, pass, turn } from "./embedded-fixture.ts"

const key = (id: string) => `shop.till.${id}.v1`

/** The parts of a node that are used here; what it sends is kept, and confirmed at once. */
const open = Effect.gen(function* () {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const now = () => clock.currentTimeMillisUnsafe()
  const deadlines = new Deadlines(clock)
  const answers: Array<unknown> = []
  const deaths: Array<string> = []
  const settled: Array<number> = []
  const post = {
    answer: (_: unknown, outcome: Outcome, __: unknown, done: () => void) => {
      answers.push(outcome.tag === "failed" ? outcome.reason._tag : outcome.tag)
      done()
    },
    bury: (death: Death, done: (buried: boolean) => void) => {
      deaths.push(`${death.to} ${death.reason}`)
      done(true)
    },
  } as unknown as Post
  const parts = { now, deadlines, cancels: new Cancels(deadlines, now), post, starting: false, stopping: false }
  const unclaimed = new Unclaimed(parts as unknown as Node, new Burial(post), ({ item }) => void settled.push(item.id))
  const hand = { to: "shop.tills", replays: 0 } as Hand
  let count = 0
  const tell = (to?: string) => {
    const item = { kind: "tell", node: "n", id: ++count, name: "x", payload: 1 } as const
    unclaimed.admit(new Job(to === undefined ? item : { ...item, to }, hand, 0, unclaimed))
  }
  const ask = (to: string, timeout = 60_000) => {
    const rest = { name: "x", payload: 1, to, deadline: now() + timeout, replyTo: "inbox" }
    unclaimed.admit(new Job({ kind: "ask", node: "n", id: ++count, ...rest }, hand, 0, unclaimed))
  }
  yield* turn
  return { unclaimed, parts, tell, ask, answers, deaths, settled }
})

describe("mail for an actor that is not here", () => {
  it("is refused 5 s after the first of it came, and from then on at once (3, 4)", () =>
    frozen(
      Effect.gen(function* () {
        const { tell, ask, answers, deaths, settled } = yield* open
        tell(key("a"))
        yield* pass(4_900)
        ask(key("a"))
        expect(settled).toStrictEqual([])
        yield* pass(200)
        expect(answers).toStrictEqual(["NoSuchActor"])
        expect(deaths).toStrictEqual([`${key("a")} rejected`])
        ask(key("a"))
        tell(key("b"))
        expect(settled).toStrictEqual([1, 2, 3])
      }),
    ))

  it("goes to the actor if it comes in time, and waits for it anew once it has been there (3)", () =>
    frozen(
      Effect.gen(function* () {
        const { unclaimed, tell, settled } = yield* open
        tell(key("a"))
        yield* pass(4_000)
        tell(key("a"))
        expect([...unclaimed.claim(key("a"))].map(({ item }) => item.id)).toStrictEqual([1, 2])
        yield* pass(10_000)
        expect(settled).toStrictEqual([])
        unclaimed.left()
        tell(key("a"))
        yield* pass(4_900)
        expect(settled).toStrictEqual([])
        yield* pass(200)
        expect(settled).toStrictEqual([3])
        expect([...unclaimed.claim(key("a"))]).toStrictEqual([])
        tell(key("a"))
        expect(settled, "it was absent, but has come since").toStrictEqual([3])
      }),
    ))

  it("waits while others come, one after the other (3)", () =>
    frozen(
      Effect.gen(function* () {
        const { unclaimed, tell, settled } = yield* open
        tell(key("z"))
        for (const id of ["a", "b", "c", "d"]) {
          yield* pass(4_000)
          unclaimed.claim(key(id))
        }
        yield* pass(4_900)
        expect(settled).toStrictEqual([])
        yield* pass(200)
        expect(settled).toStrictEqual([1])
      }),
    ))

  it("waits while the system starts, and is left to be given back while it stops (3, 11)", () =>
    frozen(
      Effect.gen(function* () {
        const { parts, tell, settled } = yield* open
        parts.starting = true
        tell(key("a"))
        yield* pass(60_000)
        expect(settled).toStrictEqual([])
        parts.starting = false
        yield* pass(5_100)
        expect(settled).toStrictEqual([1])
        tell(key("b"))
        parts.stopping = true
        tell(key("a"))
        yield* pass(60_000)
        expect(settled).toStrictEqual([1])
      }),
    ))

  it("is not answered when its deadline has passed, and is dropped when the link is lost (4, 9)", () =>
    frozen(
      Effect.gen(function* () {
        const { unclaimed, ask, tell, answers, settled } = yield* open
        ask(key("a"), 3_000)
        yield* pass(5_100)
        expect(settled).toStrictEqual([1])
        expect(answers).toStrictEqual([])
        tell(key("b"))
        unclaimed.forget()
        yield* pass(5_100)
        expect(settled).toStrictEqual([1])
      }),
    ))
})

describe("mail that names no actor", () => {
  it("is refused at once, whatever the system does (7)", () =>
    frozen(
      Effect.gen(function* () {
        const { parts, tell, ask, answers, deaths } = yield* open
        parts.starting = true
        tell()
        ask("nobody")
        expect(deaths).toStrictEqual(["shop.tills rejected"])
        expect(answers).toStrictEqual(["Rejected"])
      }),
    ))
})
