// The outbox on a link whose confirms only the test gives (promises 2, 3, 5, 10).

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Link, Outgoing } from "../../src/broker/broker.ts"
import { ConfirmTimedOut, LinkLost, Nacked, type PublishFailure, Unroutable } from "../../src/broker/errors.ts"
import { batchSize, type Destination, type Refusal } from "../../src/messaging/lane.ts"
import { type Limits, Outbox } from "../../src/messaging/outbox.ts"
import { decodeBatch, encodeItem, packedType } from "../../src/wire/batch.ts"
import type { Item } from "../../src/wire/item.ts"
import { itemValue } from "../../src/wire/item-value.ts"
import { isMalformed } from "../../src/wire/malformed.ts"

/** What was published, and the confirms that are still to be given. */
class FakeLink {
  readonly #textsOf: (message: Outgoing) => ReadonlyArray<string>
  readonly published: Array<Outgoing> = []
  readonly unconfirmed: Array<{
    readonly texts: ReadonlyArray<string>
    readonly settle: (f?: PublishFailure) => void
  }> = []

  constructor(read = textsOf) {
    this.#textsOf = read
  }

  readonly link = {
    publish: (message: Outgoing, settled: (failure: PublishFailure | undefined) => void) => {
      this.published.push(message)
      this.unconfirmed.push({ texts: this.#textsOf(message), settle: (failure) => settled(failure) })
    },
  } as unknown as Link

  confirm(failure?: PublishFailure): void {
    for (const { settle } of this.unconfirmed.splice(0)) settle(failure)
  }
}

const textsOf = ({ body }: Outgoing): ReadonlyArray<string> => {
  const { items } = JSON.parse(Buffer.from(body).toString()) as { readonly items: ReadonlyArray<string> }
  return items
}

const idsOf = (message: Outgoing): ReadonlyArray<string> => {
  const batch = decodeBatch({ ...message, headers: {}, body: Buffer.from(message.body) })
  if (isMalformed(batch)) throw new Error(batch.why)
  return batch.items.map((item) => (item.kind === "tell" ? `${item.id} ${JSON.stringify(item.payload)}` : item.kind))
}

const to = (routingKey: string, more: Partial<Destination> = {}): Destination => ({
  exchange: "mail",
  routingKey,
  mandatory: true,
  node: "n",
  replyTo: { name: "inbox" },
  spread: false,
  onNack: "fail",
  ...more,
})

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

const open = (limits?: Limits) => {
  const outbox = new Outbox(limits)
  const settled: Array<readonly [string, Refusal | undefined]> = []
  const push = (text: string, destination = to("a"), wanted?: () => boolean) =>
    outbox.push(outbox.lane(destination), {
      content: JSON.stringify(text),
      persistent: false,
      settled: (failure) => settled.push([text, failure]),
      ...(wanted === undefined ? {} : { wanted }),
    })
  return { outbox, settled, push }
}

const numbered = (count: number) => Array.from({ length: count }, (_, n) => `${n}`)

describe("the outbox", () => {
  it("sends what is pushed in one turn together, in one message for each destination (3)", async () => {
    const { outbox, push } = open()
    const fake = new FakeLink()
    outbox.use(fake.link)
    for (const text of ["1", "2", "3"]) push(text)
    push("4", to("b"))
    expect(fake.published, "nothing leaves within the turn").toHaveLength(0)
    await turn()
    expect(fake.published.map((message) => [message.routingKey, textsOf(message)])).toStrictEqual([
      ["a", ["1", "2", "3"]],
      ["b", ["4"]],
    ])
    push("5")
    await turn()
    expect(fake.published.map(textsOf).at(-1)).toStrictEqual(["5"])
    expect(fake.published[0]).toMatchObject({ exchange: "mail", mandatory: true, replyTo: "inbox", persistent: false })
  })

  it("settles each parcel once, when the broker has taken it or refuses it (3)", async () => {
    const { outbox, push, settled } = open()
    const fake = new FakeLink()
    outbox.use(fake.link)
    push("1")
    push("2")
    await turn()
    expect(settled).toStrictEqual([])
    fake.confirm()
    expect(settled).toStrictEqual([
      ["1", undefined],
      ["2", undefined],
    ])
    const failure = new Unroutable({ exchange: "mail", routingKey: "a" })
    push("3")
    await turn()
    fake.confirm(failure)
    expect(settled.at(-1)).toStrictEqual(["3", failure])
    expect(outbox.size).toBe(0)
  })

  it("keeps everything while there is no link, and sends it in order on the next (3, 5)", async () => {
    const { outbox, push } = open()
    for (const text of numbered(5)) push(text)
    await turn()
    const fake = new FakeLink()
    outbox.use(fake.link)
    await turn()
    expect(fake.published.map(textsOf)).toStrictEqual([numbered(5)])
  })

  it("keeps the order over lost links and late confirms, and settles everything exactly once (3, 5)", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("push", "turn", "confirm one", "lose", "time out"), { maxLength: 60 }),
        async (events) => {
          const { outbox, push, settled } = open()
          let fake = new FakeLink()
          outbox.use(fake.link)
          const stored: Array<string> = []
          let next = 0
          for (const event of events) {
            if (event === "push") push(`${next++}`)
            else if (event === "turn") await turn()
            else if (event === "confirm one") {
              const first = fake.unconfirmed.shift()
              stored.push(...(first?.texts ?? []))
              first?.settle()
            } else if (event === "lose") {
              outbox.use(undefined)
              fake.confirm(new LinkLost({ why: "cut" }))
              fake = new FakeLink()
              outbox.use(fake.link)
            } else {
              // Everything that is on its way times out together, as it does when the broker says nothing.
              fake.confirm(new ConfirmTimedOut({ after: 1 }))
            }
          }
          for (let round = 0; outbox.size > 0; round++) {
            expect(round).toBeLessThan(10)
            await turn()
            for (const { texts, settle } of fake.unconfirmed.splice(0)) {
              stored.push(...texts)
              settle()
            }
          }
          const all = numbered(next)
          expect(stored).toStrictEqual(all)
          expect(settled).toStrictEqual(all.map((text) => [text, undefined]))
        },
      ),
      { numRuns: 100 },
    ))

  it("drops what nobody wants any more when it would be sent, and not before (4)", async () => {
    const { outbox, push, settled } = open()
    let wanted = true
    push("1", to("a"), () => wanted)
    push("2")
    wanted = false
    const fake = new FakeLink()
    outbox.use(fake.link)
    await turn()
    expect(fake.published.map(textsOf)).toStrictEqual([["2"]])
    fake.confirm()
    expect(settled).toStrictEqual([["2", undefined]])
    expect(outbox.size).toBe(0)
  })

  it("refuses what is beyond its bounds, in items and in bytes, until something is settled (10)", async () => {
    const { outbox, push } = open({ items: 3, bytes: 20 })
    const fake = new FakeLink()
    outbox.use(fake.link)
    expect(["1", "2", "3", "4"].map((text) => push(text))).toStrictEqual([true, true, true, false])
    await turn()
    expect(push("5")).toBe(false)
    fake.confirm()
    expect(push("x".repeat(19))).toBe(false)
    expect(push("é".repeat(9))).toBe(true)
    expect(push("6")).toBe(false)
    await turn()
    fake.confirm()
    expect(push("7")).toBe(true)
  })

  it("fails what a full queue nacks, but offers again what must not get lost (2, 10)", async () => {
    const { outbox, push, settled } = open()
    const fake = new FakeLink()
    outbox.use(fake.link)
    const nacked = new Nacked({ exchange: "mail", routingKey: "a" })
    push("mail")
    await turn()
    fake.confirm(nacked)
    expect(settled).toStrictEqual([["mail", nacked]])
    push("dead", to("dead", { onNack: "retry" }))
    await turn()
    fake.confirm(nacked)
    expect(settled).toHaveLength(1)
    await expect.poll(() => fake.unconfirmed.length, { interval: 5 }).toBe(1)
    fake.confirm()
    expect(settled.at(-1)).toStrictEqual(["dead", undefined])
  })

  it("sends a batch persistently when one of its items is to be", async () => {
    const { outbox, push } = open()
    const fake = new FakeLink()
    outbox.use(fake.link)
    push("1")
    outbox.push(outbox.lane(to("a")), { content: '"2"', persistent: true, settled: () => {} })
    await turn()
    expect(fake.published).toMatchObject([{ persistent: true }])
  })

  it("sends a whole message on its own, at its place in the order (5)", async () => {
    const { outbox, push } = open()
    const fake = new FakeLink()
    outbox.use(fake.link)
    push("1")
    outbox.push(outbox.lane(to("a")), {
      content: { contentType: "text/plain", body: Buffer.from('{"items":["whole"]}') },
      persistent: true,
      settled: () => {},
    })
    push("2")
    await turn()
    expect(fake.published.map(textsOf)).toStrictEqual([["1"], ["whole"], ["2"]])
    expect(fake.published[1]).toMatchObject({ contentType: "text/plain", exchange: "mail", routingKey: "a" })
  })

  it("keeps items in MessagePack and in JSON in one order, also over a lost link (5)", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom("json", "packed", "turn", "lose")), async (events) => {
        const { outbox } = open()
        let fake = new FakeLink(idsOf)
        outbox.use(fake.link)
        const lane = outbox.lane(to("a"))
        const arrived: Array<unknown> = []
        const arrive = (failure?: PublishFailure) => {
          if (failure === undefined) arrived.push(...fake.unconfirmed.flatMap(({ texts }) => texts))
          fake.confirm(failure)
        }
        const pushed: Array<string> = []
        for (const event of events) {
          if (event === "turn") {
            await turn()
            arrive()
          } else if (event === "lose") {
            await turn()
            arrive(new LinkLost({ why: "cut" }))
            fake = new FakeLink(idsOf)
            outbox.use(fake.link)
          } else {
            const id = pushed.length
            const item: Item = { kind: "tell", node: "n", id, name: "m", payload: { [event]: id } }
            pushed.push(`${id} ${JSON.stringify(item.payload)}`)
            const content = event === "json" ? encodeItem(item) : itemValue(item)!
            outbox.push(lane, { content, persistent: false, settled: () => {} })
          }
        }
        while (outbox.size > 0) {
          await turn()
          arrive()
        }
        expect(arrived).toStrictEqual(pushed)
      }),
    ))

  it("says when nothing is unsettled any more (11)", async () => {
    const { outbox, push } = open()
    const idle: Array<number> = []
    outbox.whenIdle(() => idle.push(1))
    expect(idle).toStrictEqual([1])
    const fake = new FakeLink()
    outbox.use(fake.link)
    push("1")
    outbox.whenIdle(() => idle.push(2))
    await turn()
    expect(idle).toStrictEqual([1])
    fake.confirm()
    expect(idle).toStrictEqual([1, 2])
  })
})

describe("a batch", () => {
  const sizes = async (count: number, text: string, destination: Destination, service?: number) => {
    const { outbox, push } = open()
    const fake = new FakeLink()
    outbox.use(fake.link)
    push(text, destination)
    if (service !== undefined) outbox.lane(destination).observe(service)
    for (let n = 1; n < count; n++) push(text, destination)
    await turn()
    return fake.published.map((message) => textsOf(message).length)
  }

  it("holds 512 items at most", async () => {
    expect(await sizes(1_100, "x", to("a"))).toStrictEqual([512, 512, 76])
  })

  it("stays below the frame size of the broker, unless one item alone is larger", async () => {
    const ten = await sizes(10, "x".repeat(30_000), to("a"))
    expect(ten).toStrictEqual([3, 3, 3, 1])
    expect(await sizes(2, "x".repeat(200_000), to("a"))).toStrictEqual([1, 1])
  })

  it("in MessagePack stays below it, too, whatever sizes its items have", async () => {
    const { outbox } = open()
    const fake = new FakeLink(idsOf)
    outbox.use(fake.link)
    const sizes = [10, 10, 90_000, 10, 40_000, 40_000, 40_000, 300_000, 10]
    for (const [id, size] of sizes.entries()) {
      const content = itemValue({ kind: "tell", node: "n", id, name: "m", payload: ["x".repeat(size)] })!
      outbox.push(outbox.lane(to("a")), { content, persistent: false, settled: () => {} })
    }
    await turn()
    expect(fake.published.map((message) => idsOf(message).length)).toStrictEqual([4, 2, 1, 1, 1])
    for (const { contentType } of fake.published) expect(contentType).toBe(packedType)
  })

  it("for a shared clique holds no more than 5 ms of work, 64 items while that is not known (6.)", async () => {
    const shared = to("a", { spread: true })
    expect(await sizes(130, "x", shared)).toStrictEqual([64, 64, 2])
    expect(await sizes(5, "x", shared, 2)).toStrictEqual([2, 2, 1])
    expect(await sizes(3, "x", shared, 50)).toStrictEqual([1, 1, 1])
    expect(await sizes(600, "x", shared, 0)).toStrictEqual([512, 88])
  })

  it("is sized by what was learnt of its destination; of idle ones the 10,000 used last are remembered (10)", async () => {
    const { outbox, push } = open()
    const fake = new FakeLink()
    outbox.use(fake.link)
    const shared = (n: number) => to(`${n}`, { spread: true })
    /** How five items for this destination are sent. */
    const sizesFor = async (n: number) => {
      const before = fake.published.length
      for (const text of numbered(5)) push(text, shared(n))
      await turn()
      fake.confirm()
      return fake.published.slice(before).map((message) => textsOf(message).length)
    }
    const learn = async (from: number, until: number) => {
      for (let n = from; n < until; n++) {
        push("x", shared(n))
        outbox.lane(shared(n)).observe(50)
      }
      await turn()
      fake.confirm()
    }
    const [one, other, slow, unknown] = [0, 1, [1, 1, 1, 1, 1], [5]]
    await learn(0, 10_000)
    expect(await sizesFor(one), "remembered, and now the one that was used last").toStrictEqual(slow)
    await learn(10_000, 10_001)
    expect(await sizesFor(one)).toStrictEqual(slow)
    expect(await sizesFor(other), "the one used longest ago is forgotten").toStrictEqual(unknown)
  })

  it("is of a size from 1 to 512, and never of more than 5 ms of work if it has more than one item", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.0001, max: 10_000, noNaN: true }), (service) => {
        const size = batchSize(service)
        expect(size).toBeGreaterThanOrEqual(1)
        expect(size).toBeLessThanOrEqual(512)
        if (size > 1) expect(size * service).toBeLessThanOrEqual(5)
      }),
    )
  })
})
