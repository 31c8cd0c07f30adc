// Asks that are sent once more because their inbox is another one (promises 4, 5).

import { Clock, Effect } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Link, Outgoing } from "../../src/broker/broker.ts"
import { LinkLost, type PublishFailure, Unroutable } from "../../src/broker/errors.ts"
import { Deadlines } from "../../src/messaging/deadlines.ts"
import type { Destination, Parcel, Refusal } from "../../src/messaging/lane.ts"
import type { Node } from "../../src/messaging/node.ts"
import { Outbox } from "../../src/messaging/outbox.ts"
import { OpenAsk, PendingAsks } from "../../src/messaging/pending.ts"
import { Repeat, repeatAsks } from "../../src/messaging/repeat.ts"

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const inOrder = (a: number, b: number) => a - b
const value = { tag: "value", value: 0 } as const

/** Asks of one node to one mailbox, on links whose confirms only the test gives. */
const open = () => {
  const outbox = new Outbox()
  const pending = new PendingAsks(new Deadlines(Effect.runSync(Clock.clockWith(Effect.succeed))))
  const inbox = { name: "inbox.1" }
  const to: Destination = {
    exchange: "mail",
    routingKey: "a",
    mandatory: true,
    node: "n",
    replyTo: inbox,
    spread: true,
    onNack: "fail",
  }
  const settled: Array<readonly [number, Refusal | undefined]> = []
  class Ask extends OpenAsk implements Parcel {
    readonly id: number
    readonly content: string
    readonly persistent = false
    order = 0
    constructor(id: number) {
      super()
      this.id = id
      this.content = `${id}`
    }
    wanted = () => pending.has(this.id)
    settled = (refusal: Refusal | undefined) => void settled.push([this.id, refusal])
    settle(): void {}
    learn(): void {}
    expire(): void {}
    override repeat(): void {
      outbox.again(outbox.lane(to), new Repeat(this, pending))
    }
  }
  let asks = 0
  const ask = () => {
    const next = new Ask(++asks)
    pending.add(next, Number.MAX_SAFE_INTEGER)
    outbox.push(outbox.lane(to), next)
  }
  let generation = 1
  const move = () => {
    inbox.name = `inbox.${++generation}`
    repeatAsks({ outbox, pending } as unknown as Node)
  }
  const published: Array<{ readonly replyTo: string | undefined; readonly ids: ReadonlyArray<number> }> = []
  let unconfirmed: Array<(failure?: PublishFailure) => void> = []
  const connect = () => {
    const link = {
      publish: ({ replyTo, body }: Outgoing, done: (failure: PublishFailure | undefined) => void) => {
        const { items } = JSON.parse(Buffer.from(body).toString()) as { readonly items: ReadonlyArray<number> }
        published.push({ replyTo, ids: items })
        unconfirmed.push((failure) => done(failure))
      },
    }
    outbox.use(link as unknown as Link)
  }
  const confirm = (failure?: PublishFailure) => {
    const all = unconfirmed
    unconfirmed = []
    for (const settle of all) settle(failure)
  }
  const lose = () => {
    outbox.use(undefined)
    confirm(new LinkLost({ why: "cut" }))
  }
  connect()
  return { outbox, pending, inbox, settled, ask, move, published, connect, confirm, lose, asks: () => asks }
}

describe("asks whose inbox is another one now", () => {
  it("go again with its name, in their order; what waits still goes once, and what has ended does not (4)(5)", async () => {
    const { pending, ask, move, published, connect, confirm, lose } = open()
    for (let n = 0; n < 3; n++) ask()
    await turn()
    confirm()
    pending.end(2, value)
    lose()
    ask()
    move()
    connect()
    await turn()
    expect(published).toStrictEqual([
      { replyTo: "inbox.1", ids: [1, 2, 3] },
      { replyTo: "inbox.2", ids: [1, 3, 4] },
    ])
  })

  it("go again also while the first is not confirmed; that the second is refused says nothing of the first (4)", async () => {
    const { outbox, pending, settled, ask, move, published, confirm } = open()
    ask()
    await turn()
    move()
    await turn()
    expect(published.map(({ replyTo }) => replyTo)).toStrictEqual(["inbox.1", "inbox.2"])
    expect(outbox.size).toBe(2)
    confirm()
    expect(settled).toStrictEqual([[1, undefined]])
    move()
    await turn()
    confirm(new Unroutable({ exchange: "mail", routingKey: "a" }))
    expect(settled).toStrictEqual([[1, undefined]])
    expect([outbox.size, pending.has(1)]).toStrictEqual([0, true])
  })

  it("are settled once each, and arrive in order with the last name, whatever happens in between (4)(5)", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("ask", "turn", "confirm", "lose", "connect", "move", "end"), { maxLength: 60 }),
        async (events) => {
          const { outbox, pending, inbox, settled, published, asks, ...act } = open()
          for (const event of events) {
            if (event === "turn") await turn()
            else if (event === "end") pending.end(pending.all[0]?.id ?? 0, value)
            else if (event === "connect") {
              act.lose()
              act.connect()
            } else act[event]()
          }
          act.lose()
          act.move()
          act.connect()
          const before = published.length
          await turn()
          const last = published.slice(before)
          expect(last.every(({ replyTo }) => replyTo === inbox.name)).toBe(true)
          const ids = last.flatMap((message) => message.ids)
          expect(ids).toStrictEqual([...ids].sort(inOrder))
          expect(new Set(ids)).toStrictEqual(new Set(pending.all.map(({ id }) => id).sort(inOrder)))
          act.confirm()
          expect(outbox.size).toBe(0)
          const told = settled.map(([id]) => id)
          expect(new Set(told).size).toBe(told.length)
          for (const { id } of pending.all) expect(told).toContain(id)
        },
      ),
    ))
})
