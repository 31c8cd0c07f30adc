import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  type Command,
  enter,
  type Leadership,
  type LeadershipEvent,
  leads,
  type Phase,
  phaseOf,
  step,
} from "../../src/charts/leadership.ts"

const opened = (ready: number, consumers: number) => ({ type: "opened", ready, consumers, now: 1_000 }) as const
const token = (tag: number, value: number, id = "t1") => ({ type: "token", tag, id, value }) as const
const seen = (epoch: number) => ({ type: "seen", epoch }) as const
const started = { type: "started" } as const
const renew = { type: "renew" } as const
const renewLate = { type: "renewLate" } as const
const quiet = { type: "quiet", now: 1_000 } as const
const stop = { type: "stop" } as const
const drained = { type: "drained" } as const
const lost = { type: "lost" } as const
const refused = { type: "refused", why: "no such vhost" } as const

const open = { do: "open" } as const
const seed = (base: number) => ({ do: "seed", base }) as const
const ack = (tag: number) => ({ do: "ack", tag }) as const
const nack = (tag: number) => ({ do: "nack", tag }) as const
const lead = (epoch: number) => ({ do: "lead", epoch }) as const
const moved = (epoch: number) => ({ do: "moved", epoch }) as const
const halt = { do: "halt" } as const
const drain = { do: "drain" } as const
const close = { do: "close" } as const

/** A member to which all that has happened. */
const memberAfter = (events: ReadonlyArray<LeadershipEvent>): Leadership =>
  events.reduce((state, event) => step(state, event)[0], enter()[0])

const standby = [opened(1, 0)]
const leading = [...standby, token(1, 50)]
const renewing = [...leading, started, renew]
const draining = [...leading, started, stop]

type Row = readonly [
  name: string,
  given: ReadonlyArray<LeadershipEvent>,
  when: LeadershipEvent,
  does: ReadonlyArray<Command>,
  then: Phase,
  knows?: Partial<Leadership["context"]>,
]

const out: ReadonlyArray<Row> = [
  ["a queue with a token in it is joined", [], opened(1, 0), [], "standby"],
  ["a queue with a holder is joined", [], opened(0, 1), [], "standby"],
  ["an empty queue gets a token as high as the clock", [], opened(0, 0), [seed(1_000)], "standby"],
  ["an empty queue gets a token above what was seen", [seen(1_000)], opened(0, 0), [seed(1_001)], "standby"],
  ["a token of a dead channel is nobody's", [], token(1, 50), [], "out", { hold: undefined }],
  ["a lost channel is opened again", [], lost, [close, open], "out"],
  ["stop ends it", [], stop, [close], "stopped", { stopping: true }],
  ["it remembers an epoch", [], seen(7), [], "out", { seen: 7 }],
  ["what it is refused, it does not ask for again", [], refused, [close], "failed", { why: "no such vhost" }],
]

const hold = { tag: 1, id: "t1", value: 50 }
const waiting: ReadonlyArray<Row> = [
  ["the first token makes it the leader", standby, token(1, 50), [lead(50)], "leading.starting", { hold, seen: 50 }],
  ["a token above what was seen does too", [...standby, seen(49)], token(1, 50), [lead(50)], "leading.starting"],
  [
    "a token at an epoch that was seen is replaced by a higher one",
    [...standby, seen(50)],
    token(1, 50),
    [ack(1), seed(51), close, open],
    "out",
    { hold: undefined, seen: 50 },
  ],
  ["a token below it too", [...standby, seen(90)], token(1, 50), [ack(1), seed(91), close, open], "out"],
  ["without a leader for long it seeds", standby, quiet, [seed(1_000)], "standby"],
  ["it seeds above what was seen", [...standby, seen(2_000)], quiet, [seed(2_001)], "standby"],
  ["it remembers an epoch", standby, seen(7), [], "standby", { seen: 7 }],
  ["it forgets no epoch for a lower one", [...standby, seen(7)], seen(6), [], "standby", { seen: 7 }],
  ["it joins again when its channel is lost", standby, lost, [close, open], "out"],
  ["stop ends it", standby, stop, [close], "stopped"],
  ["refused, it fails", standby, refused, [close], "failed"],
]

const moved51 = { epoch: 51, seen: 51, renewing: false, hold: { tag: 2, id: "t1", value: 51 } }
const afresh52 = { epoch: 52, seen: 52, renewing: false, hold: { tag: 2, id: "t1", value: 52 } }
const holding: ReadonlyArray<Row> = [
  ["it runs once the cell handles mail", leading, started, [], "leading.running"],
  ["it renews by giving the token back", leading, renew, [nack(1)], "leading.starting", { renewing: true }],
  ["it renews once at a time", renewing, renew, [], "leading.running", { renewing: true }],
  ["its token comes back one higher", renewing, token(2, 51), [moved(51)], "leading.running", moved51],
  ["its token was with another meanwhile", renewing, token(2, 52), [halt, lead(52)], "leading.starting", afresh52],
  ["its token comes unasked", [...leading, started], token(2, 51), [halt, lead(51)], "leading.starting", moved51],
  [
    "it comes unasked and much higher",
    [...leading, started],
    token(2, 52),
    [halt, lead(52)],
    "leading.starting",
    afresh52,
  ],
  ["its token is no higher than before", renewing, token(2, 50), [halt, close, open], "out", { hold: undefined }],
  ["a second token is dropped, its own asked for", leading, token(2, 9, "t2"), [ack(2), nack(1)], "leading.starting"],
  ["while it asks, a second one is only dropped", renewing, token(2, 99, "t2"), [ack(2)], "leading.running"],
  ["a late renewal ends it", renewing, renewLate, [halt, close, open], "out", { renewing: false }],
  ["a renewal that came back is not late", leading, renewLate, [], "leading.starting"],
  ["a higher epoch ends it", leading, seen(51), [halt, close, open], "out", { seen: 51, hold: undefined }],
  ["its own epoch is no news", leading, seen(50), [], "leading.starting"],
  ["it needs no watchdog", leading, quiet, [], "leading.starting"],
  ["a lost channel ends it", leading, lost, [halt, close, open], "out", { hold: undefined }],
  ["stop lets it finish", [...leading, started], stop, [drain], "draining", { stopping: true, hold }],
  ["stop lets it finish while it starts", leading, stop, [drain], "draining"],
  ["refused, it halts and fails", leading, refused, [halt, close], "failed"],
]

const ending: ReadonlyArray<Row> = [
  ["drained, it halts before it lets go", draining, drained, [halt, close], "stopped", { hold: undefined }],
  ["it goes on to renew", draining, renew, [nack(1)], "draining", { renewing: true }],
  ["its token comes back one higher", [...draining, renew], token(2, 51), [moved(51)], "draining", moved51],
  ["its token was with another meanwhile", draining, token(2, 52), [halt, close], "stopped"],
  ["a second token is dropped", draining, token(2, 9, "t2"), [ack(2), nack(1)], "draining"],
  ["a late renewal ends it", [...draining, renew], renewLate, [halt, close], "stopped"],
  ["a higher epoch ends it", draining, seen(51), [halt, close], "stopped"],
  ["a lost channel is not opened again", draining, lost, [halt, close], "stopped"],
  ["a second stop does not cut it short", draining, stop, [], "draining"],
  ["refused, it fails", draining, refused, [halt, close], "failed"],
  ["stopped, it hears nothing", [stop], lost, [], "stopped"],
  ["failed, it hears nothing", [refused], lost, [], "failed"],
]

describe("the membership chart", () => {
  test("a new member opens the queue of the token", () => {
    const [state, commands] = enter()
    expect(commands).toEqual([open])
    expect(phaseOf(state)).toBe("out")
  })

  for (const [phase, rows] of Object.entries({ out, standby: waiting, leading: holding, "draining, ended": ending })) {
    describe(phase, () => {
      for (const [name, given, when, does, then, knows = {}] of rows) {
        test(name, () => {
          const [state, commands] = step(memberAfter(given), when)
          expect(commands).toEqual(does)
          expect(phaseOf(state)).toBe(then)
          expect(state.context).toMatchObject(knows)
        })
      }
    })
  }
})

/** Small numbers, so that they meet; each delivery has a tag of its own, as on a channel. */
const number = fc.integer({ min: 1, max: 12 })
const anyEvent: fc.Arbitrary<LeadershipEvent> = fc.oneof(
  fc.record({ type: fc.constant("opened"), ready: fc.nat(1), consumers: fc.nat(1), now: number }),
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant("token"), tag: number, id: fc.constantFrom("a", "b"), value: number }),
  },
  { weight: 3, arbitrary: fc.constantFrom(started, renew, renewLate) },
  fc.record({ type: fc.constant("quiet"), now: number }),
  fc.record({ type: fc.constant("seen"), epoch: number }),
  fc.constantFrom(stop, drained, lost, lost, refused),
)
const history = fc
  .array(anyEvent, { maxLength: 40 })
  .map((events) => events.map((event, i) => (event.type === "token" ? { ...event, tag: i + 1 } : event)))

interface Move {
  readonly before: Leadership
  readonly event: LeadershipEvent
  readonly commands: ReadonlyArray<Command>
  readonly state: Leadership
}

const movesOf = (events: ReadonlyArray<LeadershipEvent>): ReadonlyArray<Move> => {
  let before = enter()[0]
  return events.map((event) => {
    const [state, commands] = step(before, event)
    const move = { before, event, commands, state }
    before = state
    return move
  })
}

const always = (holds: (move: Move) => void): void =>
  fc.assert(
    fc.property(history, (events) => {
      for (const move of movesOf(events)) holds(move)
    }),
    { numRuns: 500 },
  )

const names = (commands: ReadonlyArray<Command>): ReadonlyArray<Command["do"]> => commands.map((command) => command.do)

describe("whatever happens to a member", () => {
  test("it never acks a token that it leads on (N1)", () => {
    always(({ before, commands, state }) => {
      for (const command of commands) {
        if (command.do !== "ack") continue
        expect([before.context.hold?.tag, state.context.hold?.tag]).not.toContain(command.tag)
      }
    })
  })

  test("it never seeds while it leads (N3)", () => {
    always(({ before, commands }) => {
      if (leads(before)) expect(names(commands)).not.toContain("seed")
    })
  })

  test("it has a token exactly while it leads", () => {
    always(({ state }) => expect(state.context.hold !== undefined).toBe(leads(state)))
  })

  test("each epoch that it leads with is above all that it had led with or heard of (I4)", () => {
    always(({ before, commands, state }) => {
      for (const command of commands) {
        if (command.do !== "lead" && command.do !== "moved") continue
        expect(command.epoch).toBeGreaterThan(before.context.seen)
        expect(command.epoch).toBe(state.context.hold?.value)
      }
      expect(state.context.seen).toBeGreaterThanOrEqual(before.context.seen)
    })
  })

  test("it halts whenever it ceases to lead, and before it lets go (I7)", () => {
    always(({ before, commands, state }) => {
      const order = names(commands).filter((name) => name === "halt" || name === "close" || name === "open")
      if (leads(before) && !leads(state)) expect(order.slice(0, 2)).toEqual(["halt", "close"])
      if (!leads(before)) expect(order).not.toContain("halt")
      if (leads(before) && names(commands).includes("lead")) expect(names(commands)).toEqual(["halt", "lead"])
    })
  })

  test("it opens again after each close, unless it was asked to stop or was refused (I8)", () => {
    always(({ commands, state }) => {
      const closed = names(commands).includes("close")
      const ended = state.context.stopping || state.context.why !== undefined
      expect(names(commands).includes("open")).toBe(closed && !ended)
      if (closed) expect(phaseOf(state)).toBe(state.context.why ? "failed" : ended ? "stopped" : "out")
    })
  })
})
