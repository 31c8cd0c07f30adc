// The ready-made actor for dead letters, on both brokers: promise 6, and that nothing is lost on the way back.

import { randomUUID } from "node:crypto"
import { Effect, type Layer, Schema } from "effect"
import { Connection } from "rabbitmq-client"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { ActorSystem, actor, ask, child, protocol, supervisor, tell } from "warren"
import { Amqp, Broker, type DeadLetter, encodeDeadLetter, type Link, type Outgoing } from "warren/effect"
import { Embedded, type EmbeddedBroker } from "warren/testing"
import { DeadLetters, deadLetters, deadLettersOf } from "../../actors/dead-letters.ts"

const Till = protocol("till", "1.0.0", {
  book: tell(Schema.Struct({ n: Schema.Number })),
  booked: ask({ reply: Schema.Array(Schema.Number) }),
})
const mailbox = (prefix: string, id: string) => `${prefix}.mailbox.acme.till.${id}.v1`
const key = (id: string) => `acme.till.${id}.v1`
const confirmTimeout = 300

interface Options {
  readonly maxReplays?: number
  readonly window?: number
  /** Of the till. */
  readonly maxDeliveries?: number
}

/** A system of its own on the broker under test, with the dead letters of its own prefix. */
const setUp = async (broker: Layer.Layer<Broker>, options: Options = {}) => {
  const prefix = `t${randomUUID().slice(0, 12)}`
  const { maxDeliveries = 3, ...own } = options
  const tree = supervisor("app", {}, [child(deadLettersOf({ prefix, ...own }), { id: "main" })])
  const system = await ActorSystem.start({
    domain: "acme",
    prefix,
    broker,
    tree,
    signals: false,
    logLevel: "None",
    askTimeout: "10 seconds",
  })
  const booked: Array<number> = []
  const cause = { of: undefined as ((n: number) => boolean) | undefined }
  const handlers = Till.of({
    book: ({ n }) => {
      if (cause.of?.(n)) throw new RangeError(`${n} does not fit the till`)
      booked.push(n)
    },
    booked: () => booked,
  })
  const till = actor(Till, handlers, { maxDeliveries })
  const ids = new Set<string>()
  const onLink = <A>(use: (link: Link) => Effect.Effect<A, unknown>): Promise<A> =>
    Effect.flatMap(Broker, ({ connect }) => Effect.flatMap(connect, use)).pipe(
      Effect.scoped,
      Effect.provide(broker),
      Effect.runPromise,
    )
  const publish = (...messages: ReadonlyArray<Partial<Outgoing> & Pick<Outgoing, "routingKey" | "body">>) =>
    onLink((link) =>
      Effect.forEach(messages, (message) =>
        Effect.callback<void, unknown>((resume) =>
          link.publish({ exchange: `${prefix}.mail`, mandatory: true, persistent: true, ...message }, (failure) =>
            resume(failure === undefined ? Effect.void : Effect.fail(failure)),
          ),
        ),
      ),
    )
  return {
    prefix,
    system,
    booked,
    cause,
    onLink,
    publish,
    letters: system.ref(DeadLetters, "main"),
    start: (id: string) => {
      ids.add(id)
      return system.spawn(till, { id, backoff: { initial: 5, max: 10 } })
    },
    stop: (id: string) => system.stopActor(till, id),
    /** Dead letters as they would come from anywhere, oldest first. */
    bury: (...dead: ReadonlyArray<Partial<DeadLetter> & { readonly n: number }>) =>
      publish(
        ...dead.map(({ n, ...change }) => ({
          ...encodeDeadLetter({
            reason: "crashed",
            error: { name: "Error", message: `no ${n}` },
            attempts: 3,
            address: "acme/till/a",
            origin: { exchange: `${prefix}.mail`, routingKey: key("a"), node: "n-1" },
            at: 1_000 + n,
            replays: 0,
            remains: { kind: "item", item: { kind: "tell", node: "n-1", id: n, name: "book", payload: { n } } },
            ...change,
          }),
          exchange: `${prefix}.dead`,
          routingKey: `${prefix}.dead-letters`,
        })),
      ),
    tearDown: async () => {
      await system.stop()
      const queues = [`${prefix}.dead-letters`, `${prefix}.mailbox.acme.dead-letters.main.v1`]
      queues.push(...[...ids].map((id) => mailbox(prefix, id)))
      await onLink((link) => Effect.forEach(queues, (queue) => link.deleteQueue(queue), { discard: true }))
      return prefix
    },
  }
}
type Fixture = Awaited<ReturnType<typeof setUp>>

const suite = (on: {
  readonly layer: () => Layer.Layer<Broker>
  readonly forget: (prefix: string) => Promise<void>
}) => {
  let used: Fixture | undefined
  const fixture = async (options?: Parameters<typeof setUp>[1]): Promise<Fixture> => {
    used = await setUp(on.layer(), options)
    return used
  }
  afterEach(async () => {
    const prefix = await used?.tearDown()
    used = undefined
    if (prefix !== undefined) await on.forget(prefix)
  })

  /** The numbers of the letters that are listed. */
  const numbers = async (letters: Fixture["letters"], options: Parameters<Fixture["letters"]["list"]>[0] = {}) =>
    (await letters.list(options)).letters.map(({ preview }) => JSON.parse(preview).n)

  it("takes one poison tell out of a batch of fifty, and brings it back once its cause is fixed", async () => {
    const { prefix, system, start, stop, booked, cause, letters, onLink } = await fixture()
    const till = await start("a")
    await stop("a")
    await Promise.all(Array.from({ length: 50 }, (_, n) => till.book({ n })))
    const waiting = await onLink((link) => link.inspectQueue(mailbox(prefix, "a")))
    expect(waiting.messages, "the fifty tells travel in one batch").toBe(1)
    const others = Array.from({ length: 50 }, (_, n) => n).filter((n) => n !== 17)

    cause.of = (n) => n === 17
    const before = Date.now()
    await start("a")
    await expect.poll(() => letters.count(), { timeout: 10_000 }).toBe(1)
    await expect.poll(() => booked, { timeout: 10_000 }).toStrictEqual(others)

    const { letters: listed, more } = await letters.list({})
    expect(more).toBe(false)
    expect(listed).toStrictEqual([
      {
        id: expect.stringMatching(/^[0-9a-f]{32}$/),
        reason: "crashed",
        error: {
          name: "RangeError",
          message: "17 does not fit the till",
          stack: expect.stringContaining("dead-letters.test.ts"),
        },
        attempts: 3,
        address: "acme/till/a",
        origin: { exchange: `${prefix}.mail`, routingKey: key("a"), node: system.node },
        at: expect.toSatisfy((at: number) => at >= before && at <= Date.now()),
        replays: 0,
        message: "book",
        preview: '{"n":17}',
        size: 8,
      },
    ])

    cause.of = undefined
    expect(await letters.replay({ ids: [listed[0]!.id] })).toStrictEqual({ replayed: 1, skipped: 0, failed: [] })
    // The ask stands behind the replayed tell.
    expect(await till.booked()).toStrictEqual([...others, 17])
    expect(await letters.count()).toBe(0)
  })

  it("sends a raw message that nobody could read again as it was, byte by byte", async () => {
    const { prefix, start, stop, publish, letters, onLink } = await fixture()
    await start("a")
    const body = Buffer.from([0, 255, 1, 254])
    await publish({
      routingKey: key("a"),
      body,
      contentType: "image/png",
      messageId: "m-1",
      type: "picture",
      headers: { color: "red" },
    })
    await expect.poll(() => letters.count(), { timeout: 10_000 }).toBe(1)
    const { letters: listed } = await letters.list({ filter: { reason: "undecodable" } })
    expect(listed).toMatchObject([
      { address: "acme/till/a", message: "picture", preview: body.toString("base64"), size: 4, replays: 0 },
    ])
    await stop("a")
    expect(await letters.replay({ filter: {} })).toMatchObject({ replayed: 1 })
    const { message } = (await onLink((link) => link.get(mailbox(prefix, "a"))))!
    expect(message).toMatchObject({ contentType: "image/png", messageId: "m-1", type: "picture", persistent: true })
    expect(message.headers).toMatchObject({ color: "red", "warren-replays": 1 })
    expect(message.body).toStrictEqual(body)
  })

  it("sends a letter again no more than `maxReplays` times, unless it is forced", async () => {
    const { start, cause, letters } = await fixture({ maxReplays: 2, maxDeliveries: 1 })
    cause.of = () => true
    const till = await start("a")
    await till.book({ n: 1 })
    const replays = async () => (await letters.list({})).letters.map((letter) => letter.replays)
    for (const count of [0, 1]) {
      await expect.poll(replays, { timeout: 10_000 }).toStrictEqual([count])
      expect(await letters.replay({ filter: {} })).toStrictEqual({ replayed: 1, skipped: 0, failed: [] })
    }
    await expect.poll(replays, { timeout: 10_000 }).toStrictEqual([2])
    expect(await letters.replay({ filter: {} })).toStrictEqual({ replayed: 0, skipped: 1, failed: [] })
    expect(await replays()).toStrictEqual([2])
    expect(await letters.replay({ filter: {}, force: true })).toStrictEqual({ replayed: 1, skipped: 0, failed: [] })
    await expect.poll(replays, { timeout: 10_000 }).toStrictEqual([3])
  })

  it("keeps what no mailbox takes, and says so", async () => {
    const { bury, letters } = await fixture()
    await bury({ n: 1 }, { n: 2 })
    const { failed, ...counts } = await letters.replay({ filter: {} })
    expect(counts).toStrictEqual({ replayed: 0, skipped: 0 })
    expect(failed.map(({ why }) => why)).toStrictEqual(
      failed.map(() => expect.stringContaining(`with key ${key("a")}`)),
    )
    expect(failed).toHaveLength(2)
    expect(await numbers(letters)).toStrictEqual([1, 2])
  })

  it("keeps the order of the letters, whatever is listed, discarded or left to others", async () => {
    const { prefix, bury, letters, onLink } = await fixture()
    await bury(...Array.from({ length: 8 }, (_, n) => ({ n })))
    expect(await numbers(letters)).toStrictEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(await numbers(letters, { limit: 3 })).toStrictEqual([0, 1, 2])
    expect(await numbers(letters, { limit: 2 })).toStrictEqual([0, 1])
    expect(await letters.discard({ filter: {}, max: 1 })).toBe(1)
    await bury({ n: 8 })
    expect(await numbers(letters, { filter: { since: 1_005 } })).toStrictEqual([5, 6, 7, 8])
    const rest = await onLink((link) =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        for (
          let next = yield* link.get(`${prefix}.dead-letters`);
          next;
          next = yield* link.get(`${prefix}.dead-letters`)
        )
          seen.push(JSON.parse(next.message.body.toString()).error.message)
        return seen
      }),
    )
    expect(rest).toStrictEqual([1, 2, 3, 4, 5, 6, 7, 8].map((n) => `no ${n}`))
  })

  it("keeps the order when there are more letters than one request looks at", async () => {
    const { bury, letters } = await fixture({ window: 3 })
    await bury(...Array.from({ length: 6 }, (_, n) => ({ n })))
    for (let round = 0; round < 3; round++) {
      const { letters: listed, more } = await letters.list({ limit: 2 + (round % 2) })
      expect(listed.map(({ at }) => at)).toStrictEqual([1_000, 1_001, 1_002].slice(0, 2 + (round % 2)))
      expect(more).toBe(true)
    }
    expect(await letters.discard({ filter: {} })).toBe(3)
    expect(await numbers(letters)).toStrictEqual([3, 4, 5])
  })

  it("lists by reason, address and time, and up to a limit", async () => {
    const { bury, letters } = await fixture()
    await bury({ n: 1 }, { n: 2, reason: "rejected" }, { n: 3, address: "acme/till/b" }, { n: 4 })
    expect(await numbers(letters, { filter: { reason: "rejected" } })).toStrictEqual([2])
    expect(await numbers(letters, { filter: { address: "acme/till/b" } })).toStrictEqual([3])
    expect(await numbers(letters, { filter: { since: 1_003 } })).toStrictEqual([3, 4])
    expect(await numbers(letters, { filter: { reason: "crashed", since: 1_002 } })).toStrictEqual([3, 4])
    expect((await letters.list({ limit: 3 })).more).toBe(true)
    expect((await letters.list({ limit: 4 })).more).toBe(false)
    expect(await letters.count()).toBe(4)
  })

  it("discards those that are named, and no others", async () => {
    const { bury, letters } = await fixture()
    await bury({ n: 1 }, { n: 2 }, { n: 3 })
    const { letters: listed } = await letters.list({})
    expect(await letters.discard({ ids: [listed[1]!.id, "no such"] })).toBe(1)
    expect(await numbers(letters)).toStrictEqual([1, 3])
    expect(await letters.discard({ filter: {} })).toBe(2)
    expect(await letters.count()).toBe(0)
  })

  it("keeps the ids of what stays, and names those that are gone", async () => {
    const { bury, letters, start, booked } = await fixture()
    await start("a")
    await bury({ n: 1 }, { n: 2 })
    const first = await letters.list({})
    const second = await letters.list({})
    expect(second).toStrictEqual(first)
    expect(await letters.replay({ ids: [first.letters[0]!.id] })).toMatchObject({ replayed: 1 })
    expect(await letters.replay({ ids: [first.letters[0]!.id] })).toStrictEqual({
      replayed: 0,
      skipped: 0,
      failed: [{ id: first.letters[0]!.id, why: expect.stringContaining("there is no such dead letter") }],
    })
    await expect.poll(() => booked, { timeout: 10_000 }).toStrictEqual([1])
    expect(await numbers(letters)).toStrictEqual([2])
  })

  it("replays in the order in which the letters lie there", async () => {
    const { bury, letters, start, booked } = await fixture()
    const till = await start("a")
    await bury(...Array.from({ length: 200 }, (_, n) => ({ n })))
    expect(await letters.replay({ filter: {}, max: 150 })).toStrictEqual({ replayed: 150, skipped: 0, failed: [] })
    expect(await till.booked()).toStrictEqual(Array.from({ length: 150 }, (_, n) => n))
    expect(booked).toHaveLength(150)
    expect(await letters.count()).toBe(50)
  })

  it("reads and replays what the broker itself took out of a mailbox", async () => {
    const { start, stop, publish, booked, letters } = await fixture()
    await start("a")
    await stop("a")
    const body = Buffer.from('{"n":5}')
    await publish({ routingKey: key("a"), body, type: "book", contentType: "application/json", expiration: 1 })
    await expect.poll(() => letters.count(), { timeout: 10_000 }).toBe(1)
    const { letters: listed } = await letters.list({})
    expect(listed).toMatchObject([{ reason: "expired", address: "acme/till/a", message: "book", preview: '{"n":5}' }])
    await start("a")
    expect(await letters.replay({ filter: { reason: "expired" } })).toMatchObject({ replayed: 1 })
    await expect.poll(() => booked, { timeout: 10_000 }).toStrictEqual([5])
    expect(await letters.count()).toBe(0)
  })

  it("lists what is no dead letter at all, does not send it, and can discard it", async () => {
    const { prefix, publish, letters } = await fixture()
    await publish({ exchange: "", routingKey: `${prefix}.dead-letters`, body: Buffer.from("hello") })
    const { letters: listed } = await letters.list({})
    expect(listed).toMatchObject([{ reason: "unknown", error: { name: "Malformed" }, preview: "hello" }])
    const { failed } = await letters.replay({ ids: [listed[0]!.id], force: true })
    expect(failed).toMatchObject([{ why: expect.stringContaining("cannot be read") }])
    expect(await letters.discard({ ids: [listed[0]!.id] })).toBe(1)
    expect(await letters.count()).toBe(0)
  })

  it("works beside somebody else who holds some of the letters", async () => {
    const { prefix, bury, letters, onLink } = await fixture()
    await bury({ n: 1 }, { n: 2 }, { n: 3 })
    await onLink((link) =>
      Effect.gen(function* () {
        const held = yield* link.get(`${prefix}.dead-letters`)
        expect(yield* Effect.promise(() => numbers(letters))).toStrictEqual([2, 3])
        expect(yield* Effect.promise(() => letters.discard({ filter: {}, max: 1 }))).toBe(1)
        held?.nack({ requeue: true })
      }),
    )
    await expect.poll(async () => (await numbers(letters)).sort(), { timeout: 10_000 }).toStrictEqual([1, 3])
  })
}

describe("dead letters on the embedded broker", () => {
  let broker: EmbeddedBroker
  beforeAll(async () => {
    broker = await Effect.runPromise(Embedded.make({ confirmTimeout }))
  })
  afterEach(() => broker.faults.calm())
  suite({ layer: () => broker.layer, forget: async () => {} })

  it("keeps a letter whose replay the broker refuses or does not confirm", async () => {
    const fixture = await setUp(broker.layer)
    try {
      const { bury, letters, start, stop } = fixture
      await start("a")
      await stop("a")
      await bury({ n: 1 })
      for (const fault of ["nack", "loseConfirms"] as const) {
        broker.faults.slow(100) // so that there is time between the letter in hand and its replay
        const asked = letters.replay({ filter: {} })
        const inHand = () => broker.queue(`${fixture.prefix}.dead-letters`)?.unacked
        await expect.poll(inHand, { interval: 5 }).toBe(1)
        broker.faults[fault](1)
        expect(await asked).toMatchObject({ replayed: 0, failed: [{ why: expect.any(String) }] })
        expect(await letters.count()).toBe(1)
        broker.faults.calm()
      }
    } finally {
      await fixture.tearDown()
    }
  })

  it("answers with an error when it cannot get a link of its own", async () => {
    const fixture = await setUp(broker.layer)
    try {
      await fixture.bury({ n: 1 })
      broker.faults.refuse()
      const outcome = await fixture.letters.list.outcome({})
      expect(outcome).toMatchObject({ ok: false, error: { _tag: "DeadLettersOutOfReach" } })
      broker.faults.allow()
      expect((await fixture.letters.list({})).letters).toHaveLength(1)
    } finally {
      await fixture.tearDown()
    }
  })

  it("needs nothing but the broker that every system has", async () => {
    const tree = supervisor("app", {}, [child(deadLetters, { id: "main" })])
    await using system = await ActorSystem.start({
      domain: "acme",
      broker: "embedded",
      tree,
      signals: false,
      logLevel: "None",
    })
    expect(await system.ref(DeadLetters, "main").count()).toBe(0)
  })
})

describe("dead letters on RabbitMQ", () => {
  const url = process.env.WARREN_TEST_AMQP_URL
  let connection: Connection
  beforeAll(async () => {
    if (!url) throw new Error("WARREN_TEST_AMQP_URL is not set: these tests need a broker")
    connection = new Connection(url)
    await connection.onConnect(10_000)
  })
  afterAll(() => connection?.close())
  suite({
    layer: () => Amqp.layer(url!),
    forget: async (prefix) => {
      for (const name of ["mail", "control", "presence", "dead"])
        await connection.exchangeDelete({ exchange: `${prefix}.${name}` })
    },
  })
})
