// The embedded queue as data: order, counts, limits and expiry, over random histories against a plain model.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { QueueSpec } from "../../src/broker/broker.ts"
import { store } from "../../src/broker/embedded/message.ts"
import { type Entry, Queue } from "../../src/broker/embedded/queue.ts"
import { Roster, type Seat } from "../../src/broker/embedded/roster.ts"

const message = (id: number, expiration?: number) =>
  store({
    exchange: "",
    routingKey: "q",
    body: Buffer.alloc(0),
    messageId: String(id),
    ...(expiration !== undefined && { expiration }),
  })

const idOf = (entry: Entry | undefined): number | undefined =>
  entry === undefined ? undefined : Number(entry.message.properties.messageId)

type Step = { readonly do: "enqueue" | "take" | "ack" | "return"; readonly pick: number }
const steps: fc.Arbitrary<ReadonlyArray<Step>> = fc.array(
  fc.record({
    do: fc.constantFrom("enqueue", "enqueue", "take", "take", "ack", "return"),
    pick: fc.nat({ max: 1000 }),
  }) as fc.Arbitrary<Step>,
  { maxLength: 80 },
)

describe.each(["quorum", "classic"] as const)("a %s queue", (type) => {
  const spec: QueueSpec = { name: "q", type, deliveryLimit: 2 }

  it("hands out in the order of the model, whatever is taken, acked and given back (Q1, Q3)", () => {
    fc.assert(
      fc.property(steps, (steps) => {
        const queue = new Queue(spec)
        let ready: Array<number> = []
        const returned: Array<number> = []
        const hand: Array<Entry> = []
        const returns = new Map<number, number>()
        let next = 0
        for (const step of steps) {
          if (step.do === "enqueue") {
            ready.push(next)
            queue.enqueue(message(next++), 0)
          } else if (step.do === "take") {
            const expected = returned.shift() ?? ready.shift()
            const entry = queue.take()
            expect(idOf(entry)).toBe(expected)
            if (entry !== undefined) {
              expect(entry.redelivered).toBe(returns.has(expected!))
              expect(entry.returns).toBe(type === "quorum" ? (returns.get(expected!) ?? 0) : 0)
              hand.push(entry)
            }
          } else if (hand.length > 0) {
            const entry = hand.splice(step.pick % hand.length, 1)[0]!
            if (step.do === "ack") queue.settle()
            else {
              const id = idOf(entry)!
              const count = (returns.get(id) ?? 0) + 1
              returns.set(id, count)
              const lives = queue.giveBack(entry)
              expect(lives).toBe(type === "classic" || count <= 2)
              if (lives) returned.push(id)
              if (type === "classic") returned.sort((a, b) => a - b)
            }
          }
          expect(queue.ready).toBe(ready.length + returned.length)
          expect(queue.unacked).toBe(hand.length)
        }
        expect(queue.purge()).toBe(ready.length + returned.length)
        expect(queue.unacked).toBe(hand.length)
        ready = []
      }),
      { numRuns: 2000 },
    )
  })

  it("takes 100,000 messages through without slowing down", () => {
    const queue = new Queue(spec)
    const one = message(0)
    for (let i = 0; i < 100_000; i++) queue.enqueue(one, 0)
    const started = performance.now()
    let taken = 0
    while (queue.take() !== undefined) taken++
    expect(taken).toBe(100_000)
    // A queue that shifts an array needs seconds for this.
    expect(performance.now() - started).toBeLessThan(1000)
  })

  it("lets a message expire only once it is the head (Q2)", () => {
    const queue = new Queue(spec)
    queue.enqueue(message(1), 0)
    queue.enqueue(message(2, 10), 0)
    expect(queue.expire(1000)).toBeUndefined()
    expect(idOf(queue.take())).toBe(1)
    expect(queue.expire(10)).toBeUndefined()
    expect(idOf(queue.expire(11))).toBe(2)
    expect(queue.ready).toBe(0)
  })

  it("lets a message that is given back expire", () => {
    const queue = new Queue(spec)
    queue.enqueue(message(1, 10), 0)
    const entry = queue.take()!
    expect(queue.expire(1000)).toBeUndefined()
    queue.giveBack(entry)
    expect(idOf(queue.expire(1000))).toBe(1)
  })
})

describe("maxLength 5 (Q4)", () => {
  /** What RabbitMQ 3.10.8 answered to 9 publishes, then to fetch-and-publish six times. */
  const trace = (type: QueueSpec["type"]): string => {
    const queue = new Queue({ name: "q", type, maxLength: 5 })
    const said: Array<string> = []
    const publish = () => {
      if (queue.full) return said.push("no")
      queue.enqueue(message(0), 0)
      queue.weigh()
      return said.push("ok")
    }
    for (let i = 0; i < 9; i++) publish()
    for (let i = 0; i < 6; i++) {
      queue.take()
      queue.settle()
      queue.weigh()
      said.push(String(queue.ready))
      publish()
    }
    return said.join(" ")
  }

  it("is exact in a classic queue", () => {
    expect(trace("classic")).toBe("ok ok ok ok ok no no no no 4 ok 4 ok 4 ok 4 ok 4 ok 4 ok")
  })

  it("is noticed one late in a quorum queue, which then waits until a fifth is free", () => {
    expect(trace("quorum")).toBe("ok ok ok ok ok ok no no no 5 no 4 ok 4 ok 4 ok 4 ok 4 ok")
  })
})

class Guest implements Seat {
  waiting = false
  left = false
  held = 0
  readonly name: string
  readonly prefetch: number
  constructor(name: string, prefetch: number) {
    this.name = name
    this.prefetch = prefetch
  }
  get hasRoom(): boolean {
    return this.held < this.prefetch
  }
}

const serve = (roster: Roster<Guest>): string | undefined => {
  const guest = roster.next()
  if (guest === undefined) return undefined
  guest.held++
  roster.ready(guest)
  return guest.name
}

describe("a roster", () => {
  it("takes turns among those with room (T1), as RabbitMQ did", () => {
    const roster = new Roster<Guest>(false)
    const [a, b, c] = [new Guest("a", 2), new Guest("b", 3), new Guest("c", 1)]
    for (const guest of [a, b, c]) roster.join(guest)
    expect(Array.from({ length: 7 }, () => serve(roster))).toEqual(["a", "b", "c", "a", "b", "b", undefined])
    b.held--
    roster.ready(b)
    a.held--
    roster.ready(a)
    roster.leave(a)
    expect([serve(roster), serve(roster)]).toEqual(["b", undefined])
  })

  it("never serves one that is full or gone, and nobody is forgotten", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ do: fc.constantFrom("join", "leave", "serve", "settle"), pick: fc.nat(100) })),
        (steps) => {
          const roster = new Roster<Guest>(false)
          const guests: Array<Guest> = []
          for (const [index, step] of steps.entries()) {
            const guest = guests[step.pick % guests.length]
            if (step.do === "join") {
              const fresh = new Guest(String(index), 1 + (step.pick % 3))
              guests.push(fresh)
              roster.join(fresh)
            } else if (step.do === "leave" && guest !== undefined) {
              roster.leave(guest)
              guests.splice(guests.indexOf(guest), 1)
            } else if (step.do === "settle" && guest !== undefined && guest.held > 0) {
              guest.held--
              roster.ready(guest)
            } else if (step.do === "serve") {
              const someoneHasRoom = guests.some((each) => each.hasRoom)
              const next = roster.next()
              expect(next !== undefined).toBe(someoneHasRoom)
              if (next === undefined) continue
              expect(next.left).toBe(false)
              expect(next.hasRoom).toBe(true)
              next.held++
              roster.ready(next)
            }
          }
        },
      ),
      { numRuns: 1000 },
    )
  })

  it("serves only the first to come with a single active consumer, until it leaves (T2)", () => {
    const roster = new Roster<Guest>(true)
    const [a, b, c] = [new Guest("a", 1), new Guest("b", 2), new Guest("c", 1)]
    for (const guest of [a, b, c]) roster.join(guest)
    expect([serve(roster), serve(roster)]).toEqual(["a", undefined])
    roster.leave(b)
    roster.join(b)
    roster.leave(a)
    expect([serve(roster), serve(roster)]).toEqual(["c", undefined])
    roster.leave(c)
    expect([serve(roster), serve(roster), serve(roster)]).toEqual(["b", "b", undefined])
  })
})
