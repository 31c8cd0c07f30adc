// Sessions on two nodes over the embedded broker, on a clock that only the test moves: what is waited for, and how long.

import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import type { Node } from "../../src/messaging/node.ts"
import { Route } from "../../src/messaging/route.ts"
import type { Session, User } from "../../src/streams/session.ts"
import { Sessions } from "../../src/streams/sessions.ts"
import { encodeBatch } from "../../src/wire/batch.ts"
import { encodeFrame, type Frame, frameHead } from "../../src/wire/frame.ts"
import type { AskItem, Outcome } from "../../src/wire/item.ts"
import { frozen, until } from "./embedded-fixture.ts"
import { elapse, makeWorld } from "./presence-world.ts"

interface Told {
  readonly items: Array<unknown>
  readonly outcomes: Array<Outcome>
}
const listener = () => {
  const told: Told = { items: [], outcomes: [] }
  const user = (): User => ({
    items: (items) => void told.items.push(...items),
    complete: () => {},
    room: () => {},
    unwanted: () => {},
    over: (outcome) => void told.outcomes.push(outcome),
  })
  return { told, user }
}

/** Two nodes with a stream of replies between them. */
const talk = Effect.gen(function* () {
  const world = yield* makeWorld
  const [a, b] = [yield* world.join("caller"), yield* world.join("callee")]
  const [caller, callee] = [new Sessions(a.node), new Sessions(b.node)]
  yield* Effect.forkScoped(Effect.andThen(caller.run, Effect.never))
  yield* Effect.forkScoped(Effect.andThen(callee.run, Effect.never))
  const near = listener()
  const far = listener()
  const shape = { up: false, down: true }
  // Nobody serves the mailbox: the ask that the callee takes on is made by hand.
  const to = new Route(a.node, { domain: "acme", type: "far", id: "1", major: 1 })
  yield* Effect.orDie(
    b.node.connection
      .link!.declareQueue({ name: "far", type: "classic" })
      .pipe(
        Effect.andThen(b.node.connection.link!.bind({ queue: "far", exchange: b.node.names.mail, routingKey: to.key })),
      ),
  )
  const call = { to, name: "x", payload: 1, timeout: 100_000, headers: undefined, parent: undefined, sender: undefined }
  const here = caller.open(call, shape, near.user)
  const ask: AskItem = {
    kind: "ask",
    node: a.node.id,
    id: here.id,
    name: "x",
    payload: 1,
    deadline: 0,
    replyTo: a.node.inbox,
    opening: { up: false, credit: { items: 100, bytes: 10_000 } },
  }
  const there = callee.accept(ask, shape, far.user, undefined, () => {})
  yield* until("it is open", () => !here.isOpening)
  const offer = (...texts: ReadonlyArray<string>) => {
    for (const text of texts) there.offer(text)
  }
  return { ...world, a, b, caller, callee, here, there, near: near.told, far: far.told, offer }
})

/** Writes to an inbox behind the back of whoever should. */
const forge = (
  from: { readonly node: Node; readonly session: Session },
  to: Session,
  inbox: string,
  number: number,
) => {
  const text = encodeFrame(frameHead(to.id, from.session.id, from.node.inbox), {
    says: "items",
    number,
    items: ["9"],
    bytes: 1,
  })
  return { ...encodeBatch({ node: from.node.id, messageId: "m" }, [text]), exchange: "", routingKey: inbox }
}

const reasonOf = ({ outcomes }: Told) =>
  outcomes.map((outcome) => (outcome.tag === "failed" ? outcome.reason : outcome))

describe("a session", () => {
  it("waits 10 s for what is missing, and ends at both ends if it does not come", () =>
    frozen(
      Effect.gen(function* () {
        const { a, b, here, there, near, far, offer } = yield* talk
        offer("1")
        yield* until("it has come", () => near.items.length === 1)
        // Number 4 before number 3.
        b.node.connection.link!.publish(forge({ node: b.node, session: there }, here, a.node.inbox, 4), () => {})
        yield* elapse(9_000)
        expect(near).toMatchObject({ items: [1], outcomes: [] })
        yield* elapse(1_200)
        expect(reasonOf(near)).toMatchObject([{ _tag: "Disconnected", why: "part of the stream was lost on the way" }])
        expect(reasonOf(far)).toMatchObject([{ _tag: "Disconnected" }])
        expect(near.items).toStrictEqual([1])
      }),
    ))

  it("goes on when what was missing comes late, and takes nothing twice", () =>
    frozen(
      Effect.gen(function* () {
        const { a, b, here, there, near, offer } = yield* talk
        const publish = (number: number) =>
          b.node.connection.link!.publish(forge({ node: b.node, session: there }, here, a.node.inbox, number), () => {})
        offer("1")
        yield* until("it has come", () => near.items.length === 1)
        publish(4)
        yield* elapse(5_000)
        publish(3)
        publish(4)
        yield* until("both have come", () => near.items.length === 3)
        yield* elapse(11_000)
        expect(near).toStrictEqual({ items: [1, 9, 9], outcomes: [] })
      }),
    ))

  it("asks a far end that is silent whether it is there, and lives while it answers", () =>
    frozen(
      Effect.gen(function* () {
        const { near, far, offer } = yield* talk
        yield* elapse(300_000)
        expect([near.outcomes, far.outcomes]).toStrictEqual([[], []])
        offer("1")
        yield* until("it still works", () => near.items.length === 1)
      }),
    ))

  it("ends within a minute when the far end answers no more, though its node lives", () =>
    frozen(
      Effect.gen(function* () {
        const { b, near } = yield* talk
        b.node.onFrame = () => {}
        yield* elapse(61_000)
        expect(reasonOf(near)).toMatchObject([
          { _tag: "Disconnected", why: "the far end of the stream does not answer", sent: true },
        ])
      }),
    ))

  it("ends when its far end has forgotten it", () =>
    frozen(
      Effect.gen(function* () {
        const { b, near } = yield* talk
        new Sessions(b.node) // knows nothing
        yield* elapse(61_000)
        expect(reasonOf(near)).toMatchObject([{ _tag: "Disconnected", why: "the far end of the stream is gone" }])
      }),
    ))

  it("outlives its link for a minute, and no longer", () =>
    frozen(
      Effect.gen(function* () {
        const { cut, near } = yield* talk
        yield* cut("caller")
        yield* elapse(59_000)
        expect(near.outcomes).toStrictEqual([])
        yield* elapse(1_500)
        expect(reasonOf(near)).toMatchObject([
          { _tag: "Disconnected", why: "there was no link to the broker for 60 s", sent: true },
        ])
      }),
    ))

  it("ends when the node at its far end is gone, at that end as well when it is back", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, cut, near, far } = yield* talk
        yield* elapse(1_000)
        yield* cut("callee")
        yield* elapse(10_000)
        expect(reasonOf(near)).toMatchObject([
          { why: "the node at the far end of the stream is gone: it is not heard of any more" },
        ])
        expect(far.outcomes).toStrictEqual([])
        broker.faults.allow()
        yield* elapse(500)
        expect(reasonOf(far)).toMatchObject([{ _tag: "Disconnected" }])
      }),
    ))

  it("that has ended well is known for a while: a far end that has not read all yet is not told that it is gone", () =>
    frozen(
      Effect.gen(function* () {
        const { a, b, caller, callee, here, there, near, offer } = yield* talk
        const read = a.node.onFrame
        const unread: Array<Frame> = []
        a.node.onFrame = (frame) => void unread.push(frame)
        offer("1", "2")
        there.finish({ tag: "value", value: undefined })
        expect(callee.size).toBe(0)
        // As after a reconnect: the answer to what the caller asks overtakes what was sent before.
        const said = { says: "sent", number: 0, answer: true } as const
        b.node.onFrame({ kind: "frame", node: a.node.id, to: there.id, from: here.id, inbox: a.node.inbox, said })
        yield* until("it is answered", () => unread.length === 3)
        for (const frame of unread.reverse()) read(frame)
        expect(near).toStrictEqual({ items: [1, 2], outcomes: [{ tag: "value", value: undefined }] })
        expect(caller.size).toBe(0)
      }),
    ))

  it("whose last frame the broker refuses is told so, though it has ended", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, there, near } = yield* talk
        broker.faults.nack(1)
        there.finish({ tag: "value", value: undefined })
        yield* until("it is over", () => near.outcomes.length === 1)
        expect(reasonOf(near)).toMatchObject([{ _tag: "Disconnected" }])
      }),
    ))
})
