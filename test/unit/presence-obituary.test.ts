// What nodes make of it when the broker itself tells that a connection has ended.

import { Clock, Deferred, Effect } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Link, QueueState } from "../../src/broker/broker.ts"
import { type BrokerError, NotFound, Refused } from "../../src/broker/errors.ts"
import type { Node } from "../../src/messaging/node.ts"
import { elapsed } from "../../src/presence/alarm.ts"
import { Coroner } from "../../src/presence/coroner.ts"
import { changeFor } from "../../src/presence/listed.ts"
import { conclude, cutOff, endedKey, endedLink, eventExchange, grace, isCutOff } from "../../src/presence/obituary.ts"
import { apply, due, emptyView, judge, list, restart, type Step, type View } from "../../src/presence/view.ts"
import { connect, frozen, settle, until } from "./embedded-fixture.ts"
import { aBeat, aMember } from "./presence-fixture.ts"
import { elapse, interval, makeWorldOf, passing, watching } from "./presence-world.ts"

const self = "me"
const members = [aMember({ handling: [{ message: "crunch", since: 1_699_999_999_000 }] })]
const onLink = (link: string, more: object = {}) => aBeat({ link, inbox: "inbox.n1", members, ...more })
const event = (name: unknown, more: object = {}) => ({
  exchange: eventExchange,
  routingKey: endedKey,
  headers: { user_provided_name: name },
  ...more,
})
const told = ({ transitions }: Step) =>
  transitions.flatMap((each) => changeFor({}, each) ?? []).map((change) => [change.kind, "why" in change && change.why])

describe("an event of the broker", () => {
  it("names the link in the name that its connection was given (O1)", () => {
    expect(endedLink(event("warren consuming l-1"))).toBe("l-1")
    expect(endedLink(event("my shop, till 7 publishing l-1"))).toBe("l-1")
    expect(endedLink(event("alone"))).toBe("alone")
    const amqp10 = { headers: { "x-opt-user-provided-name": "warren consuming l-1" } }
    expect(endedLink({ ...event(""), ...amqp10 })).toBe("l-1")
  })

  it("is none when it is about something else, came another way, or is a dead letter (O3)", () => {
    const name = "warren consuming l-1"
    expect(endedLink(event(name, { routingKey: "connection.created" }))).toBeUndefined()
    expect(endedLink(event(name, { exchange: "forged" }))).toBeUndefined()
    expect(endedLink(event(name, { headers: {} }))).toBeUndefined()
    const dead = { user_provided_name: name, "x-death": [{ queue: "mine" }] }
    expect(endedLink(event(name, { headers: dead }))).toBeUndefined()
  })

  it("of whatever content throws nothing, and concerns nobody who was not heard on that link (O1)", () => {
    const view = apply(emptyView(self), onLink("l-1"), 0).view
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom("user_provided_name", "name", "pid"), fc.anything()), (headers) => {
        const link = endedLink(event("", { headers }))
        expect(link === undefined || cutOff(view, link, 1).view === view).toBe(true)
      }),
    )
  })
})

describe("a node whose link has ended", () => {
  const seen = (...beats: ReadonlyArray<ReturnType<typeof aBeat>>): View =>
    beats.reduce((view, beat) => apply(view, beat, 0).view, emptyView(self))

  it("is suspect at once, once, and says what it was at (O2)", () => {
    const step = cutOff(seen(onLink("l-1")), "l-1", 340)
    expect(step.node).toBe("n1")
    const why = "the broker saw its connection end 0 ms ago; it was handling `crunch` in acme/worker/1 for 1.0 s then"
    expect(told(step)).toStrictEqual([["suspect", why]])
    expect(list(step.view, {}, 1_340)[0]).toMatchObject({ health: "suspect", why: why.replace("0 ms", "1.0 s") })
    expect(cutOff(step.view, "l-1", 341)).toStrictEqual({ view: step.view, transitions: [] })
  })

  it("is not the observer, nor one that has come back on another link, nor one that has gone (O1)", () => {
    const own = seen(onLink("l-1", { node: self }))
    expect(cutOff(own, "l-1", 1).view).toBe(own)
    const back = seen(onLink("l-1"), onLink("l-2", { seq: 2 }))
    expect(cutOff(back, "l-1", 1).view).toBe(back)
    const gone = seen(onLink("l-1"), onLink("l-1", { seq: 2, bye: true }))
    expect(cutOff(gone, "l-1", 1).view).toBe(gone)
  })

  it("is taken back by a beat on another link, not by one that was on its way (V5)", () => {
    const { view } = cutOff(seen(onLink("l-1")), "l-1", 100)
    const late = apply(view, onLink("l-1", { seq: 2 }), 103)
    expect(told(late)).toStrictEqual([])
    expect(isCutOff(late.view, "n1", 100)).toBe(true)
    const back = apply(late.view, onLink("l-2", { seq: 3 }), 400)
    expect(told(back)).toStrictEqual([["changed", false]])
    expect(isCutOff(back.view, "n1", 100)).toBe(false)
    expect(list(back.view, {}, 400)[0]).toMatchObject({ health: "alive" })
  })

  it("is what the broker shows when it is asked; where that says nothing, its beats decide (O2)", () => {
    const { view } = cutOff(seen(onLink("l-1")), "l-1", 100)
    const dead = conclude(view, "n1", 100 + grace, "has none")
    expect(told(dead)).toStrictEqual([
      ["left", expect.stringMatching(/^the broker saw its connection end 2\.0 s ago; /)],
    ])
    expect(told(apply(dead.view, onLink("l-2", { seq: 2 }), 9_000))).toStrictEqual([["joined", false]])
    expect(told(conclude(view, "n1", 100 + grace, "has a link"))).toStrictEqual([["changed", false]])
    const unsure = conclude(view, "n1", 100 + grace, "unknown")
    expect(told(unsure)).toStrictEqual([])
    expect(list(unsure.view, {}, 2_100)[0]).toMatchObject({ health: "suspect", why: expect.stringMatching(/^no beat/) })
    expect(due(unsure.view)).toBe(1.7 * interval)
    expect(told(apply(unsure.view, onLink("l-1", { seq: 2 }), 2_200))).toStrictEqual([["changed", false]])
  })

  it("is dead by its silence when that comes first (O2)", () => {
    const { view } = cutOff(seen(onLink("l-1", { interval: 500 })), "l-1", 100)
    expect(due(view)).toBe(850)
    const why = expect.stringMatching(/^no beat for 850 ms/)
    expect(told(judge(view, 850))).toStrictEqual([["left", why]])
  })

  it("is judged by its silence alone once the observer has had another link (W3)", () => {
    const view = restart(cutOff(seen(onLink("l-1")), "l-1", 100).view, 1_000)
    expect(isCutOff(view, "n1", 100)).toBe(false)
    expect(list(view, {}, 1_000)[0]).toMatchObject({ health: "suspect" })
    expect(told(apply(view, onLink("l-1", { seq: 2 }), 1_050))).toStrictEqual([["changed", false]])
  })
})

describe("where the broker tells of connections that end", () => {
  /** Where the test plays the broker's part: nobody can declare the exchange of its events. */
  const stage = "stage"
  const telling = (link: Link): Link => ({
    ...link,
    bind: (binding) => link.bind(binding.exchange === eventExchange ? { ...binding, exchange: stage } : binding),
    consume: (queue, options, listener) =>
      link.consume(queue, options, {
        ...listener,
        delivery: (delivery) => {
          const { message, redelivered, returns, ack, nack } = delivery
          const told = message.exchange === stage ? { ...message, exchange: eventExchange } : message
          listener.delivery({ message: told, redelivered, returns, ack, nack })
        },
      }),
  })

  const makeTelling = Effect.gen(function* () {
    const world = yield* makeWorldOf(telling)
    const herald = yield* connect(world.broker, "herald")
    yield* herald.declareExchange({ name: stage, type: "topic" })
    const announce = (name: string, more: object = {}) =>
      herald.publish(
        {
          exchange: stage,
          routingKey: endedKey,
          body: Buffer.alloc(0),
          headers: { user_provided_name: name, ...more },
        },
        () => {},
      )
    const linkOf = (name: string) => world.broker.links().find((id) => id.startsWith(`${name}#`))!
    /** The node's link is gone, and it gets no other. */
    const kill = (name: string) =>
      Effect.gen(function* () {
        const link = linkOf(name)
        yield* world.cut(name)
        announce(`warren consuming ${link}`)
        announce(`warren publishing ${link}`)
      })
    return { ...world, announce, linkOf, kill }
  })
  const suspected = expect.stringMatching(/^suspect acme\/worker\/1 \(the broker saw its connection end 0 ms ago\)$/)
  const left = expect.stringMatching(/^left acme\/worker\/1 \(the broker saw its connection end 2\.\d s ago\)$/)

  it("a death is suspected at once and certain after two seconds, long before the next beat is missed (12, O2)", () =>
    frozen(
      Effect.gen(function* () {
        const { join, kill } = yield* makeTelling
        const a = yield* join("a")
        yield* join("b", ["acme/worker/1"])
        const told = yield* watching(a)
        let gone = 0
        a.presence.onGone("acme/worker/1", () => gone++)
        yield* elapse(100)
        told.length = 0
        yield* kill("b")
        yield* elapse(50)
        expect(told).toStrictEqual([suspected])
        yield* elapse(grace - 100)
        expect([told.length, gone]).toStrictEqual([1, 0])
        yield* elapse(150)
        expect(told).toStrictEqual([suspected, left])
        expect(gone).toBe(1)
      }),
    ))

  it("a link that flaps is suspected and taken back, and nobody is told of a death (12)", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, kill } = yield* makeTelling
        const a = yield* join("a")
        yield* join("b", ["acme/worker/1"])
        const told = yield* watching(a)
        let gone = 0
        a.presence.onGone("acme/worker/1", () => gone++)
        told.length = 0
        for (let flap = 0; flap < 3; flap++) {
          yield* kill("b")
          yield* elapse(grace / 2)
          broker.faults.allow()
          yield* elapse(200)
          expect(told.splice(0)).toStrictEqual([suspected, "changed acme/worker/1"])
        }
        yield* elapse(3 * interval)
        expect([told, gone]).toStrictEqual([[], 0])
      }),
    ))

  it("an event about a node that lives makes it suspect at most, whoever sent it (W4, N2)", () =>
    frozen(
      Effect.gen(function* () {
        const { join, announce, linkOf } = yield* makeTelling
        const a = yield* join("a", ["acme/own/1"])
        yield* join("b", ["acme/worker/1"])
        const told = yield* watching(a)
        told.length = 0
        announce(`warren consuming ${linkOf("b")}`)
        announce(`warren consuming ${linkOf("a")}`)
        announce(`stranger consuming 0192f7b1-5b7c-7d43-9f3a-6a1b0c2d3e4f`)
        announce(`warren consuming ${linkOf("b")}`, { "x-death": "forged" })
        yield* elapse(grace + 100)
        expect(told).toStrictEqual([suspected, "changed acme/worker/1"])
        yield* elapse(3 * interval)
        expect(told).toHaveLength(2)
      }),
    ))

  it("nothing is concluded from what was heard on a former link (W3)", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, announce, linkOf } = yield* makeTelling
        const a = yield* join("a")
        yield* join("b", ["acme/worker/1"])
        const told = yield* watching(a)
        told.length = 0
        announce(`warren consuming ${linkOf("b")}`)
        yield* elapse(100)
        broker.faults.cut({ name: "a" })
        yield* elapse(3 * interval)
        expect(told).toStrictEqual([suspected, "changed acme/worker/1"])
        expect(yield* passing(a.registry.list())).toMatchObject([{ health: "alive" }])
      }),
    ))

  it("many deaths at once are all found, a few questions at a time", () =>
    frozen(
      Effect.gen(function* () {
        const { broker, join, kill } = yield* makeTelling
        const a = yield* join("a")
        for (let n = 0; n < 20; n++) yield* join(`n${n}`, [`acme/worker/${n}`])
        const told = yield* watching(a)
        told.length = 0
        broker.faults.refuse()
        for (let n = 0; n < 20; n++) yield* kill(`n${n}`)
        yield* elapse(grace + 100)
        yield* until("all have left", () => told.filter((each) => each.startsWith("left")).length === 20)
      }),
    ))
})

describe("nothing is concluded of a node", () => {
  /** A node is cut off, and the broker is being asked about its inbox, which has no consumer. */
  const asked = Effect.gen(function* () {
    const clock = yield* Clock.clockWith(Effect.succeed)
    const answer = Deferred.makeUnsafe<QueueState>()
    const world = { view: apply(emptyView(self), onLink("l-1"), elapsed(clock)).view, asked: "" }
    const link = {
      bind: () => Effect.void,
      inspectQueue: (queue: string) => {
        world.asked = queue
        return Deferred.await(answer)
      },
    }
    const node = { clock, run: (effect: Effect.Effect<void>) => void Effect.runFork(effect) }
    const coroner = new Coroner(
      node as unknown as Node,
      () => world.view,
      ({ view }) => {
        world.view = view
      },
    )
    yield* coroner.listen(link as unknown as Link, "q")
    coroner.hear({ ...event("warren consuming l-1"), body: Buffer.alloc(0) })
    yield* elapse(grace + 50)
    expect(world.asked).toBe("inbox.n1")
    const answered = Effect.andThen(
      Effect.sync(() => Deferred.doneUnsafe(answer, Effect.succeed({ messages: 0, consumers: 0 }))),
      settle,
    )
    return { coroner, world, answered, now: () => elapsed(clock) }
  })

  it("that has beaten on another link while the broker was asked (O2)", () =>
    frozen(
      Effect.gen(function* () {
        const { world, answered, now } = yield* asked
        world.view = apply(world.view, onLink("l-2", { seq: 2 }), now()).view
        yield* answered
        expect(list(world.view, {}, now())).toMatchObject([{ health: "alive" }])
      }),
    ))

  it("when the observer has lost the link on which it asked (W3)", () =>
    frozen(
      Effect.gen(function* () {
        const { coroner, world, answered, now } = yield* asked
        coroner.forget()
        yield* answered
        expect(list(world.view, {}, now())).toMatchObject([{ health: "suspect" }])
      }),
    ))

  it("but otherwise it is dead", () =>
    frozen(
      Effect.gen(function* () {
        const { world, answered, now } = yield* asked
        yield* answered
        expect(list(world.view, {}, now())).toStrictEqual([])
      }),
    ))
})

describe("where the broker does not tell", () => {
  const coroner = (clock: Clock.Clock) => {
    const logs: Array<string> = []
    const node = { clock, log: (level: string, message: string) => void logs.push(`${level}: ${message}`) }
    return {
      logs,
      coroner: new Coroner(
        node as unknown as Node,
        () => emptyView(self),
        () => {},
      ),
    }
  }
  const link = (error: BrokerError, product = "RabbitMQ") =>
    ({ bind: () => Effect.fail(error), capabilities: { product, version: "4.0.5" } }) as unknown as Link

  it("one line in the log says so, and what to do, however often the link comes back (N1)", async () => {
    const { logs, coroner: one } = coroner(await Effect.runPromise(Clock.clockWith(Effect.succeed)))
    for (let time = 0; time < 3; time++) {
      await Effect.runPromise(one.listen(link(new NotFound({ what: "exchange" })), "q"))
      one.forget()
    }
    expect(logs).toStrictEqual([expect.stringMatching(/^Info: .*amq\.rabbitmq\.event.*rabbitmq_event_exchange/)])
  })

  it("it is a warning when this user may not hear it (N1)", async () => {
    const { logs, coroner: one } = coroner(await Effect.runPromise(Clock.clockWith(Effect.succeed)))
    const refused = new Refused({ what: "bind", why: "access refused", next: "Check the permissions of the user." })
    for (let time = 0; time < 3; time++) await Effect.runPromise(one.listen(link(refused), "q"))
    expect(logs).toStrictEqual([expect.stringMatching(/^Warn: the broker refused to bind: access refused\. Check/)])
  })

  it("a broker without a process of its own is expected not to (N1)", async () => {
    const { logs, coroner: one } = coroner(await Effect.runPromise(Clock.clockWith(Effect.succeed)))
    await Effect.runPromise(one.listen(link(new NotFound({ what: "exchange" }), "embedded"), "q"))
    expect(logs).toStrictEqual([expect.stringMatching(/^Debug: /)])
  })
})
